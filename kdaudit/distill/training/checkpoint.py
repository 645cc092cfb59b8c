"""Where training stood: tensors and a few facts in one safetensors file, replaced as a whole.

One file, so that tensors and facts can never be of different epochs; no pickle, so that a store may
be shared.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from kdaudit.errors import DamagedError
from kdaudit.evidence.store import write_atomically


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One file, overwritten after each epoch."""

    path: Path

    def save(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write; a reader finds the old one or the new one, whole."""
        own = {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
        text = json.dumps({**facts, "tensors": tensor_digest(own)}, allow_nan=False)
        write_atomically(self.path, save(own, metadata={"facts": text}))

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Read, or None where nothing was written yet.

        Raises:
            DamagedError: if the file is not what was written.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                facts = json.loads(file.metadata()["facts"])
                names = file.keys()  # a list: the file is no mapping
                tensors = {name: file.get_tensor(name).clone() for name in names}
            if facts.pop("tensors") == tensor_digest(tensors):
                return tensors, facts
            problem = "its tensors have another digest"
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            problem = str(error)
        raise DamagedError(
            f"the checkpoint {self.path} is not what was written ({problem}); delete it and run "
            "again to train that model anew"
        )


def tensor_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors: names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
