"""A sweep as its record describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import ArgumentProblem, Problem
from bertnado_metrics import Objective

from .files import JOURNAL_FILE, SWEEP_FILE, DamagedRecordError, read_sweep, set_aside, write_sweep

if TYPE_CHECKING:
    from pathlib import Path

    from bertnado_config import SweepConfig

_ABSENT = "absent"

_ANYTIME = ("name", "description", "run_cap")
"""Keys of a sweep file that a resumed sweep may have otherwise: they change neither the search nor its values."""


@dataclass(frozen=True)
class RecordedSweep:
    """A sweep as its `sweep.json`, or its study in a database, describes it."""

    output_dir: Path
    record: Mapping[str, Any]
    storage: str | None = None
    """URL of the database that it is recorded in, password included; None if it is recorded in `output_dir`."""
    is_damaged: bool = False
    """True if its `sweep.json` is damaged, and this is the journal's copy of it."""

    @property
    def sweep_id(self) -> str:
        """The id of the sweep."""
        return self.record["sweep_id"]

    @property
    def study(self) -> str | None:
        """The name of the sweep in its database; None without a database."""
        return (self.record.get("study") or self.sweep_id) if self.storage else None

    @property
    def backend(self) -> str:
        """The name of the backend that its trials come from."""
        return self.record["backend"]

    @property
    def path(self) -> str | None:
        """The address of the sweep at W&B, `ENTITY/PROJECT/ID`; None for a local one."""
        return self.record.get("path")

    @property
    def objective(self) -> Objective:
        """The objective that its trials are compared by."""
        return Objective(**self.record["objective"])

    @property
    def budget(self) -> int:
        """The number of trials that the sweep was started with."""
        return self.record["budget"]

    def has_metric_of(self, config: SweepConfig) -> bool:
        """Return True if a sweep file declares the same metric as the one that the sweep was started with."""
        return config.to_wandb().get("metric") == self.record["config"].get("metric")

    def has_space_of(self, config: SweepConfig) -> bool:
        """Return True if a sweep file declares the method and the parameters that the sweep was last run with."""
        new = _as_recorded(config.to_wandb())
        return all(new[key] == self.record["config"].get(key) for key in ("method", "parameters"))

    def has_run_cap_of(self, config: SweepConfig) -> bool:
        """Return True if a sweep file has the `run_cap` that the sweep was last run with."""
        return config.run_cap == self.record["config"].get("run_cap")

    def restore(self) -> list[str]:
        """Rewrite a damaged `sweep.json` from the journal's copy; return what was done.

        Raises:
            OSError: It cannot be written.
        """
        path = self.output_dir / SWEEP_FILE
        try:
            read_sweep(path)
        except DamagedRecordError:
            aside = set_aside(path)
            write_sweep(self.output_dir, self.record)
            return [f"{path} was damaged and was rewritten from {JOURNAL_FILE}; the damaged file is {aside.name}"]
        return []

    def setting_problems(self, config: SweepConfig, settings: Mapping[str, Any]) -> list[Problem]:
        """Return why the sweep cannot continue with a sweep file and settings; empty if it can.

        Args:
            config: The sweep file.
            settings: The seed, and what the application records: model, dataset, ...; JSON-serialisable.
        """
        old = {"file": _searching(self.record["config"]), "seed": self.record["seed"], **self.record["application"]}
        new = _as_recorded({"file": _searching(config.to_wandb()), **settings})
        changes = list(_differences(old, new))
        if not changes:
            return []
        message = (
            f"the sweep in {self.output_dir} was started with other settings: {'; '.join(changes)}; "
            f"restore them, or add {{allow_config_change}} to continue with the new ones"
        )
        return [ArgumentProblem("resume", message)]

    def objective_problems(self, objective: Objective) -> list[Problem]:
        """Return why the values of the sweep cannot be compared by an objective; empty if they can."""
        before = self.objective
        if before == objective:
            return []
        message = (
            f"the sweep in {self.output_dir} optimizes {before.name} ({before.goal}), and now it would be "
            f"{objective.name} ({objective.goal}); their values cannot be compared, so choose another {{output_dir}}"
        )
        return [ArgumentProblem("resume", message)]


def _searching(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in _ANYTIME}


def _as_recorded(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they are after they were written and read."""
    return json.loads(json.dumps(settings, default=str))


def _differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield what differs: `learning_rate.max was 0.1, now 0.2`."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        old, new = cast("Mapping[str, Any]", before), cast("Mapping[str, Any]", after)
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{path}.{key}" if path else key)
    elif before != after:
        yield f"{path.removeprefix('file.')} was {json.dumps(before)}, now {json.dumps(after)}"
