"""The looks at a test split, recorded beside the best configuration of a sweep."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bertnado_config import write_json
from bertnado_sweep.records.looks import LOOKS_FILE, Look, Looks, read_looks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def record_look(
    best_config_path: Path, parameters: Mapping[str, Any], fingerprint: str, output_dir: Path
) -> tuple[list[Look], str | None]:
    """Record that the test split was evaluated.

    Args:
        best_config_path: The best configuration of the sweep, beside which looks are recorded.
        parameters: Those that the model was trained with.
        fingerprint: That of the dataset.
        output_dir: The directory of the final model.

    Returns:
        All looks at this dataset, this one last, and a note if an earlier one was with another configuration, or if
        looks cannot be recorded.
    """
    path = best_config_path.with_name(LOOKS_FILE)
    look = Look(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        configuration=_hash(parameters),
        dataset=fingerprint,
        output_dir=str(output_dir.absolute()),
        relative_output_dir=os.path.relpath(output_dir.absolute(), path.absolute().parent),
    )
    known, reason = read_looks(path)
    recorded = Looks(looks=[*known, look])
    note = None
    if reason is not None:
        note = f"Warning: this look at the test split is not recorded: {path} {reason}"
    else:
        try:
            write_json(path, recorded.model_dump(mode="json"))
        except OSError as error:
            note = (
                f"Warning: {path} cannot be written ({error.strerror}), so this look at the test split is not recorded"
            )
    same_rows = [found for found in recorded.looks if found.dataset == fingerprint]
    return same_rows, _say_again(same_rows) or note


def _say_again(looks: list[Look]) -> str | None:
    """Return that a test split was looked at with several configurations; None if it was not."""
    *before, last = looks
    others = [look for look in before if look.configuration != last.configuration]
    if not others:
        return None
    first = others[0]
    return (
        f"Warning: this is look {len(looks)} at the test split of this dataset; another configuration was tested at "
        f"{first.time} ({first.output_dir}). Whoever chooses between them by their test metrics needs other rows to "
        f"know what the choice is worth"
    )


def _hash(parameters: Mapping[str, Any]) -> str:
    text = json.dumps(parameters, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
