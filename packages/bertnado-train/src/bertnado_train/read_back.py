"""Reading a saved model again, and comparing it with the one in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from bertnado_config import TrialError
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from .dataset_splits import VALIDATION, read_splits
from .loading_errors import first_line
from .pretrained import load_config, load_pretrained
from .stored_model import class_of, hide_progress_bars, hide_reports
from .strands import mean_over_strands
from .task_loss import agree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from .batch_format import BatchFormat
    from .encoded_split import EncodedSplit
    from .label_scaling import LabelScale

_ROWS = 8
"""Rows that are recomputed, from the shortest to the longest."""

_ROUNDING = 1e-4
"""The largest difference of logits, as a share of the largest of them, that counts as rounding in fp32."""


def load_model(directory: Path | str, *, trust_remote_code: bool = False) -> PreTrainedModel:
    """Load a model that `full-train` or a trial saved, in fp32 and ready for predictions.

    It gives the right model where plain `from_pretrained` does not, for code that transformers 5 cannot read right.

    Args:
        directory: The directory of the saved model.
        trust_remote_code: Allow Python code that comes with the model to run.

    Raises:
        InvalidInputError: It cannot be loaded; the message says what to do.
    """
    name = str(directory)
    config = load_config(name, trust_remote_code=trust_remote_code)
    kind = class_of(name, config, trust_remote_code)
    with hide_progress_bars(), hide_reports():
        return load_pretrained(kind, name, trust_remote_code, config=config, dtype=torch.float32).eval()


def check_saved_model(
    model: PreTrainedModel,
    directory: Path,
    rows: EncodedSplit,
    batch_format: BatchFormat,
    *,
    trust_remote_code: bool,
    label_scale: LabelScale | None = None,
) -> str | None:
    """Recompute some rows with the saved model, read by plain transformers.

    Args:
        model: The model that was saved; it is moved to the CPU.
        directory: The directory that it was saved in.
        rows: Rows to recompute, some of them; `BothStrands` to average the logits of both.
        batch_format: The batches that the model takes.
        trust_remote_code: Allow Python code that comes with the model to run.
        label_scale: What the model in memory was trained with; the saved one has it folded in.

    Returns:
        Which loader gives the right model, if plain transformers does not; otherwise `None`.

    Raises:
        TrialError: No loader gives the logits of the model in memory; the message has both.
    """
    chosen = _spread(rows)
    expected = _logits(model.cpu().eval(), chosen, batch_format)
    if label_scale is not None:
        expected = torch.from_numpy(label_scale.restore(expected.numpy())).float()
    try:
        with hide_progress_bars(), hide_reports():
            plain = AutoModelForSequenceClassification.from_pretrained(
                directory, trust_remote_code=trust_remote_code, dtype=torch.float32
            )
        found, reason = _logits(plain.eval(), chosen, batch_format), ""
    except Exception as error:  # noqa: BLE001 (its code raises whatever it raises)
        found, reason = None, first_line(error)
    if found is not None and agree(found, expected, _ROUNDING):
        return None
    ours = _logits(load_model(directory, trust_remote_code=trust_remote_code), chosen, batch_format)
    if not agree(ours, expected, _ROUNDING):
        raise TrialError(
            f"{directory} does not give the model that was trained: the logits of a validation row are "
            f"{_shown(ours)} instead of {_shown(expected)}; report this with the model's name"
        )
    what = f"fails: {reason}" if found is None else f"gives the logits {_shown(found)} instead of {_shown(expected)}"
    return f"plain transformers does not read the saved model right ({what}); read it with bertnado.api.load_model"


def check_saved_tokenizer(
    tokenizer: PreTrainedTokenizerBase, directory: Path, dataset: Path, *, trust_remote_code: bool
) -> str | None:
    """Return why the saved tokenizer, read by plain transformers, is not the one in memory; `None` if it is.

    Args:
        tokenizer: The tokenizer that was saved.
        directory: The directory that it was saved in.
        dataset: The dataset, some of whose sequences are compared.
        trust_remote_code: Allow Python code that comes with the model to run.
    """
    validation = read_splits(dataset)[VALIDATION]
    if "sequence" not in validation.column_names:
        return None
    texts = validation[:_ROWS]["sequence"]
    try:
        again = AutoTokenizer.from_pretrained(directory, trust_remote_code=trust_remote_code)
        differs = [text for text in texts if again(text)["input_ids"] != tokenizer(text)["input_ids"]]
    except Exception as error:  # noqa: BLE001 (its code raises whatever it raises)
        return f"the saved tokenizer cannot be read again: {first_line(error)}; use the one that you trained with"
    if differs:
        return "the saved tokenizer gives other tokens when it is read again; use the one that you trained with"
    return None


def _spread(rows: EncodedSplit) -> Sequence[EncodedSplit]:
    """Return some rows, each alone, from the shortest to the longest."""
    order = rows.longest_first
    places = np.unique(np.linspace(0, len(order) - 1, _ROWS).astype(int))
    return [rows.__getitems__([int(order[place])]) for place in places]


def _logits(model: Any, rows: Sequence[EncodedSplit], batch_format: BatchFormat) -> torch.Tensor:
    return torch.cat([mean_over_strands(row, lambda part: batch_format.predict(model, part)) for row in rows])


def _shown(logits: torch.Tensor) -> str:
    return "[" + ", ".join(f"{value:.4f}" for value in logits[0].tolist()) + "]"
