"""What a model takes, found by running it on a few rows: alone, together, and as they are stored."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .batch_format import BatchFormat, select_rows
from .encoded_split import EncodedSplit
from .label_scaling import NO_OUTPUT_LAYER, find_output_layer
from .loading_errors import first_line
from .model_parts import ModelParts, find_parts
from .task_loss import agree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from transformers import PreTrainedModel

    from .batch_format import PaddingSide

_MULTIPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_TENSOR_CORE_MULTIPLE = 8
"""Tensor cores are fastest on sizes that are multiples of this.

https://docs.nvidia.com/deeplearning/performance/dl-performance-matrix-multiplication/
"""
_ROUNDING = 1e-3
"""The largest difference of logits, as a share of the largest of them, that counts as rounding in fp32."""


@dataclass(frozen=True)
class ModelProbe:
    """What running a model on a few rows showed."""

    format: BatchFormat = field(default_factory=BatchFormat)
    """The batches that it takes."""
    longest: int | None = None
    """The most tokens that a row may have; `None` if the longest row of the dataset is not too long."""
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    """Values of its configuration that running it changed for good."""
    problems: tuple[str, ...] = ()
    """Why no trial can train it."""
    notes: tuple[str, ...] = ()
    """What differs from an ordinary batch or model, for the user."""
    parts: ModelParts = field(default_factory=lambda: ModelParts((), (), ()))
    """The parts of the model; none if it cannot be trained."""
    output_layer: str | None = None
    """The linear layer whose outputs are the logits, see `find_output_layer`; `None` if it was not looked for."""


class _RunError(Exception):
    """The model cannot be run on a batch."""


def probe_model(
    model: PreTrainedModel,
    splits: Sequence[EncodedSplit],
    *,
    pad_token_id: int,
    side: PaddingSide,
    logits: int,
    finds_output_layer: bool = False,
) -> ModelProbe:
    """Run a model on the shortest, a medium and the longest row, and find out which batches it takes.

    Args:
        model: A copy of the model, on the CPU.
        splits: The splits of the dataset, with tokens that are all in the model's vocabulary.
        pad_token_id: The token to pad with.
        side: The side on which its tokenizer pads.
        logits: The number of logits that the task needs.
        finds_output_layer: Find the layer that mean and standard deviation of the labels can be folded into.
    """
    return _Probe(model, select_rows(splits), BatchFormat(pad_token_id, side), logits, finds_output_layer).run()


class _Probe:
    def __init__(
        self,
        model: PreTrainedModel,
        rows: list[EncodedSplit],
        start: BatchFormat,
        logits: int,
        finds_output_layer: bool,
    ) -> None:
        self._model = model.eval()
        self._rows = rows
        self._format = start
        self._logits = logits
        self._finds_output_layer = finds_output_layer

    def run(self) -> ModelProbe:
        """Try everything; the first that fails ends it."""
        before = _settings(self._model)
        try:
            return self._try(before)
        except _RunError as error:
            return ModelProbe(self._format, problems=(str(error),))

    def _try(self, before: dict[str, Any]) -> ModelProbe:
        self._format = replace(self._format, inputs=self._inputs(), widths="own")
        self._format = replace(self._format, multiple=self._multiple_on_some_device())
        shape = self._shape_problem()
        if shape:
            return ModelProbe(self._format, problems=(shape,))
        longest = self._longest()
        if longest is not None:
            return ModelProbe(self._format, longest)
        notes = self._choose_widths(self._format.side)
        if self._format.multiple > 1:
            notes.append(f"it takes lengths that are multiples of {self._format.multiple}; rows are padded to them")
        if any(row.types is not None for row in self._rows) and "token_type_ids" not in self._format.inputs:
            notes.append("it takes no token_type_ids, so those of the dataset are not used")
        changes = _changes(before, _settings(self._model))
        layer = self._output_layer() if self._finds_output_layer else None
        if self._finds_output_layer and layer is None:
            notes.append(NO_OUTPUT_LAYER)
        parts = find_parts(self._model)
        return ModelProbe(self._format, config=changes, notes=tuple(notes), parts=parts, output_layer=layer)

    def _output_layer(self) -> str | None:
        return find_output_layer(self._model, lambda: torch.cat([self._run(row, self._format) for row in self._rows]))

    def _multiple_on_some_device(self) -> int:
        try:
            return self._multiple()
        except _RunError:
            if not torch.cuda.is_available():
                raise
            torch.nn.Module.to(self._model, "cuda")  # its code may have kernels for a GPU alone
            return self._multiple()

    def _inputs(self) -> tuple[str, ...]:
        """Return the inputs that `forward` takes, as far as the dataset has them."""
        parameters = inspect.signature(self._model.forward).parameters
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        offered = ["attention_mask", *(["token_type_ids"] if any(row.types is not None for row in self._rows) else [])]
        return tuple(name for name in offered if name in parameters or (takes_any and self._hands_on(name)))

    def _hands_on(self, name: str) -> bool:
        """Return whether `forward` takes an input that it does not name."""
        typed = next((row for row in self._rows if row.types is not None), self._rows[0])
        try:
            self._run(typed, replace(self._format, inputs=(name,)))
        except _RunError:
            return False
        return True

    def _multiple(self) -> int:
        """Return the smallest power of 2 to which widths must be rounded.

        If the model takes a width and the next smaller multiple, it takes all of them.
        """
        shortest, longest = self._rows[0], self._rows[-1]
        first: _RunError | None = None
        for multiple in _MULTIPLES:
            fewer = len(shortest.tokens) - multiple
            others = [_cut(shortest, fewer)] if fewer > 0 and len(longest.tokens) > len(shortest.tokens) else []
            try:
                for row in (shortest, *others):
                    self._run(row, replace(self._format, multiple=multiple))
            except _RunError as error:
                first = first or error
            else:
                return multiple
        raise first or _RunError

    def _shape_problem(self) -> str | None:
        found = self._run(self._rows[0], self._format)
        if found.dim() != 2 or found.shape[1] != self._logits:
            made = found.shape[1] if found.dim() == 2 else f"shape {tuple(found.shape)}"
            cure = "; for two classes, {task_type} multiclass_classification fits" if made == 2 else ""
            return f"its head gives {made} logits whatever num_labels says, and this task needs {self._logits}{cure}"
        if not torch.isfinite(found).all():
            return "it gives NaN or infinite logits before any training; download or save it again"
        return None

    def _longest(self) -> int | None:
        """Return the most tokens that the longest row may have; `None` if all of them fit."""
        longest = self._rows[-1]
        if self._fits(longest, len(longest.tokens)):
            return None
        fits, fails = len(self._rows[0].tokens), len(longest.tokens)
        while fails - fits > 1:
            middle = (fits + fails) // 2
            fits, fails = (middle, fails) if self._fits(longest, middle) else (fits, middle)
        return fits

    def _fits(self, row: EncodedSplit, tokens: int) -> bool:
        try:
            self._run(_cut(row, tokens), self._format)
        except _RunError:
            return False
        return True

    def _choose_widths(self, side: PaddingSide) -> list[str]:
        """Keep padding to the longest row if it changes nothing, on either side; otherwise find what agrees."""
        other: PaddingSide = "left" if side == "right" else "right"
        for chosen in (side, other):
            tried = replace(self._format, side=chosen, widths="longest")
            if self._agrees(tried):
                self._format = self._with_preferred_width(tried)
                if chosen == side:
                    return []
                there = f"padding on the {side}, where its tokenizer pads, changes its results"
                return [f"{there}, and on the {other} it does not; batches are padded on the {other}"]
        reason = "padding changes its results" if self._format.inputs else "it takes no attention mask"
        if self._as_stored() is not None:
            self._format = replace(self._format, side="right", widths="stored")
            return [f"{reason}, so rows are used as they are stored, with their padding"]
        return [f"{reason}, so rows of different lengths are not padded: the rows of a batch are computed by length"]

    def _agrees(self, tried: BatchFormat) -> bool:
        """Return whether rows give the same together as alone, and as stored."""
        alone = torch.cat([self._run(row, self._format) for row in self._rows])
        try:
            together = self._run(_join(self._rows), tried)
        except _RunError:
            return False
        stored = self._as_stored()
        found = (together,) if stored is None else (together, stored)
        return all(agree(logits, alone, _ROUNDING) for logits in found)

    def _as_stored(self) -> torch.Tensor | None:
        """Return the logits of rows with their stored padding; `None` without any, or if it exceeds the positions."""
        if all(row.widths is None for row in self._rows):
            return None
        chosen = replace(self._format, side="right", widths="stored")
        try:
            return torch.cat([self._run(row, chosen) for row in self._rows])
        except _RunError:
            return None

    def _with_preferred_width(self, chosen: BatchFormat) -> BatchFormat:
        """Round widths up where a GPU is faster then, as far as the model's positions allow."""
        if not torch.cuda.is_available():
            return chosen
        rounded = replace(chosen, preferred_multiple=_TENSOR_CORE_MULTIPLE)
        longest = self._rows[-1]
        try:
            self._run(longest, rounded)
        except _RunError:
            return replace(rounded, limit=len(longest.tokens))
        return rounded

    def _run(self, rows: EncodedSplit, chosen: BatchFormat) -> torch.Tensor:
        try:
            return chosen.predict(self._model, rows)
        except Exception as error:  # its code raises whatever it raises
            raise _RunError(f"it cannot be run on a batch: {first_line(error)}") from error


