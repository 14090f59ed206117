"""Confirming the best trials of a sweep with bertnado-train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import ArgumentProblem, InvalidInputError, Problem, path_exists
from bertnado_sweep import Sweeper, confirm_sweep
from bertnado_sweep.confirmation.confirm import require_confirmable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_sweep.records.recorded_sweep import RecordedSweep
    from bertnado_sweep.running.events import Observer


def confirm_recorded(
    output_dir: Path | str,
    *,
    top: int,
    seeds: int | None,
    observer: Observer | None,
    folds: str | None = None,
    dataset: Path | str | None = None,
    model_name: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Confirm the best trials of a recorded sweep; see `bertnado.api.confirm`."""
    recorded = require_confirmable(output_dir, storage=options.get("storage"))
    problems = _other_inputs(recorded, {"dataset": dataset, "model_name": model_name})
    if problems:
        raise InvalidInputError(problems)
    trainer = Sweeper(None, output_dir, model_name, dataset, recorded=recorded).trainer
    number: dict[str, Any] = {"top": top, "seeds": seeds, "folds": folds}
    return confirm_sweep(trainer, output_dir, **number, observer=observer, **options).to_dict()


def _other_inputs(recorded: RecordedSweep, given: Mapping[str, Path | str | None]) -> list[Problem]:
    """Report inputs that are not those of the sweep; what has been moved since may be named anew."""
    problems: list[Problem] = []
    for name, value in given.items():
        before = recorded.record["application"].get(name)
        if value is None or before is None or _was_moved(before):
            continue
        if str(value) != before and not (path_exists(value) and str(Path(value).resolve()) == before):
            message = f"the sweep was run with {{{name}}} {before}, got {value}; remove it"
            problems.append(ArgumentProblem(name, message))
    return problems


def _was_moved(place: str) -> bool:
    """Return True if a recorded directory is no longer there; a name on the hub is not a directory."""
    return Path(place).is_absolute() and not path_exists(place)
