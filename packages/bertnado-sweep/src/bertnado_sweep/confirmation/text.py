"""A confirmation in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertnado_sweep.records.best import BEST_CONFIG_FILE
from bertnado_sweep.records.confirmation import read_confirmation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bertnado_metrics import Objective

    from bertnado_sweep.records.confirmation import Confirmation, Finalist
    from bertnado_sweep.records.trial import Trial


def describe_confirmation(found: Confirmation) -> list[str]:
    """Return what a confirmation has found: a line for each finalist, the confirmed one first, and for each failure."""
    others = [finalist for finalist in found.finalists if finalist is not found.winning]
    others.sort(key=lambda finalist: -finalist.probability_best)
    lines = [f"confirmed by {found.objective.name}: {_describe(found.winning, found)}"]
    lines += [f"  behind it: {_describe(finalist, found)}" for finalist in others]
    if found.folds is not None:
        lines.append(_CAVEAT)
    return [*lines, *_failures(found)]


_CAVEAT = (
    "  folds share training rows, so ± is how much they differ, too small for an error of the mean "
    "(Bengio and Grandvalet 2004), and the probability is too high"
)


def _describe(finalist: Finalist, found: Confirmation) -> str:
    units = "seed" if found.folds is None else "fold"
    search = f"{finalist.search_value:.4f} in the search"
    if finalist.mean is None:
        return f"trial {finalist.trial}, no value over fresh {units}s ({search})"
    error = "" if finalist.standard_error is None else f" ± {finalist.standard_error:.4f}"
    end = f"the best with probability {finalist.probability_best:.2f}"
    if finalist.dropped_after is not None:
        end = f"dropped after {finalist.dropped_after} {units}s, clearly behind"
    elif found.folds is not None and finalist.units < len(found.folds.groups):
        end = "not compared, because it lacks folds"
    return f"trial {finalist.trial}, mean {finalist.mean:.4f}{error} over {_over(finalist, found)} ({search}), {end}"


def _over(finalist: Finalist, found: Confirmation) -> str:
    if found.folds is None:
        return f"{finalist.n} fresh seed{'s' * (finalist.n != 1)}"
    runs = f" in {finalist.n} runs" if finalist.n != finalist.units else ""
    return f"{finalist.units} fold{'s' * (finalist.units != 1)} by {found.folds.column}{runs}"


def _failures(found: Confirmation) -> Iterator[str]:
    for finalist in found.finalists:
        for run in finalist.runs:
            if run.value is None:
                reason, fold = f": {run.error}" if run.error else "", f" on fold {run.fold}" if run.fold else ""
                what = f"trial {finalist.trial}{fold} with seed {run.seed}"
                yield f"  {what} {run.state} and counts as missing{reason}"


def replacement_note(output_dir: Path, sweep_id: str, best: Trial, objective: Objective) -> list[str]:
    """Return what `describe_replacement` says of a sweep; nothing if it has no confirmed trial.

    Args:
        output_dir: The output directory of the sweep.
        sweep_id: The sweep's.
        best: The best trial of the search.
        objective: The objective of the sweep.
    """
    found = read_confirmation(output_dir)
    is_own = found is not None and found.is_of(sweep_id, objective)
    return describe_replacement(found, best, objective) if found is not None and is_own else []


def describe_replacement(found: Confirmation, best: Trial, objective: Objective) -> list[str]:
    """Return a line on which trial is exported, if another than the confirmed one has the best value of the search."""
    if found.winning.id == best.id or best.value is None:
        return []
    mean = f"trial {found.winner}, confirmed with mean {found.confirmed.mean:.4f}"
    if not found.is_superseded_by(best, objective):
        return [f"{BEST_CONFIG_FILE} holds {mean}"]
    why = (
        f"its {best.value:.4f} is better than that mean, and than all values that the finalists were chosen from "
        f"(best {found.search_best:.4f})"
    )
    cure = "It is the value of one training; bertnado confirm compares it over seeds"
    return [f"trial {best.number + 1} replaces {mean}, in {BEST_CONFIG_FILE}: {why}. {cure}"]
