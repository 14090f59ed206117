"""The looks at a test split, recorded beside the best configuration of a sweep."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bertnado_config import InvalidInputError, read_json, write_json
from pydantic import BaseModel, ConfigDict, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOOKS_FILE = "test_looks.json"
FORMAT = 1


class Look(BaseModel):
    """One evaluation of the test split of a dataset with a final model."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    time: str
    """ISO 8601, in UTC."""
    configuration: str
    """A hash of the parameters that the model was trained with."""
    dataset: str
    """The fingerprint of the dataset."""
    output_dir: str


class _Looks(BaseModel):
    model_config = ConfigDict(extra="ignore")

    format: int = FORMAT
    looks: list[Look] = []


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
    )
    known, note = _read(path)
    recorded = _Looks(looks=[*known, look])
    if note is None:
        try:
            write_json(path, recorded.model_dump(mode="json"))
        except OSError as error:
            note = (
                f"Warning: {path} cannot be written ({error.strerror}), so this look at the test split is not recorded"
            )
    same_rows = [found for found in recorded.looks if found.dataset == fingerprint]
    return same_rows, _say_again(same_rows) or note


def _read(path: Path) -> tuple[list[Look], str | None]:
    """Return the recorded looks, and why they cannot be read."""
    if not path.exists():
        return [], None
    try:
        return _Looks.model_validate(read_json(path)).looks, None
    except (InvalidInputError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        return [], f"Warning: {path} is damaged ({reason}), so looks at the test split are not recorded; remove it"


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
