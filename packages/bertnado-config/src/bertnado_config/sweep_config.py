"""A sweep file that can be used: `load_sweep_config` and `parse_sweep_config` make one or say all that is wrong."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from .content import content_problems
from .errors import InvalidInputError, Problem
from .files import read_document
from .literals import show
from .parameter_section import ParameterSection
from .sampling import not_enumerable
from .secret_values import mask_secrets
from .sweep_file import as_written, read_sweep_file

if TYPE_CHECKING:
    from pathlib import Path

    from .fields import Method
    from .nesting import ParameterPath
    from .parameters import Parameter
    from .sections import Hyperband, Metric


@dataclass(frozen=True)
class SweepConfig:
    """What a sweep varies, what for, and how the next trial is chosen."""

    method: Method
    """How the next trial is chosen."""
    space: Mapping[ParameterPath, Parameter]
    """Every parameter by path, in the order of the file."""
    name: str | None = None
    """Name of the sweep."""
    description: str | None = None
    """What the sweep is for."""
    project: str | None = None
    """The W&B project."""
    entity: str | None = None
    """The W&B user or team."""
    run_cap: int | None = None
    """The largest number of trials; at least 1."""
    metric: Metric | None = None
    """The metric that the sweep optimises; `None` leaves it to a flag or the task."""
    early_terminate: Hyperband | None = None
    """How trials that fall behind are stopped; `None` stops none."""
    warnings: tuple[Problem, ...] = ()
    """What is worth knowing and does not keep the file from being used."""
    document: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """What `to_wandb` gives a copy of."""

    def to_wandb(self) -> dict[str, Any]:
        """Give the file as W&B takes it, ready for `wandb.sweep`.

        Numbers that were strings are numbers, `min` and `max` have one type, every distribution is named, and what
        W&B does not know or would refuse (`$schema`, null) is left out. The rest is as it was written.
        """
        return copy.deepcopy(dict(self.document))


def load_sweep_config(path: str | Path) -> SweepConfig:
    """Read a sweep file, JSON or YAML by its suffix.

    Raises:
        InvalidInputError: The file cannot be read or used; every problem is in it.
    """
    return parse_sweep_config(read_document(path), source=str(path))


def parse_sweep_config(mapping: Mapping[str, Any], *, source: str | None = None) -> SweepConfig:
    """Make a sweep out of what a sweep file holds.

    Args:
        mapping: The content of a sweep file.
        source: Where it comes from, for the error.

    Raises:
        InvalidInputError: It cannot be used; every problem is in it.
    """
    if not isinstance(mapping, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInputError([Problem("", f"a sweep file holds one object, not {show(mapping)}")], source=source)
    unfit = content_problems(mapping)
    if unfit:
        raise InvalidInputError(unfit, source=source)
    try:
        return _read(mapping, source)
    except InvalidInputError as error:
        problems = _without_secrets(mapping, error.problems)
        raise InvalidInputError(problems, source=source, usable=error.usable) from None


def _without_secrets(mapping: Mapping[str, Any], problems: Sequence[Problem]) -> Sequence[Problem]:
    """Say the same of a file that holds secrets, and repeat none of them."""
    masked, hidden = mask_secrets(mapping)
    if not hidden:
        return problems
    try:
        _read(masked, None)
    except InvalidInputError as error:
        return error.problems
    return [Problem(problem.path, "cannot be used, and is not shown here beside a secret") for problem in problems]


def _read(mapping: Mapping[str, Any], source: str | None) -> SweepConfig:
    declared = mapping.get("parameters")
    section = ParameterSection(cast("Mapping[Any, Any]", declared)) if isinstance(declared, Mapping) else None
    file, problems = read_sweep_file(mapping)
    if section is not None:
        problems = [*problems, *section.problems]
        if file is not None:
            problems += _grid_problems(file.method, section.space)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors or file is None or section is None:
        raise InvalidInputError(errors, source=source, usable=_without(mapping, errors, section))
    return SweepConfig(
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
        document=as_written(file, mapping) | {"parameters": section.document},
    )


def _without(
    mapping: Mapping[str, Any], errors: Sequence[Problem], section: ParameterSection | None
) -> SweepConfig | None:
    """Make a sweep of what nothing is wrong with; `None` where no parameter is left."""
    faulty = {problem.path.split(".")[0] for problem in errors}
    kept = {key: value for key, value in mapping.items() if key not in faulty}
    file, _ = read_sweep_file({"parameters": {}, **kept, "method": "random"})
    if section is None or not section.space or file is None:
        return None
    return SweepConfig(
        method=file.method, space=section.space, metric=file.metric, early_terminate=file.early_terminate
    )


def _grid_problems(method: Method, space: Mapping[ParameterPath, Parameter]) -> list[Problem]:
    """Name what a grid cannot enumerate."""
    if method != "grid":
        return []
    return [not_enumerable(path, parameter) for path, parameter in space.items() if parameter.cardinality is None]
