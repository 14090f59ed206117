"""The file of baselines beside a sweep, as a report reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertnado_config import InvalidInputError, read_json
from bertnado_metrics import Goal  # noqa: TC002 (pydantic needs it when the class is made)
from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeInt, ValidationError

if TYPE_CHECKING:
    from pathlib import Path

BASELINES_FILE = "baselines.json"

FORMAT = 1


class _Content(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ObjectiveOf(_Content):
    """An objective."""

    name: str
    goal: Goal


class Baseline(_Content):
    """One baseline."""

    name: str
    description: str = ""
    seconds: FiniteFloat | None = None
    metrics: dict[str, dict[str, FiniteFloat | None]] = {}
    """By split, then by the name of the metric."""


class Baselines(_Content):
    """The content of `baselines.json`."""

    format: NonNegativeInt = 0
    objective: ObjectiveOf
    task: str | None = None
    dataset_fingerprint: str | None = None
    baselines: tuple[Baseline, ...]


def read_baselines(path: Path) -> tuple[Baselines | None, str | None]:
    """Read the baselines, if they are there.

    Returns:
        The content of the file, and why it cannot be shown; both are None if there is no such file.
    """
    if not path.exists():
        return None, None
    try:
        content = Baselines.model_validate(read_json(path))
    except InvalidInputError as error:
        return None, f"{path.name} is left out: {'; '.join(problem.message for problem in error.problems)}"
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return None, f"{path.name} is left out: {f'{where}: ' if where else ''}{first['msg']}"
    if content.format > FORMAT:
        return None, f"{path.name} is left out: it was written by a newer version; upgrade bertnado-sweep"
    return content, None
