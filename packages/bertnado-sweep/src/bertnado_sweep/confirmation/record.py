"""The record of a confirmation, made of its runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from bertnado_sweep.records.files import now
from bertnado_sweep.records.record_format import FORMAT

from .ranking import BOOTSTRAP_SEED, LOOK, RESAMPLES, TEST, TEST_OVER_FOLDS, mean_and_error, probabilities_best

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_metrics import Objective

    from bertnado_sweep.records.trial import Trial

    from .design import Block
    from .runs import RunTable


def confirmation_record(
    sweep_id: str, objective: Objective, search_best: float, finalists: Sequence[Trial], table: RunTable
) -> dict[str, Any]:
    """Return the content of `confirmation.json`; its `winner` is None if no finalist has enough values.

    That is two; over folds it is one in each, because folds differ more than finalists do.

    Args:
        sweep_id: The id of the sweep whose trials are confirmed.
        objective: Its objective.
        search_best: The best value of the search when the finalists were chosen.
        finalists: The trials of the search, the best first.
        table: Their runs.
    """
    folds, dropped, units = table.design.folds, table.dropped, table.units
    fewest = LOOK if folds is None else len(folds.groups)
    is_in = np.array(
        [
            number not in dropped and (folds is None or np.isfinite(row).all())
            for number, row in zip(table.finalists, units, strict=True)
        ]
    )
    probabilities = probabilities_best(np.where(is_in[:, None], table.signed(units), np.nan))
    rows = [
        _finalist(trial, table, row, float(probability))
        for trial, row, probability in zip(finalists, units, probabilities, strict=True)
    ]
    counts = np.isfinite(units).sum(axis=1)
    candidates = [
        row["mean"] if count >= fewest and row["trial"] not in dropped else None
        for row, count in zip(rows, counts, strict=True)
    ]
    winner = objective.best_index(candidates)
    return {
        "format": FORMAT,
        "sweep_id": sweep_id,
        "objective": asdict(objective),
        "seeds": table.design.seeds,
        "folds": None if folds is None else folds.model_dump(),
        "finalists": rows,
        "winner": None if winner is None else rows[winner]["trial"],
        "search_best": search_best,
        "test": TEST if folds is None else TEST_OVER_FOLDS,
        "bootstrap": {"resamples": RESAMPLES, "seed": BOOTSTRAP_SEED},
        "created": now(),
    }


def _finalist(trial: Trial, table: RunTable, units: Any, probability: float) -> dict[str, Any]:
    number = trial.number + 1
    mean, error = mean_and_error(units)
    runs = table.of_finalist(number)
    return {
        "trial": number,
        "id": trial.id,
        "parameters": trial.parameters,
        "search_value": trial.value,
        "runs": [_run(block, run, table.design.directory) for block, run in runs],
        "mean": mean,
        "standard_error": error,
        "n": sum(run.is_eligible for _, run in runs),
        "probability_best": probability,
        "dropped_after": LOOK if number in table.dropped else None,
    }


def _run(block: Block, run: Trial, directory: str) -> dict[str, Any]:
    return {
        "seed": block.seed,
        "fold": block.fold,
        "value": run.value if run.is_eligible else None,
        "state": run.state,
        "directory": f"{directory}/{run.directory.name}",
        "step": run.step,
        "id": run.id,
        "error": run.error,
    }
