"""Where a search begins: the best settings of another sweep, those of a file, or published ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from bertnado_config import ArgumentProblem, InvalidInputError, read_best_config, value_key

from .backends import get_backend_type
from .records.best import BEST_CONFIG_FILE, ranked_trials
from .resume import read_recorded
from .search.presets import FAMILIES, find_family
from .search.start_points import fit_to_space

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_config import Problem, SweepConfig, Trainer

    from .records.recorded_sweep import RecordedSweep

MOST_POINTS = 5
"""The most trials of another sweep that a search begins with."""

PRESET = "preset"
"""In place of a path: the published settings of the model's family. A directory of that name is `./preset`."""


class StartSettings(NamedTuple):
    """Where a search begins."""

    points: list[dict[str, Any]]
    """Points of its space, nested, in their order."""
    source: str | None
    """Where they were found, for the user; None if they are as recorded."""
    problems: list[Problem]


class _Known(NamedTuple):
    """Known settings, before they are fitted into a space."""

    parameters: Sequence[Mapping[str, Any]]
    """The best first."""
    source: str
    remarks: tuple[str, ...] = ()


def find_start_points(given: str, config: SweepConfig, trainer: Trainer) -> StartSettings:
    """Return the points that a search begins with, fitted into its space, and all problems.

    Of a sweep, these are its best trials, in their order: their values were measured on another dataset or model, and
    so are measured again instead of being taken over.

    Args:
        given: The path of a best configuration, the output directory of a sweep, or `preset`.
        config: The sweep file of the search.
        trainer: The trainer, which knows the model's configuration.
    """
    try:
        known = _published(config, trainer) if given == PRESET else _read(Path(given))
    except InvalidInputError as error:
        message = f"{{start_from}} cannot be used: {'; '.join(problem.message for problem in error.problems)}"
        return StartSettings([], None, [ArgumentProblem("start_from", message)])
    points: dict[str, dict[str, Any]] = {}
    remarks: dict[str, None] = dict.fromkeys(known.remarks)
    for parameters in known.parameters:
        point, changes = fit_to_space(config, parameters)
        if len(points) < MOST_POINTS and value_key(point) not in points:
            points[value_key(point)] = point
            remarks |= dict.fromkeys(changes)
    return StartSettings(list(points.values()), known.source, [_warning(remark) for remark in remarks])


def _published(config: SweepConfig, trainer: Trainer) -> _Known:
    """Return the published settings of the model's family: those of adapters if the space has some.

    Raises:
        InvalidInputError: The model is of no known family.
    """
    stored = cast("Mapping[str, Any]", getattr(trainer, "pretrained_config", {}))
    family = find_family(stored)
    if family is None:
        names = ", ".join(known.name for known in FAMILIES)
        got = f"one of type {stored['model_type']!r}" if "model_type" in stored else "one without a configuration"
        tokens = f" with {stored['vocab_size']} tokens" if "vocab_size" in stored else ""
        rule = f"preset requires a model of a known family ({names}), got {got}{tokens}"
        message = f"{rule}; give a best_sweep_config.json or the output directory of a sweep instead, or omit it"
        raise InvalidInputError([ArgumentProblem("start_from", message)])
    with_lora = any(path[-1].endswith("lora_r") for path in config.space)
    chosen = family.presets_with(adapters=with_lora)
    remarks: tuple[str, ...] = ()
    if not chosen:
        chosen = family.presets
        remarks = (f"no LoRA settings are known for {family.name}, so those for training the whole model are used",)
    source = f"the published settings for {family.name} ({'; '.join(preset.source for preset in chosen)})"
    return _Known([preset.parameters for preset in chosen], source, remarks)


def _warning(remark: str) -> Problem:
    return ArgumentProblem("start_from", f"{{start_from}}: {remark}", "warning")


def _read(path: Path) -> _Known:
    """Return what is found at a path.

    Raises:
        InvalidInputError: There is nothing to begin with.
    """
    return _Known(_parameters_at(path), str(path))


def _parameters_at(path: Path) -> Sequence[Mapping[str, Any]]:
    if not path.exists():
        rule = f"must be a best_sweep_config.json, the output directory of a sweep, or {PRESET}"
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
