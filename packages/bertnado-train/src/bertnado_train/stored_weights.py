"""Whether the weights of a model are those that are stored: what is new, left over or different."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from bertnado_config import read_json
from safetensors import safe_open
from transformers.utils.hub import cached_file

from .transformers4_code import names_of_shared_parameters

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from torch import nn

_MOST_NEW = 0.1
"""The largest share of a model's parameters that may be new or left over without permission."""

_NAMES_SHOWN = 4

_OTHER_HEAD = re.compile(r"pooler|(^|\.|_)head(\.|$)")
"""Parts that a pretraining objective has and a classifier does not, or the other way round."""

_CHECKPOINTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""The files that `save_pretrained` writes, in the order in which `from_pretrained` looks for them."""


@dataclass(frozen=True)
class WeightReport:
    """The parameters below the head that are not what is stored, by name, and their shares of all that are."""

    new: tuple[str, ...]
    """Parameters that are not stored, or with another shape; a pooler is not among them."""
    new_share: float
    """Their share of the parameters below the head, from 0 to 1."""
    left_over: tuple[str, ...]
    """Stored parameters of the same part that the model has no place for."""
    left_over_share: float
    """Their share of the stored parameters."""
    different: tuple[str, ...]
    """Stored tensors, of the head as well, whose values are not those of the model."""
    different_share: float
    """Their share of the stored parameters."""

    @property
    def is_alarming(self) -> bool:
        """Whether so much is new, left over or different that training would start from another model."""
        return max(self.new_share, self.left_over_share, self.different_share) >= _MOST_NEW

    @property
    def message(self) -> str | None:
        """What is new and left over; `None` if nothing is."""
        parts: list[str] = []
        if self.new:
            parts.append(f"{self.new_share:.1%} of its parameters are new, with random values: {_shown(self.new)}")
        if self.left_over:
            parts.append(
                f"{self.left_over_share:.1%} of the stored parameters are left over, unused: {_shown(self.left_over)}"
            )
        if self.different:
            named = _shown(self.different)
            parts.append(f"{self.different_share:.1%} of the stored parameters have other values in it: {named}")
        return "; ".join(parts) or None


def report_weights(
    model: nn.Module,
    loading: Mapping[str, Any],
    stored: Iterable[tuple[str, torch.Tensor]],
    *,
    has_head: bool = True,
) -> WeightReport:
    """Compare a model with what was stored of it.

    Args:
        model: The model that was loaded.
        loading: The `missing_keys`, `unexpected_keys` and `mismatched_keys` of `from_pretrained`.
        stored: The tensors of the checkpoint by their stored names, see `stored_tensors`.
        has_head: Whether a part of the model is the head, which may be new.
    """
    state = model.state_dict()
    prefix = f"{getattr(model, 'base_model_prefix', '')}."
    sizes: dict[str, int] = {}
    different: list[str] = []
    for name, tensor in stored:
        sizes[name] = tensor.numel()
        loaded = state.get(name, state.get(prefix + name, state.get(name.removeprefix(prefix))))
        if loaded is not None and loaded.shape == tensor.shape and not _equal(loaded, tensor):
            different.append(name)
    parts = _backbone_parts(model)
    below = [name for name in state if not has_head or name.split(".")[0] in parts]
    missing = set(loading["missing_keys"]) - _shared_with_loaded(model, loading)
    new = {*missing, *(name for name, *_ in loading["mismatched_keys"])}
    lost = [name for name in below if name in new and not _OTHER_HEAD.search(name)]
    total = sum(state[name].numel() for name in below) or 1
    prefixes = {name.split(".")[0] for name in below}
    # The backbone may be stored without its prefix: then its own children are the first parts of stored names.
    prefixes |= {name.split(".")[1] for name in below if "." in name}
    left = [name for name in loading["unexpected_keys"] if name.split(".")[0] in prefixes]
    left = sorted(name for name in left if not _OTHER_HEAD.search(name))
    stored_total = sum(sizes.values()) or total
    return WeightReport(
        new=tuple(lost),
        new_share=sum(state[name].numel() for name in lost) / total,
        left_over=tuple(left),
        left_over_share=sum(sizes.get(name, 0) for name in left) / stored_total,
        different=tuple(different),
        different_share=sum(sizes[name] for name in different) / stored_total,
    )


def stored_tensors(model_name: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors of a model's checkpoint with their stored names, one file after the other."""
    for file in _checkpoint_files(model_name):
        if file.suffix == ".safetensors":
            with safe_open(file, framework="pt") as tensors:
                yield from ((name, tensors.get_tensor(name)) for name in tensors.keys())  # noqa: SIM118 (it is no mapping)
        else:
            yield from torch.load(file, map_location="cpu", weights_only=True, mmap=_is_zip(file)).items()


def has_checkpoint(model_name: str) -> bool:
    """Return whether weights are stored for a model."""
    return bool(_checkpoint_files(model_name))


def _checkpoint_files(model_name: str) -> list[Path]:
    found = (cached_file(model_name, name, _raise_exceptions_for_missing_entries=False) for name in _CHECKPOINTS)
    first = next((Path(file) for file in found if file), None)
    if first is None or first.suffix != ".json":
        return [first] if first else []
    return [first.with_name(name) for name in sorted(set(read_json(first)["weight_map"].values()))]


def _is_zip(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(2) == b"PK"


def _backbone_parts(model: nn.Module) -> Collection[str]:
    """Return the names of the parts of a model that are not its head.

    They are what the model declares as its base, or everything but the last part that has parameters.
    """
    base = getattr(model, "base_model_prefix", "")
    parts = [name for name, part in model.named_children() if any(True for _ in part.parameters())]
    if base in parts:
        return {base}
    return {*parts[:-1], *(name for name, _ in model.named_parameters(recurse=False))}


def _shared_with_loaded(model: nn.Module, loading: Mapping[str, Any]) -> set[str]:
    """Return the missing names of parameters that are stored under another name."""
    missing = set(loading["missing_keys"])
    groups = names_of_shared_parameters(model)
    return {name for names in groups if set(names) - missing for name in names if name in missing}


def _equal(loaded: torch.Tensor, stored: torch.Tensor) -> bool:
    """Return whether values are equal, NaN and precision aside."""
    return torch.equal(loaded.nan_to_num(), stored.to(loaded.dtype).nan_to_num())


def _shown(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
