"""The batches that a model takes: which inputs, padded how, and what may stand beside each other in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from .task_loss import logits_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .encoded_split import EncodedSplit

_LENGTHS = "lengths"
"""The width of each row of a batch whose rows must not be padded to that of the longest."""

PaddingSide = Literal["left", "right"]


@dataclass(frozen=True)
class BatchFormat:
    """The batches that a model takes. Called with rows of a split, it makes one."""

    pad_token_id: int = 0
    side: PaddingSide = "right"
    """The side on which rows are padded."""
    inputs: tuple[str, ...] = ("attention_mask",)
    """The inputs that `forward` takes besides `input_ids`."""
    widths: Literal["longest", "own", "stored"] = "longest"
    """The width that a row is computed with.

    `longest`: that of the longest row of the batch, because padding changes nothing. `own`: its own, because padding
    would change its result. `stored`: the one with which it is stored, padding at its end included, for the same
    reason.
    """
    multiple: int = 1
    """Widths are rounded up to a multiple of this, because the model takes no others."""
    preferred_multiple: int = 1
    """Widths are rounded up to a multiple of this where padding changes nothing, because the device is faster then."""
    limit: int | None = None
    """The largest width that `preferred_multiple` may lead to; `None` if the model has no limit near."""

    def __call__(self, rows: EncodedSplit) -> dict[str, torch.Tensor]:
        """Stack `rows` into the model's inputs, of shape (batch, tokens), and `labels` (batch, ...)."""
        own = self._own_widths(rows)
        width = int(own.max())
        if self.widths == "longest":
            preferred = _round_up(width, self.preferred_multiple)
            width = preferred if self.limit is None else max(min(preferred, self.limit), width)
        batch = {"input_ids": self._pad(rows, rows.tokens, width, self.pad_token_id)}
        if "attention_mask" in self.inputs:
            batch["attention_mask"] = self._pad(rows, 1 if rows.mask is None else rows.mask, width, 0)
        if "token_type_ids" in self.inputs and rows.types is not None:
            batch["token_type_ids"] = self._pad(rows, rows.types, width, 0)
        if self.widths != "longest":
            batch[_LENGTHS] = torch.from_numpy(own)
        return {**batch, "labels": torch.tensor(rows.labels)}

    def logits(self, model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits of a batch, of shape (batch, logits); rows that must not be padded go by their width."""
        widths = inputs.get(_LENGTHS)
        inputs = {name: tensor for name, tensor in inputs.items() if name != _LENGTHS}
        if widths is None:
            return logits_of(model(**inputs))
        parts, order = [], []
        for width in widths.unique().tolist():
            chosen = (widths == width).nonzero().view(-1)
            cut = slice(None, width) if self.side == "right" else slice(inputs["input_ids"].shape[1] - width, None)
            parts.append(logits_of(model(**{name: tensor[chosen, cut] for name, tensor in inputs.items()})))
            order.append(chosen)
        return torch.cat(parts)[torch.cat(order).argsort()]

    def predict(self, model: Any, rows: EncodedSplit) -> torch.Tensor:
        """Return the logits of rows in fp32 on the CPU, without gradients: shape (rows, logits)."""
        batch = {name: tensor.to(model.device) for name, tensor in self(rows).items() if name != "labels"}
        with torch.no_grad():
            return self.logits(model, batch).float().cpu()

    def _own_widths(self, rows: EncodedSplit) -> NDArray[np.int64]:
        lengths = rows.stored_lengths if self.widths == "stored" else rows.lengths
        return _round_up(lengths, self.multiple)

    def _pad(self, rows: EncodedSplit, values: NDArray[Any] | int, width: int, fill: int) -> torch.Tensor:
        """Return the values of all rows, or the one of all tokens, padded to `width`: shape (batch, width)."""
        lengths = rows.lengths[:, None]
        position = np.arange(width)
        if self.side == "left":
            position = position - (width - lengths)
        padded = np.full((len(rows), width), fill, dtype=np.int64)
        padded[(position >= 0) & (position < lengths)] = values
        return torch.from_numpy(padded)


def _round_up(length: Any, multiple: int) -> Any:
    return -(-length // multiple) * multiple


def select_rows(splits: Sequence[EncodedSplit]) -> list[EncodedSplit]:
    """Return the shortest row, one of medium length and the longest row of all splits, each alone."""
    order = np.argsort(np.concatenate([split.lengths for split in splits]), kind="stable")
    chosen = dict.fromkeys([int(order[0]), int(order[len(order) // 2]), int(order[-1])])
    ends = np.cumsum([len(split) for split in splits])
    owners = np.searchsorted(ends, list(chosen), side="right").tolist()
    places = [row - int(ends[owner]) + len(splits[owner]) for row, owner in zip(chosen, owners, strict=True)]
    return [splits[owner].__getitems__([place]) for owner, place in zip(owners, places, strict=True)]
