"""Letting a trainer measure what trials cost, before the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertnado_config import ForecastingTrainer, InvalidInputError, Problem

from .backends import get_backend_type
from .records.training_states import share_done
from .running.error_text import one_line
from .running.forecast import SweepForecast, forecast_sweep
from .running.worker_pool import worker_environments
from .search.expected import expected_trials, interrupted_trials
from .start import JoinedWandbSweep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bertnado_config import SweepConfig, Trainer
    from bertnado_metrics import Objective

    from .options import SweepOptions
    from .records.trial import Trial
    from .search import SearchMethod
    from .start import SweepStart


def measure_trials(
    trainer: Trainer,
    config: SweepConfig,
    objective: Objective,
    options: SweepOptions,
    start: SweepStart,
    *,
    method: SearchMethod,
    budget: int,
    workers: int,
    output_dir: Path,
) -> tuple[SweepForecast | None, Sequence[Problem]]:
    """Return the forecast of what a sweep has left, if it is wanted and the trainer can make one, and all problems.

    Args:
        trainer: The trainer, which has found no error in the sweep.
        config: The sweep file.
        objective: The objective by which trials are judged.
        options: The options of the sweep.
        start: How the sweep starts.
        method: The search method.
        budget: The number of trials that the sweep may count.
        workers: The number of processes that train at once.
        output_dir: The output directory, which need not exist yet.
    """
    if not options.dry_run or not isinstance(trainer, ForecastingTrainer):
        return None, ()
    places: list[Mapping[str, str]] = [*worker_environments(workers)] if workers > 1 else [{}]
    directory = next(path for path in (output_dir, *output_dir.parents) if path.is_dir())
    try:
        past = _past_trials(start)
        left = budget - (0 if isinstance(start, JoinedWandbSweep) else sum(trial.is_counted for trial in past))
        trials = expected_trials(config, objective.goal, past, left, options.seed, method)
        if not trials:
            return None, ()
        measured = trainer.forecast(config, objective, trials, places=places, directory=directory)
    except InvalidInputError as error:
        return None, error.problems
    except Exception as error:  # noqa: BLE001 (if trials fail in the same way, they are recorded as failed)
        message = f"what trials cost could not be measured, so there is no forecast: {one_line(error)}"
        return None, [Problem("", message, "warning")]
    done = [share_done(trial) for trial in interrupted_trials(config, past)]
    return forecast_sweep(measured, config, left, workers, options.time_limit, done), measured.problems


def _past_trials(start: SweepStart) -> Sequence[Trial]:
    recorded = start.recorded
    return () if recorded is None else get_backend_type(recorded.backend).read_trials(recorded)[0]
