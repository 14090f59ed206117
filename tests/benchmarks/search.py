"""Search methods and early termination on simulated sweeps: `uv run python tests/benchmarks/search.py`.

**Methods.** Random search, `method: bayes`, and Optuna's samplers as its users call them (`TPESampler()`,
`GPSampler()`) search the same surfaces with the same number of trials. A surface gives each point of a sweep file's
space the gap between its true value and a ceiling that no setting passes, on a logarithmic scale. A trial shows the gap
with noise: a normal error of its logarithm with the standard deviation .335, which was measured on repeated trainings.
`regret` is how far the true value of the trial with the best shown value is below the best value of the surface.

**Early termination.** Learning curves approach the same true values at rates that differ from trial to trial. `cost` is
the number of evaluations that were run, in whole trainings.
"""

from __future__ import annotations

import argparse
import math
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from bertnado_config import Hyperband, parse_sweep_config
from bertnado_sweep.backends.local.distributions import StudySpace
from bertnado_sweep.records.trial import Trial
from bertnado_sweep.search.propose import propose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bertnado_config import SweepConfig

MEASURED_NOISE = 0.335
CEILING, BEST_GAP, WORST_GAP = 0.965, 0.006, 0.465
COUNTS = (10, 20, 40)
COSTS = (5, 10, 20)
EVALUATIONS = 15

LEARNING_RATE = {"distribution": "log_uniform_values", "min": 1e-6, "max": 1e-3}
SMOOTH: dict[str, Any] = {
    "learning_rate": LEARNING_RATE,
    "per_device_train_batch_size": {"values": [8, 16, 32, 64]},
    "weight_decay": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-1},
    "warmup_ratio": {"min": 0.0, "max": 0.3},
    "dropout": {"min": 0.0, "max": 0.5},
}
ORDERED: dict[str, Any] = {
    "learning_rate": {"values": [1e-6, 3e-6, 1e-5, 2e-5, 3e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3]},
    "per_device_train_batch_size": {"values": [8, 16, 32, 64, 128]},
    "lora_r": {"values": [1, 2, 4, 8, 16, 32]},
    "lora_alpha": {"values": [4, 8, 16, 32, 64]},
    "epochs": {"min": 1, "max": 8},
}
UNORDERED: dict[str, Any] = SMOOTH | {
    "optim": {"values": ["adamw_torch", "adafactor", "sgd"]},
    "lr_scheduler_type": {"values": ["linear", "cosine", "constant", "polynomial"]},
}


def _steps(values: Mapping[str, Any], best: float) -> float:
    """Return how many times ten the learning rate is above the best one, which grows with the batch size."""
    batch = math.log2(values["per_device_train_batch_size"] / 32)
    return math.log10(values["learning_rate"]) - (best + 0.15 * batch)


def _smooth(values: Mapping[str, Any]) -> float:
    """Return the excess of the logarithm of the gap: a bowl, in which the learning rate matters most."""
    return (
        1.6 * _steps(values, -4.3) ** 2
        + 0.1 * math.log2(values["per_device_train_batch_size"] / 32) ** 2
        + 0.1 * (math.log10(values["weight_decay"]) + 2) ** 2
        + 6.0 * (values["warmup_ratio"] - 0.1) ** 2
        + 3.0 * (values["dropout"] - 0.15) ** 2
    )


def _cliff(values: Mapping[str, Any]) -> float:
    """Return the same, but training diverges a little above the best learning rate, later with a warm-up."""
    return math.inf if _steps(values, -4.3) > 0.25 + values["warmup_ratio"] else _smooth(values)


def _ordered(values: Mapping[str, Any]) -> float:
    """Return the same for choices that have an order."""
    scale = math.log2(values["lora_alpha"] / values["lora_r"])
    return (
        1.6 * (_steps(values, -3.7) + 0.15 * (scale - 2)) ** 2
        + 0.1 * math.log2(values["per_device_train_batch_size"] / 32) ** 2
        + 0.08 * (math.log2(values["lora_r"]) - 3) ** 2
        + 0.04 * (values["epochs"] - 5) ** 2
    )


