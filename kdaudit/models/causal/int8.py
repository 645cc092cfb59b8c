"""Linear layers in 8 bits: weights once, by output; activations as they come, by token.

Each token has a scale of its own, so that no answer depends on the rows beside it.
"""

import torch
from torch import Tensor, nn

from kdaudit.errors import ModelError

LARGEST = 127


class Int8Linear(nn.Module):
    """A linear layer with (O, I) weights of 8 bits; products are added up as whole numbers."""

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        wide = weight.detach().float()
        scale = _scale(wide)
        self.register_buffer("weight", _rounded(wide, scale).contiguous())
        self.register_buffer("scale", scale[:, 0])
        self.register_buffer("bias", None if bias is None else bias.detach().float())

    def forward(self, inputs: Tensor) -> Tensor:
        """(…, I) to (…, O), in the dtype of the inputs."""
        flat = inputs.flatten(0, -2).float()
        scale = _scale(flat)
        # Quantised tensors of PyTorch are deprecated (pytorch issue 184982); this is the kernel
        # that their successor, torchao, calls.
        whole = torch._int_mm(_rounded(flat, scale), self.weight.t())  # noqa: SLF001
        made = whole.float() * scale * self.scale
        if self.bias is not None:
            made = made + self.bias
        return made.to(inputs.dtype).reshape(*inputs.shape[:-1], -1)


def quantize(model: nn.Module, name: str) -> nn.Module:
    """Replace every linear layer of a model, its head included; embeddings stay as they are.

    Raises:
        ModelError: for a model without linear layers.
    """
    from transformers.pytorch_utils import Conv1D

    layers = {at: layer for at, layer in model.named_modules() if isinstance(layer, nn.Linear)}
    turned = {at: layer for at, layer in model.named_modules() if isinstance(layer, Conv1D)}
    if not layers and not turned:
        raise ModelError(f'{name} has no linear layers, so quantize = "int8" changes nothing')
    for at, layer in layers.items():
        model.set_submodule(at, Int8Linear(layer.weight, layer.bias))
    for at, other in turned.items():
        model.set_submodule(at, Int8Linear(other.weight.t(), other.bias))
    return model


def _scale(values: Tensor) -> Tensor:
    """(R, 1) what one step is worth in each row."""
    return values.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / LARGEST


def _rounded(values: Tensor, scale: Tensor) -> Tensor:
    return (values / scale).round().clamp(-LARGEST, LARGEST).to(torch.int8)
