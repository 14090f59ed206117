"""The tokenizer that is saved beside a trained model: it pads as the model was trained."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from .custom_code import complete_saved_tokenizer
from .loading_errors import first_line

if TYPE_CHECKING:
    from pathlib import Path

    from .training_setup import TrainingSetup


def save_tokenizer(setup: TrainingSetup, directory: Path) -> list[str]:
    """Save the tokenizer of a model; return what a user of the saved model must know of it.

    Args:
        setup: The task, dataset and model.
        directory: The directory of the saved model.
    """
    tokenizer, form = setup.tokenizer, setup.batch_format
    if tokenizer is None:
        return ["the model has no tokenizer, so none was saved with it; its rows were tokenised beforehand"]
    saved, notes = copy.deepcopy(tokenizer), []
    if form.widths == "own":
        saved.pad_token = None
        notes.append("padding changes the results of this model, so the saved tokenizer has no padding token")
    elif saved.pad_token is not None and saved.pad_token_id != form.pad_token_id:
        saved.pad_token = saved.convert_ids_to_tokens(form.pad_token_id)
    if form.widths == "longest" and saved.padding_side != form.side:
        saved.padding_side = form.side
        notes.append(f"the saved tokenizer pads on the {form.side}, as the model was trained")
    try:
        saved.save_pretrained(directory)
        complete_saved_tokenizer(directory)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 (its code raises whatever it raises)
        return [f"the tokenizer cannot be saved: {first_line(error)}; use the one that you trained with"]
    return notes
