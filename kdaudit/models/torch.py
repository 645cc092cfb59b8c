"""A PyTorch classifier: safetensors weights, and a factory that builds the module they fit.

``factory = "module:function"`` is called ``factory(inputs=D, classes=C, **args)``: D is the encoded
width, C the number of classes; it returns a module that maps float32 (N, D) to logits (N, C).
``encode = "module:function"`` is called ``encode(columns, state)`` with the input columns by name
and the contents of the ``state`` file, and returns (N, D), row by row: no row may depend on its
neighbours, on chance or on the clock. Without it the numeric columns are stacked.

Opening reads digests only; the module is built, and PyTorch imported, at the first question.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from kdaudit.errors import ModelError
from kdaudit.governance.digest import file_digest
from kdaudit.models.adapter import Columns, Outputs
from kdaudit.models.code import Code, resolve, said
from kdaudit.models.inputs import for_code, matrix, select
from kdaudit.models.transformer import ENCODE

if TYPE_CHECKING:
    import torch

ADAPTER = "torch 1"  # raised when the same files would answer differently
# What else the logits of the factories that kdaudit ships depend on.
LIBRARIES = {"kdaudit.models.transformer:classifier": ("transformers", "tokenizers")}
PICKLES = {".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoder:
    """From input columns to the tensor a module reads.

    Attributes:
        columns: the columns to show, in order; empty for all, as they come.
        function: ``encode(columns, state)``, or None to stack numeric columns.
        state: what ``encode`` was fitted to, as in its JSON file.
        width: D, or None where any will do.
    """

    columns: tuple[str, ...] = ()
    function: Code | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    width: int | None = None

    def __call__(self, columns: Columns) -> "torch.Tensor":
        """Encode N rows as (N, D): float32, or what ``encode`` chose where it returns a tensor.

        Raises:
            ModelError: for a missing column, text without ``encode``, or another shape.
        """
        import torch

        shown = select(columns, self.columns)
        name = "the stacked input columns"
        if self.function is None:
            encoded = torch.from_numpy(
                matrix(shown, 'say how to encode it: encode = "module:function"').astype(np.float32)
            )
        else:
            name = self.function.name
            given = shown if self.function.name == ENCODE else for_code(shown)
            answer = self.function(dict(given), self.state)
            encoded = answer.detach() if isinstance(answer, torch.Tensor) else _tensor(answer, name)
        rows = len(next(iter(shown.values()), ()))
        if (
            encoded.ndim != 2
            or len(encoded) != rows
            or encoded.shape[1] != (self.width or encoded.shape[1])
        ):
            raise ModelError(
                f"{name} gave {tuple(encoded.shape)} for {rows} rows; needed is "
                f"({rows}, {self.width or 'D'})"
            )
        return encoded


@dataclass(frozen=True, kw_only=True, eq=False)
class TorchModel:
    """Weights, factory and encoder of one classifier; see the module's page.

    Attributes:
        weights: the safetensors file.
        factory: builds the module.
        args: passed to the factory.
        encoder: makes the module's input.
        width: D.
        classes: (C,) names, in the order of the logits.
        state: the file ``encoder.state`` was read from, or None.
    """

    weights: Path
    factory: Code
    args: Mapping[str, object]
    encoder: Encoder
    width: int
    classes: tuple[str, ...]
    state: Path | None

    @classmethod
    def open(  # noqa: PLR0913  # the options of the audit file's table
        cls,
        source: str,
        *,
        base: Path,
        factory: str,
        classes: Sequence[str],
        args: Mapping[str, object] | None = None,
        inputs: Sequence[str] = (),
        width: int | None = None,
        encode: str | None = None,
        state: str | None = None,
    ) -> Self:
        """Find the files, refuse the dangerous ones, and read the digests.

        Args:
            source: a ``.safetensors`` file, relative to ``base``.
            base: folder of the audit file; code and state are looked for there too.
            factory: ``module:function``.
            classes: names, in the order of the logits.
            args: further arguments of the factory.
            inputs: the columns to show, in order; empty for those of the audit file.
            width: D; needed unless ``inputs`` are stacked as they are.
            encode: ``module:function``, or None for numeric columns.
            state: a JSON file that is handed to ``encode``.

        Raises:
            ModelError: naming the file or option, its value and the next step.
        """
        names = tuple(map(str, classes))
        if isinstance(classes, str) or len(set(names)) < max(2, len(names)):
            raise ModelError(f"classes must be a list of two or more different names: {classes!r}")
        columns = (inputs,) if isinstance(inputs, str) else tuple(inputs)
        if width is None and (encode is not None or not columns):
            raise ModelError(
                f"{source}: say how many numbers the module reads per row, e.g. width = 64"
                + ("" if encode is not None else ", or name the columns: inputs = [...]")
            )
        weights = _weights(source, base)
        state_path = None if state is None else base / state
        return cls(
            weights=weights,
            factory=resolve(factory, base),
            args=dict(args or {}),
            encoder=Encoder(
                columns=columns,
                function=None if encode is None else resolve(encode, base),
                state={} if state_path is None else read_state(state_path),
                width=width or len(columns),
            ),
            width=width or len(columns),
            classes=names,
            state=state_path,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The input columns, in order; empty for those of the audit file."""
        return self.encoder.columns

    def identity(self) -> Mapping[str, str]:
        """Digests of weights, code and state, and everything else the logits depend on."""
        encode = self.encoder.function
        return {
            "adapter": ADAPTER,
            "weights": file_digest(self.weights),
            "factory": f"{self.factory.name} {self.factory.digest}",
            "args": json.dumps(self.args, sort_keys=True, default=str),
            "encode": "" if encode is None else f"{encode.name} {encode.digest}",
            "state": "" if self.state is None else file_digest(self.state),
            "inputs": json.dumps(self.columns),
            "width": str(self.width),
            "classes": json.dumps(self.classes),
            "dtype": "float32",
            "torch": version("torch"),
            **{name: version(name) for name in LIBRARIES.get(self.factory.name, ())},
        }

    def predict(self, columns: Columns) -> Outputs:
        """Logits of N rows, in eval mode and without gradients; NaN passes through."""
        import torch

        with torch.inference_mode():
            values = logits(self._module, self.encoder(columns), self.factory, len(self.classes))
        return Outputs(values=values.numpy(), space="logits")

    def parameters(self) -> int:
        """Number of trainable and frozen weights; shared ones count once, buffers do not."""
        return sum(parameter.numel() for parameter in self._module.parameters())

    def size(self) -> int:
        """Bytes of the weights, the state and the code files beside them."""
        code = {c.name.partition(":")[0]: c.source or b"" for c in self._codes()}
        state = 0 if self.state is None else self.state.stat().st_size
        return self.weights.stat().st_size + state + sum(map(len, code.values()))

    def _codes(self) -> Iterator[Code]:
        yield self.factory
        if self.encoder.function is not None:
            yield self.encoder.function

    def module(self) -> "torch.nn.Module":
        """The module with its weights, built anew: what is done to it changes no answer here."""
        module = build(self.factory, width=self.width, classes=len(self.classes), args=self.args)
        load_weights(module, self.weights, self.factory)
        return module.eval().requires_grad_(requires_grad=False)

    @cached_property
    def _module(self) -> "torch.nn.Module":
        return self.module()


