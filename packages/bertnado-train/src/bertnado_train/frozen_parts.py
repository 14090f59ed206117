"""Freezing parts of a model: their weights stay as they are, and they compute as in an evaluation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import MethodType
from typing import TYPE_CHECKING, Any

from .model_parts import ModelParts, find_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn
    from transformers import PreTrainedModel

    from .parameters.freeze_names import Freeze


@dataclass(frozen=True)
class TrainedParts:
    """What training changes of a model, and what it leaves as it is."""

    trained: tuple[str, ...]
    """The largest modules, and the parameters outside of them, all of whose weights are trained."""
    frozen: tuple[str, ...]
    """The same of those that are not."""
    trained_weights: int
    """The number of weights that are trained."""
    weights: int
    """The number of weights of the model, adapters included."""

    @classmethod
    def of(cls, model: nn.Module) -> TrainedParts:
        """Describe a model that is ready to be trained; a weight that has two names counts once."""
        counts = {weight: weight.numel() for weight in model.parameters()}
        return cls(
            tuple(_largest(model, lambda weight: weight.requires_grad)),
            tuple(_largest(model, lambda weight: not weight.requires_grad)),
            sum(count for weight, count in counts.items() if weight.requires_grad),
            sum(counts.values()),
        )

    def to_record(self) -> dict[str, Any]:
        """Return the description, ready for JSON."""
        return asdict(self)


def freeze_parts(model: PreTrainedModel, freeze: Freeze) -> None:
    """Freeze a part of a model.

    Frozen weights require no gradient. Frozen modules stay in evaluation mode, whatever `train` is called with: their
    dropout is off, and their batch normalisation keeps its statistics.

    Raises:
        ValueError: The model does not have that part, or not so many layers.
    """
    if freeze == "none":
        return
    parts = find_parts(model)
    is_frozen = _part_to_freeze(parts, freeze)
    for name, weight in model.named_parameters():
        if is_frozen(name):
            weight.requires_grad_(False)
    for name, module in model.named_modules():
        if is_frozen(name) and _is_below(model, name):
            module.training = False
            module.train = MethodType(_train_children, module)


def _part_to_freeze(parts: ModelParts, freeze: Freeze) -> Callable[[str], bool]:
    """Return a function that returns whether the module or the parameter of a name is to be frozen.

    Raises:
        ValueError: The model does not have that part.
    """
    if freeze == "backbone":
        return lambda name: not parts.is_in_head(name)
    if not parts.embeddings:
        raise ValueError(f"freeze must be none or backbone, because the model has no embeddings, got {freeze}")
    if freeze == "embeddings":
        return parts.is_in_embeddings
    layers = int(freeze)
    if not parts.layers:
        raise ValueError(
            f"freeze must be none, embeddings or backbone, because the model does not list its layers, got {freeze}"
        )
    if layers > len(parts.layers):
        raise ValueError(f"freeze must be at most {len(parts.layers)}, the number of the model's layers, got {freeze}")

    def is_frozen(name: str) -> bool:
        layer = parts.layer_of(name)
        return parts.is_in_embeddings(name) or (layer is not None and layer < layers)

    return is_frozen


def _is_below(model: nn.Module, name: str) -> bool:
    """Return whether a module belongs to a part with weights; dropout beside such parts belongs to the head."""
    child, _, _ = name.partition(".")
    return bool(child) and any(True for _ in model.get_submodule(child).parameters())


def _train_children(module: nn.Module, mode: bool = True) -> nn.Module:
    """Set the mode of the parts of a frozen module, a trained pooler for example, and not its own."""
    for child in module.children():
        child.train(mode)
    return module


def _largest(module: nn.Module, agrees: Callable[[nn.Parameter], bool], name: str = "") -> Iterator[str]:
    """Yield the names of the largest modules all of whose parameters agree, and of single parameters that do."""
    found = [agrees(weight) for weight in module.parameters()]
    if name and found and all(found):
        yield name
        return
    prefix = f"{name}." if name else ""
    for own, weight in module.named_parameters(prefix=name, recurse=False):
        if agrees(weight):
            yield own
    for child, inner in module.named_children():
        yield from _largest(inner, agrees, prefix + child)
