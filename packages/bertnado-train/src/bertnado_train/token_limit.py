"""The most tokens of a row to predict, and the treatment of rows with more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from bertnado_config import ArgumentProblem, InvalidInputError

from .batch_format import BatchFormat
from .stored_tokens import framing_tokens
from .token_windows import cut_windows, mean_by_owner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bertnado_config import PredictionOptions
    from numpy.typing import NDArray

    from .encoded_split import EncodedSplit
    from .prediction_model import OpenedModel
    from .sequence_files import SequenceRow

_DECLARED = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "seq_length")
"""The names that configurations have for the most tokens of a row."""
_UNLIMITED = 10**9
"""Tokenizers without a limit declare a larger one."""


class FittingRows(NamedTuple):
    """Rows, or windows of them, that the model takes."""

    split: EncodedSplit
    owners: NDArray[np.int64] | None = None
    """The row of each window; None if these are the rows."""

    def mean(self, logits: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
        """Return the logits of the rows: shape (rows, logits)."""
        return logits if self.owners is None else mean_by_owner(logits, self.owners, rows)


class TokenLimit:
    """Applies the most tokens of a row: that of the options, of training, or of the model."""

    def __init__(self, model: OpenedModel, options: PredictionOptions) -> None:
        """Begin without a row.

        Args:
            model: The model.
            options: The options of the prediction.
        """
        self._model = model
        self._options = options
        self._trained = model.record.longest
        self._fits = max(self._trained, 1)
        """A number of tokens that the model takes."""
        self._found: int | None = None
        """The most tokens that it takes, if that was found by trying."""
        self.longest_seen = max(self._trained, 1)
        self._rows = self._treated = self._beyond_training = 0

    def apply(self, rows: Sequence[SequenceRow], encoded: EncodedSplit) -> FittingRows:
        """Return rows that the model takes.

        Raises:
            InvalidInputError: A row is too long, and longer ones are refused.
        """
        longest = int(encoded.lengths.max())
        self.longest_seen = max(self.longest_seen, longest)
        self._rows += len(encoded)
        self._beyond_training += int((encoded.lengths > self._trained).sum()) if self._trained else 0
        most = self._most(encoded, longest)
        if most is None or longest <= most:
            return FittingRows(encoded)
        self._treated += int((encoded.lengths > most).sum())
        return self._treat(rows, encoded, most)

    def _treat(self, rows: Sequence[SequenceRow], encoded: EncodedSplit, most: int) -> FittingRows:
        framing = framing_tokens(self._model.tokenizer) if self._model.tokenizer else set[int]()
        if self._how == "truncate":
            return FittingRows(encoded.shortened(most, framing))
        first = int(np.argmax(encoded.lengths > most))
        if self._how == "error":
            found = f"has {int(encoded.lengths[first]):,} tokens, and the model takes {most:,}"
            cure = "cut it with {too_long} truncate, or average windows of it with {too_long} windows"
            raise _error("too_long", f"{self._options.input}: {_place(rows[first])} {found}; {cure}")
        if encoded.types is not None:
            raise _error(
                "too_long",
                "{too_long} windows needs one sequence for each row, and the model takes pairs; use truncate",
            )
        try:
            return FittingRows(*cut_windows(encoded, most, framing))
        except ValueError as error:
            raise _error("max_length", f"{{max_length}} is too small: {error}") from None

    @property
    def _how(self) -> str:
        return self._options.too_long or self._model.record.options.too_long

    def _most(self, encoded: EncodedSplit, longest: int) -> int | None:
        """Return the most tokens of a row; None if these all fit, as far as can be known."""
        given = self._options.max_length or self._model.record.options.max_length
        if given is not None:
            return given
        declared = self._declared
        if self._found is not None or longest <= self._fits or declared is None or self._fits > declared:
            return self._found
        tried = min(longest, declared)
        if self._takes(encoded, tried):
            self._fits = tried
            self._found = declared if tried == declared else None
        else:
            self._found = self._search(encoded, self._fits, tried)
        return self._found

    def _search(self, encoded: EncodedSplit, fits: int, fails: int) -> int:
        while fails - fits > 1:
            middle = (fits + fails) // 2
            fits, fails = (middle, fails) if self._takes(encoded, middle) else (fits, middle)
        return fits

    def _takes(self, encoded: EncodedSplit, tokens: int) -> bool:
        """Return whether the model can be run on so many tokens."""
        row = encoded.__getitems__([int(encoded.longest_first[0])]).shortened(tokens)
        try:
            (self._model.record.batch_format or BatchFormat()).predict(self._model.copy_on_cpu, row)
        except Exception:  # noqa: BLE001 (its code raises whatever it raises)
            return False
        return True

    @property
    def _declared(self) -> int | None:
        """The most tokens that the configuration declares, otherwise the tokenizer."""
        config: Any = self._model.model.config
        described = getattr(config, "backbone", None) or config.to_dict()
        numbers = [described.get(name) for name in _DECLARED]
        found = [number for number in numbers if isinstance(number, int) and number > 0]
        of_tokenizer = getattr(self._model.tokenizer, "model_max_length", _UNLIMITED)
        return min(found) if found else (int(of_tokenizer) if of_tokenizer < _UNLIMITED else None)

    def notes(self) -> Iterator[str]:
        """Say how many rows were cut, and how many are longer than any row in training."""
        if self._treated:
            done = "cut" if self._how == "truncate" else "predicted as windows, whose logits are averaged"
            yield f"{self._treated:,} of {self._rows:,} rows have too many tokens and are {done}"
        elif self._beyond_training:
            yield (
                f"{self._beyond_training:,} of {self._rows:,} rows have more tokens than the longest row of training, "
                f"which has {self._trained:,}: nothing is known of predictions for them"
            )


def _place(row: SequenceRow) -> str:
    return f"the sequence {row.id!r} ({row.place})"


def _error(option: str, message: str) -> InvalidInputError:
    return InvalidInputError([ArgumentProblem(option, message)])