def build(
    factory: Code, *, width: int, classes: int, args: Mapping[str, object]
) -> "torch.nn.Module":
    """Call the factory; its weights are float32 whatever it made.

    Raises:
        ModelError: if it fails, or returns another thing than a module.
    """
    import torch

    taken = {"inputs", "classes"} & args.keys()
    if taken:
        raise ModelError(f"{factory.name}: args may not hold {taken.pop()!r}; kdaudit passes it")
    module = factory(inputs=width, classes=classes, **args)
    if not isinstance(module, torch.nn.Module):
        raise ModelError(
            f"{factory.name} must return a torch.nn.Module, got {type(module).__name__}"
        )
    return module.float()


def load_weights(module: "torch.nn.Module", path: Path, factory: Code) -> None:
    """Put a file's tensors into a module: all of them, and no other.

    Raises:
        ModelError: if the file is no safetensors file, or does not fit the module.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path.name} is not a safetensors file ({error}); write it with "
            "safetensors.torch.save_file(module.state_dict(), ...)"
        ) from error
    expected = module.state_dict()
    lacking = sorted(expected.keys() - tensors.keys())
    extra = sorted(tensors.keys() - expected.keys())
    other = [
        f"{name} is {tuple(tensors[name].shape)}, not {tuple(expected[name].shape)}"
        for name in expected
        if name in tensors and tensors[name].shape != expected[name].shape
    ]
    if lacking or extra or other:
        problem = (
            other[0]
            if other
            else f"it lacks {lacking[0]}"
            if lacking
            else f"it also holds {extra[0]}"
        )
        raise ModelError(
            f"{path.name} does not fit what {factory.name} builds: {problem} "
            f"({len(lacking)} missing, {len(extra)} unexpected, {len(other)} of another shape); "
            "give the factory, args, width and classes it was trained with"
        )
    module.load_state_dict(tensors)


def logits(
    module: "torch.nn.Module", encoded: "torch.Tensor", factory: Code, classes: int
) -> "torch.Tensor":
    """Run a module on (N, D) inputs and check that (N, C) logits come back.

    Raises:
        ModelError: if its own code fails, or answers with another thing.
    """
    import torch

    try:
        answer = module(encoded)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise ModelError(
            f"the module of {factory.name} failed on inputs {tuple(encoded.shape)}: {said(error)}"
        ) from error
    expected = (len(encoded), classes)
    if not isinstance(answer, torch.Tensor) or tuple(answer.shape) != expected:
        got = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        raise ModelError(
            f"the module of {factory.name} must return logits of shape {expected}, got {got}"
        )
    return answer


def read_state(path: Path) -> Mapping[str, Any]:
    """What an encoder was fitted to.

    Raises:
        ModelError: if the file is no JSON object.
    """
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"the state file {path.name} cannot be read as JSON: {error}") from error
    if not isinstance(state, dict):
        raise ModelError(f"the state file {path.name} must hold a JSON object")
    return state


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run PyTorch on ``count`` threads for a while: speed and the last bit depend on it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _weights(source: str, base: Path) -> Path:
    path = base / source
    if path.suffix.lower() in PICKLES:
        raise ModelError(
            f"{source} is a pickle, and opening a pickle runs whatever code it holds; save the "
            "weights with safetensors.torch.save_file(module.state_dict(), "
            f"{path.with_suffix('.safetensors').name!r}) and name that file"
        )
    if path.suffix.lower() != ".safetensors":
        raise ModelError(
            f"{source}: weights are read from a .safetensors file, not {path.suffix!r}"
        )
    if not path.is_file():
        raise ModelError(f"there is no file {source} (looked in {base.resolve()})")
    return path


def _tensor(value: object, name: str) -> "torch.Tensor":
    import torch

    try:
        return torch.from_numpy(np.array(value, dtype=np.float32))
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{name} returned {type(value).__name__}; needed is a float32 array (N, D)"
        ) from error