def _unordered(values: Mapping[str, Any]) -> float:
    """Return the same with choices that have no order; one optimizer needs a much higher learning rate."""
    best = {"adamw_torch": 0.0, "adafactor": 0.2, "sgd": 0.9}[values["optim"]]
    shift = -1.2 if values["optim"] == "sgd" else 0.0
    decay = {"linear": 0.0, "cosine": 0.05, "polynomial": 0.1, "constant": 0.35}[values["lr_scheduler_type"]]
    rate = values["learning_rate"] * 10**shift
    return best + decay + _smooth({**values, "learning_rate": rate})


@dataclass(frozen=True)
class Surface:
    """One problem: a space, and how much worse than the best each of its points is."""

    parameters: Mapping[str, Any]
    excess: Callable[[Mapping[str, Any]], float]
    noise: float

    def gap(self, values: Mapping[str, Any]) -> float:
        """Return the distance of the true value from the ceiling."""
        return min(WORST_GAP, BEST_GAP * math.exp(min(self.excess(values), 20.0)))

    def shown(self, gap: float, random: np.random.Generator) -> float:
        """Return the value that a training shows."""
        return CEILING - min(WORST_GAP, gap * math.exp(self.noise * random.normal()))

    def sweep_config(self, method: str) -> SweepConfig:
        """Return the sweep file."""
        return parse_sweep_config({"method": method, "parameters": dict(self.parameters)})


SURFACES = {
    "smooth": Surface(SMOOTH, _smooth, 0.0),
    "cliff at high learning rates": Surface(SMOOTH, _cliff, 0.0),
    "ordered choices": Surface(ORDERED, _ordered, 0.0),
    "unordered choices": Surface(UNORDERED, _unordered, 0.0),
    "smooth, noise as measured": Surface(SMOOTH, _smooth, MEASURED_NOISE),
    "cliff, noise as measured": Surface(SMOOTH, _cliff, MEASURED_NOISE),
    "ordered choices, noise as measured": Surface(ORDERED, _ordered, MEASURED_NOISE),
    "unordered choices, noise as measured": Surface(UNORDERED, _unordered, MEASURED_NOISE),
}


def product_search(surface: Surface, method: str, seed: int) -> Iterator[tuple[float, float]]:
    """Yield the gap and the shown value of each trial of the product's own search."""
    config = surface.sweep_config(method)
    random = np.random.default_rng(seed)
    trials: list[Trial] = []
    for number in range(max(COUNTS)):
        parameters = propose(config, "maximize", trials, number, seed)
        assert parameters is not None, f"{method} has tried every point of the space"
        gap = surface.gap(parameters)
        value = surface.shown(gap, random)
        trials.append(Trial(number, str(number), "completed", parameters, Path(), "", value=value))
        yield gap, value


def optuna_search(
    surface: Surface, sampler: Callable[[int], optuna.samplers.BaseSampler], seed: int
) -> Iterator[tuple[float, float]]:
    """Yield the gap and the shown value of each trial of a sampler of Optuna's on the same space."""
    space = StudySpace(surface.sweep_config("random")).distributions
    random = np.random.default_rng(seed)
    study = optuna.create_study(direction="maximize", sampler=sampler(seed))
    for _ in range(max(COUNTS)):
        trial = study.ask(dict(space))
        gap = surface.gap(trial.params)
        value = surface.shown(gap, random)
        study.tell(trial, value)
        yield gap, value


METHODS: dict[str, Callable[[Surface, int], Iterator[tuple[float, float]]]] = {
    "random": lambda surface, seed: product_search(surface, "random", seed),
    "bayes": lambda surface, seed: product_search(surface, "bayes", seed),
    "Optuna's TPE": lambda surface, seed: optuna_search(surface, lambda s: optuna.samplers.TPESampler(seed=s), seed),
    "Optuna's GP": lambda surface, seed: optuna_search(surface, lambda s: optuna.samplers.GPSampler(seed=s), seed),
}


