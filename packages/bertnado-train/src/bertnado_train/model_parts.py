"""The parts of a sequence classifier: embeddings, layers, head, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from .pooled_head import PooledForSequenceClassification

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from transformers import PreTrainedModel

_POOLER = "pooler"
"""The module of the head that BERT and its kin keep in the model below: what a classifier reads of all tokens."""


@dataclass(frozen=True)
class ModelParts:
    """The names of the modules that are the parts of a model. No module contains another."""

    embeddings: tuple[str, ...]
    """What tokens pass before the first layer."""
    layers: tuple[str, ...]
    """The layers, the one next to the embeddings first; empty for a model that does not list them."""
    head: tuple[str, ...]
    """The classifier, with the pooler of a model that has one: everything that follows the last hidden states."""

    def is_in_embeddings(self, name: str) -> bool:
        """Return whether a parameter belongs to the embeddings."""
        return _is_in_any(name, self.embeddings)

    def is_in_head(self, name: str) -> bool:
        """Return whether a parameter belongs to the head."""
        return _is_in_any(name, self.head)

    def layer_of(self, name: str) -> int | None:
        """Return the number of the layer that a parameter belongs to, from 0; `None` if it belongs to none."""
        return next((number for number, layer in enumerate(self.layers) if _is_in(name, layer)), None)


def find_parts(model: PreTrainedModel) -> ModelParts:
    """Return the parts of a model with a classifier, by its structure.

    The layers are the longest list of modules, by its number of weights, below the head. Embeddings are the modules
    before them, and all other lookups of tokens or positions outside of layers and head.
    """
    backbone = _backbone_of(model)
    inner = tuple(name for name in _trained_children(model) if name in backbone)
    layers = _layers_of(model, inner)
    poolers = (f"{name}.{_POOLER}" for name in inner if _POOLER in _trained_children(model.get_submodule(name)))
    if isinstance(model, PooledForSequenceClassification):
        poolers = ()  # it reads the last hidden states, before the pooler
    head = (*(name for name in _trained_children(model) if name not in backbone), *poolers)
    if not head:  # all of it is one module: its last linear layer is the classifier
        linear = (name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear))
        head = tuple(linear)[-1:]
    embeddings = tuple(_embeddings_of(model, inner, layers, head))
    return ModelParts(embeddings, layers, head)


def _backbone_of(model: PreTrainedModel) -> tuple[str, ...]:
    """Return the children of a model that are below its head."""
    prefix = model.base_model_prefix
    children = _trained_children(model)
    if prefix in children and len(children) > 1:
        return (prefix,)
    hidden = [name for name in children if any(map(_is_hidden, model.get_submodule(name).modules()))]
    return tuple(children[: children.index(hidden[-1]) + 1]) if hidden else ()


def _is_hidden(module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.Embedding | torch.nn.ModuleList)


def _trained_children(model: torch.nn.Module) -> list[str]:
    return [name for name, child in model.named_children() if _has_weights(child)]


def _layers_of(model: torch.nn.Module, inner: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the modules in the largest list below the head."""
    lists: dict[str, torch.nn.ModuleList] = {}
    for name, module in _below(model, inner):
        if isinstance(module, torch.nn.ModuleList) and not _is_in_any(name, lists):
            lists[name] = module
    if not lists:
        return ()
    largest = max(lists, key=lambda name: sum(weight.numel() for weight in lists[name].parameters()))
    return tuple(f"{largest}.{number}" for number in range(len(lists[largest])))


def _embeddings_of(
    model: torch.nn.Module, inner: Iterable[str], layers: tuple[str, ...], head: tuple[str, ...]
) -> Iterator[str]:
    """Yield the modules before the layers, and those that look something up, unless they contain another part."""
    found: list[str] = []
    is_before = bool(layers)
    for name, module in _below(model, inner):
        if _is_in_any(name, (*found, *layers, *head)):
            is_before = is_before and name not in layers
            continue
        contains_others = any(_is_in(other, name) for other in (*layers, *head))
        looks_up = any(isinstance(part, torch.nn.Embedding) for part in module.modules())
        if not contains_others and (looks_up or is_before) and _has_weights(module):
            found.append(name)
            yield name


def _below(model: torch.nn.Module, inner: Iterable[str]) -> Iterator[tuple[str, torch.nn.Module]]:
    """Yield the modules within some children, in the order in which they were made."""
    for child in inner:
        for name, module in model.get_submodule(child).named_modules():
            yield (f"{child}.{name}" if name else child), module


def _has_weights(module: torch.nn.Module) -> bool:
    return any(True for _ in module.parameters())


def _is_in_any(name: str, modules: Iterable[str]) -> bool:
    return any(_is_in(name, module) for module in modules)


def _is_in(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")
