"""What is worth knowing of the best trial of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertnado_metrics import Judgement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_metrics import Objective

    from .trial import Trial


def winner_notes(trials: Sequence[Trial], best: Trial, objective: Objective) -> list[str]:
    """Return lines about the best trial: why it may be worth nothing, and the noise of its value.

    A trainer records the `judgement` of a trial in its details, see `bertnado_metrics.Judgement`. Without one, and for
    what it lacks, there are no lines.

    Args:
        trials: All trials of the sweep.
        best: The best of them.
        objective: The objective of the sweep.
    """
    judgement = Judgement.from_record(best.details.get("judgement"))
    if judgement is None or best.value is None:
        return []
    notes = [f"Warning: the best trial, number {best.number + 1}, {finding}" for finding in judgement.findings]
    noise = judgement.describe_interval(objective.name, best.value)
    if noise is None or judgement.interval is None:
        return notes
    low, high = judgement.interval
    values = [trial.value for trial in trials if trial.is_eligible and trial.value is not None]
    within = sum(low <= value <= high for value in values)
    return [*notes, f"{noise}; trials within it: {within} of {len(values)}"]
