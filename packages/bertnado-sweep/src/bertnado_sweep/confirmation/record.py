"""The record of a confirmation, made of its runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from bertnado_sweep.records.confirmation import CONFIRMATION_DIRECTORY
from bertnado_sweep.records.files import now
from bertnado_sweep.records.record_format import FORMAT

from .ranking import BOOTSTRAP_SEED, LOOK, RESAMPLES, TEST, mean_and_error, probabilities_best

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_metrics import Objective

    from bertnado_sweep.records.trial import Trial

    from .runs import RunTable


def confirmation_record(
    sweep_id: str, objective: Objective, search_best: float, finalists: Sequence[Trial], table: RunTable
) -> dict[str, Any]:
    """Return the content of `confirmation.json`; its `winner` is None if no finalist has two values.

    Args:
        sweep_id: The id of the sweep whose trials are confirmed.
        objective: Its objective.
        search_best: The best value of the search when the finalists were chosen.
        finalists: The trials of the search, the best first.
        table: Their runs.
    """
    dropped = table.dropped
    is_in = np.array([number not in dropped for number in table.finalists])
    probabilities = probabilities_best(np.where(is_in[:, None], table.scores, np.nan))
    rows = [
        _finalist(trial, table, row, float(probability))
        for trial, row, probability in zip(finalists, table.values, probabilities, strict=True)
    ]
    candidates = [row["mean"] if row["n"] >= LOOK and row["trial"] not in dropped else None for row in rows]
    winner = objective.best_index(candidates)
    return {
        "format": FORMAT,
        "sweep_id": sweep_id,
        "objective": asdict(objective),
        "seeds": table.seeds,
        "folds": None,
        "finalists": rows,
        "winner": None if winner is None else rows[winner]["trial"],
        "search_best": search_best,
        "test": TEST,
        "bootstrap": {"resamples": RESAMPLES, "seed": BOOTSTRAP_SEED},
        "created": now(),
    }


def _finalist(trial: Trial, table: RunTable, values: Any, probability: float) -> dict[str, Any]:
    number = trial.number + 1
    mean, error = mean_and_error(values)
    return {
        "trial": number,
        "id": trial.id,
        "parameters": trial.parameters,
        "search_value": trial.value,
        "runs": [_run(run) for run in table.of_finalist(number)],
        "mean": mean,
        "standard_error": error,
        "n": int(np.isfinite(values).sum()),
        "probability_best": probability,
        "dropped_after": LOOK if number in table.dropped else None,
    }


def _run(run: Trial) -> dict[str, Any]:
    return {
        "seed": run.parameters["seed"],
        "fold": None,
        "value": run.value if run.is_eligible else None,
        "state": run.state,
        "directory": f"{CONFIRMATION_DIRECTORY}/{run.directory.name}",
        "step": run.step,
        "id": run.id,
        "error": run.error,
    }