def _join(rows: Sequence[EncodedSplit]) -> EncodedSplit:
    """Return one split of several single rows."""
    lengths = [len(row.tokens) for row in rows]
    stored = [row.stored_lengths for row in rows]
    return EncodedSplit(
        tokens=np.concatenate([row.tokens for row in rows]),
        mask=np.concatenate([row.attention for row in rows]),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        labels=rows[0].labels[[0] * len(rows)],
        widths=np.concatenate(stored),
        types=_joined_types(rows),
    )


def _joined_types(rows: Sequence[EncodedSplit]) -> NDArray[np.uint8] | None:
    if all(row.types is None for row in rows):
        return None
    return np.concatenate([np.zeros(len(row.tokens), np.uint8) if row.types is None else row.types for row in rows])


def _cut(row: EncodedSplit, tokens: int) -> EncodedSplit:
    """Return a single row cut to so many tokens; its last one, which may close it, stays at its end."""
    return row.shortened(tokens, closing=[int(row.tokens[-1])])


def _settings(model: PreTrainedModel) -> dict[str, Any]:
    """Return the attributes of a model's parts that are named as values of its configuration."""
    names = [name for name, value in model.config.to_dict().items() if isinstance(value, str | int | bool)]
    found: dict[str, Any] = {}
    for place, module in model.named_modules():
        found |= {f"{place}:{name}": vars(module)[name] for name in names if name in vars(module)}
    return found


def _changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that all parts have changed to the same value."""
    changed = {key.partition(":")[2] for key, value in after.items() if key in before and before[key] != value}
    values = {name: [value for key, value in after.items() if key.endswith(f":{name}")] for name in changed}
    return {name: found[0] for name, found in values.items() if all(value == found[0] for value in found)}
