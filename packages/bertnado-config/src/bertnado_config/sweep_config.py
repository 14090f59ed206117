"""Sweep configurations: a sweep file that has been checked."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bertnado_metrics import resolve_objective

from .document_limits import content_problems
from .errors import InvalidInputError, Problem
from .files import read_document
from .parameter_section import ParameterSection
from .search_methods import space_problems
from .secret_masking import mask_secrets
from .sweep_file import document_of, read_sweep_file
from .value_text import show

if TYPE_CHECKING:
    from bertnado_metrics import Objective, Task

    from .early_termination import EarlyTerminationRule
    from .metric_section import MetricSection
    from .parameter_paths import ParameterPath
    from .parameters import Parameter


@dataclass(frozen=True)
class SweepConfig:
    """A valid sweep file: the search space, the search method and the metric."""

    method: str
    """The search method: `grid`, `random`, `bayes`, or another that is declared with `declare_method`."""
    space: Mapping[ParameterPath, Parameter]
    """Every parameter by path, in the order of the file."""
    name: str | None = None
    """Name of the sweep."""
    description: str | None = None
    """Purpose of the sweep."""
    project: str | None = None
    """The W&B project."""
    entity: str | None = None
    """The W&B user or team."""
    run_cap: int | None = None
    """The maximum number of trials; at least 1."""
    metric: MetricSection | None = None
    """The metric that the sweep optimises; `None` leaves it to an argument or the task."""
    early_terminate: EarlyTerminationRule | None = None
    """The rule by which trials that fall behind are stopped early; `None` stops none."""
    warnings: tuple[Problem, ...] = ()
    """Warnings, which do not prevent the file from being used."""
    document: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """The file for W&B; `to_wandb` returns a copy."""

    def resolve_objective(
        self, task: str | Task | None = None, metric_name: str | None = None, metric_goal: str | None = None
    ) -> Objective:
        """Return the objective that the arguments, the file and the task ask for, in this order.

        See `bertnado_metrics.resolve_objective`.

        Raises:
            ValueError: They contradict each other, or name an unknown metric.
        """
        metric = self.metric
        return resolve_objective(
            task,
            metric_name,
            metric_goal,
            declared_name=metric.name if metric else None,
            declared_goal=metric.goal if metric else None,
        )

    def to_wandb(self) -> dict[str, Any]:
        """Return the file for W&B, ready for `wandb.sweep`.

        Numbers that were strings are numbers, `min` and `max` have the same type, every distribution is named, and
        what W&B does not know or rejects (`$schema`, null) is omitted. The rest is as in the file.
        """
        return copy.deepcopy(dict(self.document))


@dataclass(frozen=True)
class CheckedSweepConfig:
    """A sweep file and every error in it."""

    config: SweepConfig | None
    """The sweep that the valid part of the file describes, for further checks; `None` without a valid parameter.

    It must not be run if there are problems.
    """
    problems: tuple[Problem, ...] = ()
    """Every error. Warnings are in `SweepConfig.warnings`."""
    source: str | None = None
    """The file, or `None` if the content came from elsewhere."""

    def require(self) -> SweepConfig:
        """Return the sweep.

        Raises:
            InvalidInputError: There are problems.
        """
        if self.problems or self.config is None:
            raise InvalidInputError(self.problems, source=self.source)
        return self.config


def load_sweep_config(path: str | Path) -> SweepConfig:
    """Read a sweep file, JSON or YAML by its suffix.

    Raises:
        InvalidInputError: The file cannot be read or is invalid; the error has every problem.
    """
    return check_sweep_config(path).require()


def parse_sweep_config(mapping: Mapping[str, Any], *, source: str | None = None) -> SweepConfig:
    """Parse the content of a sweep file.

    Args:
        mapping: The content of a sweep file.
        source: The origin of the content, for the error.

    Raises:
        InvalidInputError: The content is invalid; the error has every problem.
    """
    return _check_content(mapping, source).require()


def check_sweep_config(content: SweepConfig | Mapping[str, Any] | str | Path) -> CheckedSweepConfig:
    """Check a sweep file, given by path, by content or as a `SweepConfig`, without raising an error."""
    if isinstance(content, SweepConfig):
        return CheckedSweepConfig(content)
    if not isinstance(content, str | Path):
        return _check_content(content, None)
    try:
        document = read_document(content)
    except InvalidInputError as error:
        return CheckedSweepConfig(None, error.problems, str(content))
    return _check_content(document, str(content))


def _check_content(content: Mapping[str, Any], source: str | None) -> CheckedSweepConfig:
    if not isinstance(content, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        return CheckedSweepConfig(
            None, (Problem("", f"a sweep file must hold one object, got {show(content)}"),), source
        )
    unfit = content_problems(content)
    if unfit:
        return CheckedSweepConfig(None, tuple(unfit), source)
    config, problems = _read(content)
    return CheckedSweepConfig(config, _without_secrets(content, problems), source)


def _without_secrets(mapping: Mapping[str, Any], problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Return the problems without the secrets of the file."""
    masked, hidden = mask_secrets(mapping) if problems else (mapping, 0)
    if not hidden:
        return problems
    _, same = _read(masked)
    return same or tuple(
        Problem(problem.path, "is invalid; it is not shown, because the file holds a secret") for problem in problems
    )


def _read(mapping: Mapping[str, Any]) -> tuple[SweepConfig | None, tuple[Problem, ...]]:
    """Read a sweep file; if there are errors, the sweep is what the valid part describes."""
    declared = mapping.get("parameters")
    section = ParameterSection(cast("Mapping[Any, Any]", declared)) if isinstance(declared, Mapping) else None
    file, problems = read_sweep_file(mapping)
    if section is not None:
        problems = [*problems, *section.problems]
        if file is not None:
            problems += space_problems(file.method, section.space)
    errors = tuple(problem for problem in problems if problem.severity == "error")
    if errors or file is None or section is None:
        return _valid_part(mapping, errors, section), errors
    config = SweepConfig(
        method=file.method,
        space=section.space,
        name=file.name,
        description=file.description,
        project=file.project,
        entity=file.entity,
        run_cap=file.run_cap,
        metric=file.metric,
        early_terminate=file.early_terminate,
        warnings=tuple(problem for problem in problems if problem.severity == "warning"),
        document=document_of(file, mapping) | {"parameters": section.document},
    )
    return config, ()


def _valid_part(
    mapping: Mapping[str, Any], errors: Sequence[Problem], section: ParameterSection | None
) -> SweepConfig | None:
    """Return the sweep that the sections without errors describe; `None` without a valid parameter."""
    faulty = {problem.path.split(".")[0] for problem in errors}
    kept = {key: value for key, value in mapping.items() if key not in faulty}
    file, _ = read_sweep_file({"parameters": {}, **kept, "method": "random"})
    if section is None or not section.space or file is None:
        return None
    return SweepConfig(
        method=file.method, space=section.space, metric=file.metric, early_terminate=file.early_terminate
    )
