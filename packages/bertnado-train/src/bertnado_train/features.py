"""What the head of a model reads of its backbone, for each row of a split, and batches of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .batch_format import BatchFormat
from .encoded_split import EncodedSplit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .backbone_outputs import Replay

_FEATURES = "features"


@dataclass(frozen=True, eq=False)
class FeatureSplit(EncodedSplit):
    """A split with what the head reads of each row."""

    features: NDArray[Any] | None = None
    """Shape (rows, width); (tokens, width) for heads that read all tokens. bfloat16 as the int16 of the same bits."""
    dtype: torch.dtype = torch.float32
    """The type of the features."""
    has_all_tokens: bool = False

    @classmethod
    def of(
        cls, rows: EncodedSplit, features: NDArray[Any], dtype: torch.dtype, *, has_all_tokens: bool
    ) -> FeatureSplit:
        """Add the features of its rows to a split."""
        return cls(**_values(rows), features=features, dtype=dtype, has_all_tokens=has_all_tokens)

    @property
    def tensor(self) -> torch.Tensor:
        """The features in their own type."""
        assert self.features is not None  # noqa: S101  (see `of`)
        return torch.from_numpy(self.features).view(self.dtype)

    def joined(self, other: EncodedSplit) -> FeatureSplit:
        """Return the rows of both splits with their features, these first."""
        assert self.features is not None and isinstance(other, FeatureSplit)  # noqa: S101, PT018  (see `of`)
        assert other.features is not None  # noqa: S101  (see `of`)
        features = np.concatenate([self.features, other.features])
        return FeatureSplit.of(super().joined(other), features, self.dtype, has_all_tokens=self.has_all_tokens)

    def __getitems__(self, indices: Sequence[int]) -> FeatureSplit:
        """Return the rows at `indices`, in that order, with their features."""
        assert self.features is not None  # noqa: S101  (see `of`)
        chosen = np.asarray(indices, dtype=np.int64)
        places = self.places_of(chosen)[0] if self.has_all_tokens else chosen
        rows = super().__getitems__(indices)
        return FeatureSplit.of(rows, self.features[places], self.dtype, has_all_tokens=self.has_all_tokens)


def _values(rows: EncodedSplit) -> dict[str, Any]:
    return {field.name: getattr(rows, field.name) for field in fields(EncodedSplit)}


@dataclass(frozen=True)
class FeatureFormat(BatchFormat):
    """Batches of a `FeatureSplit`, for a model whose backbone gives the features back.

    If one vector a row is enough, rows have a single token that stands for it, so that whatever the head does with all
    tokens of a row, it does with this one.
    """

    replay: Replay | None = None

    @classmethod
    def of(cls, batch_format: BatchFormat, replay: Replay) -> FeatureFormat:
        """Return the format of batches of features that stand for batches of a model."""
        return cls(**{field.name: getattr(batch_format, field.name) for field in fields(BatchFormat)}, replay=replay)

    def __call__(self, rows: EncodedSplit) -> dict[str, torch.Tensor]:
        """Stack the features of `rows` as well: (batch, tokens, width)."""
        assert isinstance(rows, FeatureSplit)  # noqa: S101  (it collates no others)
        batch = super().__call__(rows)
        if rows.has_all_tokens:
            return {**batch, _FEATURES: self._pad_features(rows, batch["input_ids"].shape[1])}
        last = rows.tokens[rows.starts[1:] - 1].astype(np.int64)
        batch["input_ids"] = torch.from_numpy(last)[:, None]
        if "attention_mask" in batch:
            batch["attention_mask"] = torch.ones_like(batch["input_ids"])
        if "token_type_ids" in batch:
            batch["token_type_ids"] = torch.zeros_like(batch["input_ids"])
        return {**batch, _FEATURES: rows.tensor[:, None]}

    def logits(self, model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits of a batch, of shape (batch, logits)."""

        def run(**part: torch.Tensor) -> Any:
            assert self.replay is not None  # noqa: S101  (see `of`)
            self.replay.features = part.pop(_FEATURES)
            return model(**part)

        return super().logits(run, inputs)

    def flat(self, rows: EncodedSplit, features: torch.Tensor, *, has_all_tokens: bool) -> torch.Tensor:
        """Return the features of a batch without padding: (tokens, width), or (rows, width) of one vector a row."""
        features = features.cpu()
        return features[self._is_token(rows, features.shape[1])] if has_all_tokens else features[:, 0]

    def _pad_features(self, rows: FeatureSplit, width: int) -> torch.Tensor:
        values = rows.tensor
        padded = torch.zeros(len(rows), width, values.shape[1], dtype=values.dtype)
        padded[self._is_token(rows, width)] = values
        return padded

    def _is_token(self, rows: EncodedSplit, width: int) -> torch.Tensor:
        """Return where tokens of rows are in a batch, and not padding: shape (batch, width)."""
        return self._pad(rows, np.ones(len(rows.tokens), np.uint8), width, 0).bool()


def array_of(features: torch.Tensor) -> NDArray[Any]:
    """Return features as an array; numpy has no bfloat16."""
    return (features.view(torch.int16) if features.dtype == torch.bfloat16 else features).numpy()
