"""Where a search begins: the best settings of another sweep, or those of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import ArgumentProblem, InvalidInputError, read_best_config, value_key

from .backends import get_backend_type
from .records.best import BEST_CONFIG_FILE, ranked_trials
from .resume import read_recorded
from .search.start_points import fit_to_space

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_config import Problem, SweepConfig

    from .records.recorded_sweep import RecordedSweep

MOST_POINTS = 5
"""The most trials of another sweep that a search begins with."""


def find_start_points(given: str, config: SweepConfig) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return the points that a search begins with, fitted into its space, and all problems.

    Of a sweep, these are its best trials, in their order: their values were measured on another dataset or model, and
    so are measured again instead of being taken over.

    Args:
        given: The path of a best configuration, or the output directory of a sweep.
        config: The sweep file of the search.
    """
    try:
        found = _read(Path(given))
    except InvalidInputError as error:
        message = f"{{start_from}} cannot be used: {'; '.join(problem.message for problem in error.problems)}"
        return [], [ArgumentProblem("start_from", message)]
    points: dict[str, dict[str, Any]] = {}
    remarks: dict[str, None] = {}
    for parameters in found:
        point, changes = fit_to_space(config, parameters)
        if len(points) < MOST_POINTS and value_key(point) not in points:
            points[value_key(point)] = point
            remarks |= dict.fromkeys(changes)
    return list(points.values()), [_warning(remark) for remark in remarks]


def _warning(remark: str) -> Problem:
    return ArgumentProblem("start_from", f"{{start_from}}: {remark}", "warning")


def _read(path: Path) -> Sequence[Mapping[str, Any]]:
    """Return the parameters that are found at a path, the best first.

    Raises:
        InvalidInputError: There are none.
    """
    if not path.exists():
        rule = "must be a best_sweep_config.json or the output directory of a sweep"
        raise InvalidInputError([ArgumentProblem("start_from", f"{rule}, got {str(path)!r}, which does not exist")])
    if path.is_file():
        return [read_best_config(path).parameters]
    recorded = read_recorded(path.absolute())
    if recorded is not None:
        return _best_trials(recorded)
    if (path / BEST_CONFIG_FILE).is_file():
        return [read_best_config(path / BEST_CONFIG_FILE).parameters]
    raise InvalidInputError([ArgumentProblem("start_from", f"{path} contains neither a sweep nor {BEST_CONFIG_FILE}")])


def _best_trials(recorded: RecordedSweep) -> Sequence[Mapping[str, Any]]:
    trials = ranked_trials(get_backend_type(recorded.backend).read_trials(recorded)[0], recorded.objective)
    if not trials:
        message = f"no trial of the sweep in {recorded.output_dir} has a value"
        raise InvalidInputError([ArgumentProblem("start_from", message)])
    return [trial.parameters for trial in trials]
