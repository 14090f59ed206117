"""The trials that are confirmed, and the seeds that they are trained with."""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING, Any

from bertnado_config import ReseedingTrainer, value_key

from bertnado_sweep.records.best import ranked_trials

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bertnado_config import Trainer
    from bertnado_metrics import Objective

    from bertnado_sweep.records.trial import Trial


def reseeded(trainer: Trainer, parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return the parameters of a trial with another seed, from which all of its random numbers follow."""
    if isinstance(trainer, ReseedingTrainer):
        return dict(trainer.reseeded(parameters, seed))
    return {**parameters, "seed": seed}


def distinct_trials(trials: Iterable[Trial], objective: Objective, trainer: Trainer) -> list[Trial]:
    """Return the trials that have a value, the best first; of those that differ in the seed alone, the best one."""
    known = [trial for trial in trials if trial.parameters]  # W&B may have lost them
    first: dict[str, Trial] = {}
    for trial in ranked_trials(known, objective):
        first.setdefault(value_key(reseeded(trainer, trial.parameters, 0)), trial)
    return list(first.values())


def choose_finalists(ranked: Sequence[Trial], top: int, confirmed: int | None = None) -> list[Trial]:
    """Return the best trials, and the one that an earlier confirmation has confirmed.

    Args:
        ranked: The trials, the best first.
        top: The number of best trials.
        confirmed: The number of the trial that is confirmed already, as it is shown.
    """
    return [*ranked[:top], *(trial for trial in ranked[top:] if trial.number + 1 == confirmed)]


def fresh_seeds(number: int, sweep_seed: int, trials: Iterable[Trial]) -> list[int]:
    """Return the smallest seeds from 1 on that the search has not used."""
    used = {sweep_seed, *(trial.seed for trial in trials), *(trial.parameters.get("seed") for trial in trials)}
    return list(islice((seed for seed in count(1) if seed not in used), number))
