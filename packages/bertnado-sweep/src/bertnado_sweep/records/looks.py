"""`test_looks.json`: the looks at a test split, recorded beside the best configuration of a sweep."""

from __future__ import annotations

import os
from pathlib import Path

from bertnado_config import InvalidInputError, read_json
from pydantic import BaseModel, ConfigDict, ValidationError

from .record_format import invalid_content

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
    """The directory of the final model, an absolute path."""
    relative_output_dir: str | None = None
    """The same, relative to the directory of the record; None in records of earlier versions."""

    def places(self, record: Path) -> list[Path]:
        """Return where the final model may be: first where it is if it was moved together with the record."""
        relative = [] if self.relative_output_dir is None else [record.absolute().parent / self.relative_output_dir]
        return [*(Path(os.path.normpath(path)) for path in relative), Path(self.output_dir)]

    def is_same(self, other: Look) -> bool:
        """Return True if another record of a look means this one."""
        return (self.time, self.configuration, self.dataset) == (other.time, other.configuration, other.dataset)


class Looks(BaseModel):
    """The content of `test_looks.json`. Further fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    format: int = FORMAT
    looks: list[Look] = []


def read_looks(path: Path) -> tuple[list[Look], str | None]:
    """Read the record of looks.

    Returns:
        The looks, the last one last; and why they cannot be read, as words that follow the name of the file. Neither
        if there is no such file.
    """
    if not path.exists():
        return [], None
    try:
        found = Looks.model_validate(read_json(path))
    except (InvalidInputError, ValidationError) as error:
        return [], f"is damaged ({invalid_content(error)}); remove it"
    if found.format > FORMAT:
        return [], "was written by a newer version; upgrade bertnado-sweep"
    return found.looks, None
