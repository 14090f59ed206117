"""What confirmation over seeds costs and gives, on simulated sweeps: `uv run python tests/benchmarks/confirmation.py`.

A configuration has a true value, and each training of it shows that value with noise. The noise is that of one real
configuration, whose validation values over 6 seeds lie between .668 and .715. The true values lie below a ceiling, as
far apart as it takes for two measurements of the 20 best of 146 configurations to correlate at .30, as validation and
test did on 146 recorded runs. The search draws configurations at random.

Two ways of spending the same number of trainings are compared: all on the search, whose best value is reported; or some
on the search and the rest on fresh seeds for the best trials, by the rules of `bertnado confirm`, whose mean is
reported. `regret` is how far the chosen configuration is below the best possible one; `bias` and `error` are the mean
and the mean absolute difference between the reported and the true value of the chosen one.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from bertnado_sweep.confirmation.ranking import LOOK, clearly_behind, probabilities_best

MEASURED_NOISE = (0.715 - 0.668) / 2.534
"""The standard deviation: the range of 6 normal values is 2.534 of it on average (Tippett 1925)."""
CORRELATION = 0.30
RUNS, BEST = 146, 20


@dataclass(frozen=True)
class Outcome:
    """What came of one simulated sweep."""

    regret: float
    error: float
    """The reported value less the true one."""
    trainings: int
    claim: float = np.nan
    """The stated probability that the chosen finalist is the best of them."""
    is_best: float = np.nan


def draw(count: int, spread: float, random: np.random.Generator) -> np.ndarray:
    """Draw true values, relative to the ceiling."""
    return -random.exponential(spread, count)


def top_correlation(spread: float, noise: float, repetitions: int, random: np.random.Generator) -> float:
    """Return the mean correlation of two measurements of the best of many configurations."""
    found = []
    for _ in range(repetitions):
        true = draw(RUNS, spread, random)
        first, second = (true + noise * random.normal(size=RUNS) for _ in range(2))
        best = np.argsort(-first)[:BEST]
        found.append(np.corrcoef(first[best], second[best])[0, 1])
    return float(np.mean(found))


def find_spread(noise: float, repetitions: int = 200) -> float:
    """Return the spread of the true values at which the correlation is the recorded one."""
    low, high = 0.0, 20 * noise
    for _ in range(12):
        middle = (low + high) / 2
        is_less = top_correlation(middle, noise, repetitions, np.random.default_rng(0)) < CORRELATION
        low, high = (middle, high) if is_less else (low, middle)
    return (low + high) / 2


def search_alone(trainings: int, spread: float, noise: float, random: np.random.Generator) -> Outcome:
    """Spend everything on the search, and report its best value."""
    true = draw(trainings, spread, random)
    values = true + noise * random.normal(size=trainings)
    best = values.argmax()
    return Outcome(-float(true[best]), float(values[best] - true[best]), trainings)


def search_and_confirm(
    trainings: int, top: int, seeds: int, spread: float, noise: float, random: np.random.Generator
) -> Outcome:
    """Search with what confirmation leaves, confirm the best trials, and report the mean of the confirmed one."""
    true = draw(trainings - top * seeds, spread, random)
    finalists = np.argsort(-(true + noise * random.normal(size=len(true))))[:top]
    values = true[finalists, None] + noise * random.normal(size=(top, seeds))
    if seeds > LOOK:
        values[clearly_behind(values[:, :LOOK]), LOOK:] = np.nan
    compared = np.where(np.isnan(values).any(axis=1, keepdims=True), np.nan, values)
    means = np.where(np.isnan(compared).any(axis=1), -np.inf, compared.sum(axis=1) / seeds)
    best = means.argmax()
    chosen = finalists[best]
    return Outcome(
        -float(true[chosen]),
        float(means[best] - true[chosen]),
        len(true) + int(np.isfinite(values).sum()),
        float(probabilities_best(compared)[best]),
        float(true[chosen] == true[finalists].max()),
    )


def row(name: str, noise: float, outcomes: list[Outcome]) -> str:
    """Return a row of the table."""
    errors = np.array([outcome.error for outcome in outcomes])
    regret, used, claim, is_best = (
        np.mean([getattr(outcome, field) for outcome in outcomes])
        for field in ("regret", "trainings", "claim", "is_best")
    )
    stated = "" if np.isnan(claim) else f"{claim:.2f} / {is_best:.2f}"
    numbers = f"{regret:.4f} | {errors.mean():+.4f} | {np.abs(errors).mean():.4f}"
    return f"| {noise:.4f} | {name} | {used:.1f} | {numbers} | {stated} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", type=int, default=40)
    parser.add_argument("--repetitions", type=int, default=400)
    given = parser.parse_args()
    spread = find_spread(MEASURED_NOISE)
    print(
        f"noise as measured {MEASURED_NOISE:.4f}, spread of the true values {spread:.4f}; {given.trainings} trainings"
    )
    print("| noise | trainings | used | regret | bias | error | probability of the best: stated / true |")
    print("|---|---|---|---|---|---|---|")
    for factor in (0.5, 1.0, 2.0):
        noise = factor * MEASURED_NOISE
        random = np.random.default_rng(1)
        alone = [search_alone(given.trainings, spread, noise, random) for _ in range(given.repetitions)]
        print(row(f"{given.trainings} search", noise, alone))
        for top, seeds in ((3, 3), (3, 5), (5, 3)):
            way = (given.trainings, top, seeds, spread, noise)
            found = [search_and_confirm(*way, random) for _ in range(given.repetitions)]
            print(row(f"{given.trainings - top * seeds} search, {top} confirmed with {seeds} seeds", noise, found))


if __name__ == "__main__":
    main()
