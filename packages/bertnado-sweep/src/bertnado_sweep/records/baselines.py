"""`baselines.json`: the baselines of a dataset, beside a sweep or a final model; without an objective, in a cache."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bertnado_config import InvalidInputError, read_json, to_json_types, write_json
from bertnado_metrics import Goal  # noqa: TC002 (pydantic reads it)
from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from .record_format import invalid_content

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bertnado_metrics import Objective
    from bertnado_metrics.baselines import BaselineTable

BASELINES_FILE = "baselines.json"
FORMAT = 1


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class RecordedObjective(_Record):
    """The metric of a sweep or a training."""

    name: str
    goal: Goal


class RecordedBaseline(_Record):
    """One baseline."""

    name: str
    description: str = ""
    settings: dict[str, Any] = {}
    seconds: float = 0.0
    metrics: dict[str, dict[str, float | None]] = {}
    """The metrics by split, then by name without prefix; None for one that is not defined."""

    def value(self, split: str, metric: str) -> float:
        """Return a metric on a split; NaN if it is not known or not defined."""
        found = self.metrics.get(split, {}).get(metric)
        return math.nan if found is None or not math.isfinite(found) else found


class RecordedBaselines(_Record):
    """The baselines of a dataset. Further fields of a file are ignored."""

    format: NonNegativeInt = FORMAT
    objective: RecordedObjective | None = None
    task: str = ""
    dataset_fingerprint: str = ""
    rows: dict[str, tuple[int, int]] = {}
    """By split, the number of rows that were used, and that there are."""
    baselines: list[RecordedBaseline]
    left_out: dict[str, str] = {}
    """Why the other baselines were not computed."""

    @classmethod
    def of(cls, table: BaselineTable, fingerprint: str) -> RecordedBaselines:
        """Return the record of a table."""
        return cls.model_validate({**asdict(table), "dataset_fingerprint": fingerprint})

    def for_objective(self, objective: Objective, *, with_test: bool) -> RecordedBaselines:
        """Return the record with an objective, and without the metrics on test unless they are asked for."""
        named = RecordedObjective(name=objective.name, goal=objective.goal)
        kept = self if with_test else self._without_test()
        return kept.model_copy(update={"objective": named})

    def _without_test(self) -> RecordedBaselines:
        baselines = [
            baseline.model_copy(update={"metrics": _without(baseline.metrics, "test")}) for baseline in self.baselines
        ]
        return self.model_copy(update={"baselines": baselines, "rows": _without(self.rows, "test")})

    def values(self, split: str, objective: Objective) -> dict[str, float]:
        """Return the values of the baselines on a split, by name, those that are not defined apart."""
        return dict(self._values(split, objective))

    def _values(self, split: str, objective: Objective) -> Iterator[tuple[str, float]]:
        for baseline in self.baselines:
            value = baseline.value(split, objective.trainer_name)
            if not math.isnan(value):
                yield baseline.name, value

    def write(self, path: Path) -> None:
        """Write it, atomically.

        Raises:
            OSError: The file cannot be written.
        """
        write_json(path, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return it in plain values; a metric that is not defined is None."""
        return to_json_types(self.model_dump(exclude=None if self.objective else {"objective"}))


def _without(values: Mapping[str, Any], left_out: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != left_out}


def read_baselines(path: Path) -> tuple[RecordedBaselines | None, str | None]:
    """Read a record.

    Returns:
        The baselines, and why they cannot be read; neither if there is no such file.
    """
    if not path.exists():
        return None, None
    try:
        found = RecordedBaselines.model_validate(read_json(path))
    except (InvalidInputError, ValidationError) as error:
        return None, invalid_content(error)
    if found.format != FORMAT:
        return None, f"its format is {found.format}, and this version of bertnado-sweep reads {FORMAT}"
    return found, None
