"""Everything that a report is made of, read once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import (
    InvalidInputError,
    flatten_parameters,
    nest_parameters,
    parameter_label,
    parse_sweep_config,
    to_json_types,
    value_key,
)

from bertnado_sweep.records.baselines import BASELINES_FILE, RecordedBaselines, read_baselines
from bertnado_sweep.records.confirmation import CONFIRMATION_FILE, Confirmation, read_confirmation
from bertnado_sweep.records.files import now, read_training_log
from bertnado_sweep.status import flat_parameters

from .final_model import Finals, find_finals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from bertnado_config import Parameter, SweepConfig
    from bertnado_metrics import Objective

    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.status import SweepStatus


@dataclass(frozen=True)
class Material:
    """What is known of a sweep at one moment."""

    status: SweepStatus
    made: str
    """When it was read, ISO 8601, UTC."""
    baselines: RecordedBaselines | None = None
    warnings: tuple[str, ...] = ()
    """Damaged parts of the record, and files that cannot be shown."""
    finals: Finals = field(default_factory=Finals)
    """The final model, and the looks at the test split."""

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials by number, with their training logs."""
        return self.status.trials

    @property
    def confirmation(self) -> Confirmation | None:
        """The confirmation of the best trials; None if there is none that is complete."""
        return self.status.confirmation

    @property
    def objective(self) -> Objective:
        """The objective of the sweep."""
        return self.status.objective

    @cached_property
    def best(self) -> Trial | None:
        """The best trial; None if no trial has a value."""
        return self.status.best

    @cached_property
    def eligible(self) -> tuple[Trial, ...]:
        """The trials that may be the best, by number."""
        return tuple(trial for trial in self.trials if trial.is_eligible)

    @property
    def is_running(self) -> bool:
        """True if a trial is recorded as running."""
        return any(trial.state == "running" for trial in self.trials)

    @cached_property
    def config(self) -> SweepConfig | None:
        """The sweep file that the sweep was last run with; None if this version cannot read it."""
        try:
            return parse_sweep_config(self.status.record.get("config") or {})
        except InvalidInputError:
            return None

    @cached_property
    def space(self) -> Mapping[str, Parameter]:
        """The parameters of the sweep file by label."""
        return {parameter_label(path): form for path, form in self.config.space.items()} if self.config else {}

    @cached_property
    def parameters(self) -> Mapping[int, Mapping[str, Any]]:
        """The parameters of each trial by label, by the number of the trial."""
        return {trial.number: self._labelled(to_json_types(trial.parameters)) for trial in self.trials}

    def _labelled(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters by label; an object that the sweep file lists as a choice is one value."""
        try:
            found = flatten_parameters(self.config, parameters) if self.config else {}
        except ValueError:
            found = {}
        if found and value_key(nest_parameters(found)) == value_key(parameters):
            return {parameter_label(path): value for path, value in found.items()}
        return flat_parameters(parameters)

    @cached_property
    def parameter_names(self) -> tuple[str, ...]:
        """The parameters of all trials by label, those of the sweep file first, in its order."""
        found = {name for parameters in self.parameters.values() for name in parameters}
        return (*(name for name in self.space if name in found), *sorted(found - self.space.keys()))

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """The parameters that differ between trials with a value."""
        return tuple(name for name in self.parameter_names if len(self._distinct(name)) > 1)

    def _distinct(self, name: str) -> set[str]:
        return {value_key(self.parameters[trial.number].get(name)) for trial in self.eligible}

    def detail(self, name: str) -> Iterator[Any]:
        """Yield what the trainer recorded under a name, for each trial that has it, the best trial first."""
        for trial in filter(None, (self.best, *self.trials)):
            if trial.details.get(name) is not None:
                yield trial.details[name]

    @property
    def dataset(self) -> Mapping[str, Any]:
        """What is recorded of the dataset; empty if nothing is."""
        return next(
            (cast("dict[str, Any]", found) for found in self.detail("dataset") if isinstance(found, dict)),
            dict[str, Any](),
        )


def gather(status: SweepStatus, model: Path | str | None = None) -> Material:
    """Read what lies beside the trials of a sweep: training logs, confirmation, baselines and the final model.

    Args:
        status: The state of the sweep.
        model: The directory of the final model; by default that of the last look at the test split.

    Raises:
        InvalidInputError: There is no final model in `model`.
    """
    finals = find_finals(status.output_dir, model)
    if status.output_dir is None:
        return Material(status, now(), warnings=(*status.warnings, *finals.problems), finals=finals)
    another = None if status.confirmation else read_confirmation(status.output_dir)
    unfit = another and f"{CONFIRMATION_FILE} is left out: it belongs to sweep {another.sweep_id}"
    baselines, reason = read_baselines(status.output_dir / BASELINES_FILE)
    unfit_too = reason and f"{BASELINES_FILE} is left out: {reason}"
    warnings = (*status.warnings, *filter(None, (unfit, unfit_too)), *finals.problems)
    trials = tuple(_with_log(trial) for trial in status.trials)
    return Material(replace(status, trials=trials), now(), baselines, warnings, finals)


def _with_log(trial: Trial) -> Trial:
    return trial if trial.training_log else replace(trial, training_log=read_training_log(trial.directory, trial.id))


def numbers_of(rows: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float | None]]:
    """Return the step and one metric of each row that has both; what is not finite is None."""
    found = [(row.get("step"), row[name]) for row in rows if name in row]
    return [(step, _finite(value)) for step, value in found if isinstance(step, int | float)]


def _finite(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
