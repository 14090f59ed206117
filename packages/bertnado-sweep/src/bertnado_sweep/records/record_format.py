"""The number of the format of `sweep.json` and `trial.json`, by which a version recognises what it cannot read."""

from collections.abc import Mapping
from typing import Any, cast

from bertnado_config import InvalidInputError, Problem
from pydantic import ValidationError

FORMAT = 1
"""The format that this version writes. Version 0.1.0 wrote no number, which counts as 0."""


class NewerRecordError(InvalidInputError):
    """A record whose format is newer than this version."""


def format_of(record: object) -> int:
    """Return the format of a record that was read from JSON."""
    found = cast("Mapping[str, Any]", record).get("format", 0) if isinstance(record, Mapping) else 0
    return found if isinstance(found, int) else 0


def require_known_format(record: object, place: object) -> None:
    """Check that a record was not written by a newer version.

    Args:
        record: As it was read from JSON.
        place: The file, or the entry of a study, that holds it.

    Raises:
        NewerRecordError: It was.
    """
    found = format_of(record)
    if found > FORMAT:
        message = (
            f"{place} was written by a newer version of bertnado-sweep (format {found}, this version reads up to "
            f"{FORMAT}); upgrade bertnado-sweep"
        )
        raise NewerRecordError([Problem("", message)])


def invalid_content(error: InvalidInputError | ValidationError) -> str:
    """Return in one line what is wrong with a record, with the place of the mistake."""
    if isinstance(error, InvalidInputError):
        return "; ".join(problem.message for problem in error.problems)
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]
