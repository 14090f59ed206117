"""A trainer whose values depend on `x` and the seed, for confirmations."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from bertnado_config import ArgumentProblem, InvalidInputError, Problem, TrialResult
from bertnado_sweep import run_sweep

SWEEP = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [0.1, 0.2, 0.3, 0.4]}, "rate": {"value": 0.5}},
}


def value_of(x, seed, noise=0.1):
    """The value of a training: the search, with seed 7, is lucky with 0.3."""
    luck = 0.5 if (x, seed) == (0.3, 7) else 0.0
    return x + luck + noise * float(np.random.default_rng([round(100 * x), seed]).normal())


@dataclass
class SeedTrainer:
    """Trains to `value_of`; writes a checkpoint."""

    noise: float = 0.1
    failing: tuple = ()
    """Pairs of `x` and seed with which training fails."""
    dies_with: tuple = ()
    """The pair of `x` and seed with which the process is killed, once."""
    pause: float = 0.0
    marker: str = ""
    interrupts: bool = False
    """Interrupt the process in place of killing it."""

    def check(self, config, objective):
        return []

    def open(self):
        return self

    def run(self, parameters, report):
        x, seed = parameters["x"], parameters.get("seed", 7)
        time.sleep(self.pause)
        if (x, seed) in self.failing:
            raise ValueError(f"no luck with seed {seed}")
        if (x, seed) == self.dies_with and not Path(self.marker).exists():
            Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGINT if self.interrupts else signal.SIGKILL)
            time.sleep(0.3)  # the signal is handled in the main thread
        if report.progress(1):
            return TrialResult(None, step=1, stopped=True)
        value = value_of(x, seed, self.noise)
        report(2, value)
        checkpoint = report.directory / "checkpoint"
        checkpoint.mkdir()
        (checkpoint / "weights").write_text(str(value))
        details = {"arguments": {"seed": seed}, "dataset": {"fingerprint": "abc"}, "model": {"fingerprint": "12e"}}
        return TrialResult(value, step=2, seed=seed, checkpoint=checkpoint, details=details)


@dataclass
class FoldTrainer(SeedTrainer):
    """Has data with the columns of `columns`; on a fold, its values are higher by `rises`."""

    columns: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"chromosome": ("1", "2", "10")})
    rises: Mapping[str, float] = field(default_factory=dict)
    fold: str = ""
    problems: Sequence[Problem] = ()

    def groups(self, column):
        if column not in self.columns:
            raise InvalidInputError([ArgumentProblem("folds", f"no column {column!r} for {{folds}}")])
        return self.columns[column]

    def check_folds(self, column, objective):
        return self.problems

    def of_fold(self, column, group):
        return replace(self, fold=group)

    def run(self, parameters, report):
        result = super().run(parameters, report)
        dataset = {"fold": self.fold, "fingerprint": f"abc{self.fold}"}
        details = result.details | {"dataset": dataset}
        return replace(result, value=result.value + self.rises.get(self.fold, 0.0), details=details)


def finalist_record(**given):
    """Return a finalist as `confirmation.json` has it, with these fields and plain ones for the rest."""
    plain = {"id": "t", "parameters": {}, "search_value": 0.5, "runs": [], "mean": None, "standard_error": None}
    return plain | {"n": 0, "probability_best": 0.5, "dropped_after": None} | given


def confirmation_record(sweep_id, finalists, *, seeds=(), winner=1, objective=None):
    """Return the content of a `confirmation.json` with these finalists."""
    return {
        "format": 1,
        "sweep_id": sweep_id,
        "objective": objective or {"name": "score", "goal": "maximize"},
        "seeds": list(seeds),
        "finalists": [finalist_record(**finalist) for finalist in finalists],
        "winner": winner,
        "search_best": 0.5,
    }


def finished_sweep(output, trainer):
    """Run a sweep of four trials with seed 7, in which 0.3 was lucky, and return its directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        run_sweep(trainer, SWEEP, output_dir=output, backend="local", seed=7)
    return output
