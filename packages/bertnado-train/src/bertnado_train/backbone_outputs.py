"""The outputs of a frozen backbone: captured while the model runs, and given back to its head later."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from .model_parts import find_parts

if TYPE_CHECKING:
    from collections.abc import Generator

    from transformers import PreTrainedModel


class NotSeparableError(Exception):
    """The head cannot be computed from what the backbone has once returned; the message says why."""


def last_backbone_module(model: PreTrainedModel) -> str:
    """Return the name of the module after which there is only the head.

    It is the whole model below the head. If that contains the pooler as well, it is the encoder in it, or the last
    layer of a mere list of layers.

    Raises:
        NotSeparableError: The model does not keep what is below its head in one module.
    """
    head = find_parts(model).head
    below = [name for name, child in model.named_children() if name not in head and _has_weights(child)]
    if len(below) != 1:
        raise NotSeparableError("its code does not keep what is below the head in one module")
    name = below[0]
    while any(part.startswith(f"{name}.") for part in head) or _is_list(model.get_submodule(name)):
        children = ((f"{name}.{child}", inner) for child, inner in model.get_submodule(name).named_children())
        inner = [child for child, module in children if child not in head and _has_weights(module)]
        if not inner:
            raise NotSeparableError("its code does not keep what is below the head in one module")
        name = inner[-1]
    return name


@dataclass
class Capture:
    """One run of a model."""

    output: Any = None
    """What the backbone returned."""
    calls: int = 0
    """The number of times that it was called."""


@contextmanager
def captured(backbone: nn.Module) -> Generator[Capture]:
    """Capture what a backbone returns in the block."""
    found = Capture()

    def keep(_module: nn.Module, _args: Any, output: Any) -> None:
        found.output, found.calls = output, found.calls + 1

    hook = backbone.register_forward_hook(keep)
    try:
        yield found
    finally:
        hook.remove()


class Replay:
    """Stands in for the `forward` of a backbone: gives the features of a batch back in the form of its output."""

    def __init__(self, capture: Capture, leaf: int) -> None:
        """Learn the form of the output.

        Args:
            capture: A run of the model.
            leaf: The tensor of the output that the head reads, counted from 0.

        Raises:
            NotSeparableError: The head cannot be computed from this tensor.
        """
        if capture.calls != 1:
            raise NotSeparableError(f"its code runs the part below the head {capture.calls} times for a batch")
        leaves, self._form = pytree.tree_flatten(capture.output)
        read = leaves[leaf]
        if not isinstance(read, torch.Tensor) or read.dim() not in (2, 3) or not read.is_floating_point():
            raise NotSeparableError("its head does not read hidden states")
        self._leaf, self._size = leaf, len(leaves)
        self.width = read.shape[-1]
        self.has_tokens = read.dim() == 3
        """The backbone returns a vector for each token, not one for each row."""
        self.features: torch.Tensor | None = None
        """What the next call returns: (batch, tokens, width)."""

    def features_of(self, capture: Capture) -> torch.Tensor:
        """Return what the head reads of another run: shape (batch, tokens, width)."""
        read = pytree.tree_leaves(capture.output)[self._leaf]
        return read if self.has_tokens else read[:, None]

    def __call__(self, *_args: Any, **_inputs: Any) -> Any:
        """Return an output with the features, and with nothing else."""
        assert self.features is not None  # noqa: S101  (set before the model is called)
        leaves: list[Any] = [None] * self._size
        leaves[self._leaf] = self.features if self.has_tokens else self.features[:, 0]
        return pytree.tree_unflatten(leaves, self._form)


@contextmanager
def replaced(backbone: nn.Module, replay: Replay) -> Generator[None]:
    """Have a backbone return features instead of computing, in the block. Its weights and names stay."""
    backbone.forward = replay
    try:
        yield
    finally:
        del backbone.forward


def _is_list(module: nn.Module) -> bool:
    return isinstance(module, nn.ModuleList | nn.ModuleDict)


def _has_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())