def regrets(task: tuple[str, str, int]) -> list[float]:
    """Return the regret of one search after each of `COUNTS` trials."""
    surface, method, seed = task
    gaps, values = zip(*METHODS[method](SURFACES[surface], seed), strict=True)
    return [gaps[int(np.argmax(values[:count]))] - BEST_GAP for count in COUNTS]


RULES: dict[str, Hyperband | None] = {
    "none": None,
    **{
        f"hyperband, min_iter {first}, eta {eta}": Hyperband(min_iter=first, eta=eta)
        for first, eta in product((1, 2, 3), (2, 3))
    },
}


def learning_curve(surface: Surface, gap: float, random: np.random.Generator) -> list[float]:
    """Return the value at each evaluation of a whole training: the gap falls to its end at a rate that is the trial's.

    Half of the noise is the training's, and half that of each evaluation.
    """
    share = surface.noise * math.sqrt(0.5)
    last = gap * math.exp(share * random.normal())
    rate = 0.5 * math.exp(0.5 * random.normal())
    ends = last + (WORST_GAP - last) * np.exp(-rate * np.arange(1, EVALUATIONS + 1))
    return [CEILING - min(WORST_GAP, end * math.exp(share * random.normal())) for end in ends]


def terminated_regrets(task: tuple[str, str, int]) -> list[float]:
    """Return the regret of random search when each of `COSTS` whole trainings is spent, with a rule."""
    name, rule_name, seed = task
    surface, rule, random = SURFACES[name], RULES[rule_name], np.random.default_rng([seed, 1])
    histories: list[list[float]] = []
    gaps: list[float] = []
    found: list[float] = []
    spent = 0
    for number in range(10_000):
        parameters = propose(surface.sweep_config("random"), "maximize", [], number, seed)
        assert parameters is not None, "random search draws without end"
        gap = surface.gap(parameters)
        curve = learning_curve(surface, gap, random)
        run = _evaluations_run(curve, histories, rule)
        while len(found) < len(COSTS) and spent + run > COSTS[len(found)] * EVALUATIONS:
            found.append(gaps[int(np.argmax([max(history) for history in histories]))] - BEST_GAP)
        if len(found) == len(COSTS):
            return found
        spent += run
        gaps.append(gap)
        histories.append(curve[:run])
    raise AssertionError("the costs are never spent")


def _evaluations_run(curve: list[float], histories: list[list[float]], rule: Hyperband | None) -> int:
    stops = (
        count for count in range(1, EVALUATIONS) if rule and rule.should_stop("maximize", curve[:count], histories)
    )
    return next(stops, EVALUATIONS)


def table(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Print the mean of each column with its standard error, in thousandths."""
    print(f"\n| {title} | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, values in rows.items():
        found = 1000 * np.array(values)
        errors = found.std(axis=0, ddof=1) / math.sqrt(len(found))
        cells = [f"{mean:.2f} ± {error:.2f}" for mean, error in zip(found.mean(axis=0), errors, strict=True)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=30)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    seeds = range(given.repetitions)
    with ProcessPoolExecutor(given.processes, initializer=_silence) as pool:
        for name in SURFACES:
            tasks = {method: [(name, method, seed) for seed in seeds] for method in given.methods}
            rows = {method: list(pool.map(regrets, tasks[method])) for method in given.methods}
            table(f"{name}: regret x 1000 after", [f"{count} trials" for count in COUNTS], rows)
        for name in ("smooth", "smooth, noise as measured"):
            tasks = {rule: [(name, rule, seed) for seed in range(10 * given.repetitions)] for rule in RULES}
            rows = {rule: list(pool.map(terminated_regrets, tasks[rule], chunksize=10)) for rule in RULES}
            table(f"{name}, random search: regret x 1000 at the cost of", [f"{cost} trainings" for cost in COSTS], rows)


def _silence() -> None:
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)


if __name__ == "__main__":
    main()
