"""Comparing finalists by their values over seeds, as arrays `(finalists, seeds)` in which higher is better.

A finalist that is clearly behind after its first two seeds gets no more. The rule is Gupta's subset selection in a
randomized block design, with the seeds as blocks: a finalist is dropped if its mean is behind the best one by more than
`t * s * sqrt(2 / seeds)`. `s` is the standard deviation of what finalists and seeds do not explain, pooled over all
finalists, with `(finalists - 1) * (seeds - 1)` degrees of freedom. `t` is the quantile of Student's distribution at
`1 - LEVEL / (finalists - 1)`, Bonferroni's bound of Gupta's constant. So the finalist that is truly the best is dropped
with a probability of at most `LEVEL`, if the noise is normal and equally large for all. There is a single look, at two
seeds, so the level holds for the whole confirmation.

A t test of each pair of finalists would have one degree of freedom at two seeds, and so almost no power.

Gupta, S. S. (1965): On some multiple decision (selection and ranking) rules. Technometrics 7, 225-245.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.1
"""The probability, at most, that the truly best finalist is dropped."""

LOOK = 2
"""The number of seeds, or of folds, after which finalists are dropped."""

RESAMPLES = 10_000
BOOTSTRAP_SEED = 0

TEST = (
    f"dropped after {LOOK} seeds if the mean is behind the best by more than t * s * sqrt(2 / {LOOK}): Gupta's subset "
    "selection with seeds as blocks (Technometrics 7, 1965, 225-245), s pooled over all finalists, t at Bonferroni's "
    f"bound, level {LEVEL:g}"
)
"""The rule in words, for the record."""

TEST_OVER_FOLDS = TEST.replace("seeds", "folds")


def clearly_behind(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which finalists are clearly behind the best one.

    Args:
        values: `(finalists, seeds)`, complete, with at least two seeds.
    """
    from scipy.special import stdtrit  # pyright: ignore[reportMissingTypeStubs] (scipy has none)

    finalists, seeds = values.shape
    means = values.mean(axis=1)
    if finalists < 2:
        return np.array([False] * finalists)
    freedom = (finalists - 1) * (seeds - 1)
    unexplained = values - means[:, None] - values.mean(axis=0) + values.mean()
    deviation = np.sqrt(np.square(unexplained).sum() / freedom)
    quantile = float(stdtrit(freedom, 1 - LEVEL / (finalists - 1)))
    return np.asarray(means.max() - means > quantile * deviation * np.sqrt(2 / seeds), dtype=bool)


def means_by_fold(values: NDArray[np.float64], folds: int) -> NDArray[np.float64]:
    """Return the mean of the values that there are in each fold: `(finalists, folds)`; NaN without any.

    Values of one fold share their rows, so that together they count once.

    Args:
        values: `(finalists, repetitions * folds)`, in which the folds take turns.
        folds: The number of folds.
    """
    repeated = values.reshape(len(values), -1, folds)
    is_known = np.isfinite(repeated)
    counts = is_known.sum(axis=1)
    return np.where(counts > 0, np.where(is_known, repeated, 0.0).sum(axis=1) / np.maximum(counts, 1), np.nan)


def mean_and_error(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Return the mean of the values that there are, and its standard error; each is None if there are too few."""
    known = values[np.isfinite(values)]
    mean = float(known.mean()) if len(known) else None
    return mean, float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else None


def probabilities_best(values: NDArray[np.float64], seed: int = BOOTSTRAP_SEED) -> NDArray[np.float64]:
    """Return for each finalist the share of bootstrap samples of the seeds in which it has the best mean.

    The same seeds are drawn for all finalists, so that what a seed does to all of them cancels out. With few seeds the
    bootstrap is somewhat too sure.

    Args:
        values: `(finalists, seeds)`; NaN for a value that is missing. A finalist without any is never the best.
        seed: The seed of the bootstrap.
    """
    seeds = values.shape[1]
    chosen = np.random.default_rng(seed).integers(seeds, size=(RESAMPLES, seeds))
    drawn = values[:, chosen]
    is_known = np.isfinite(drawn)
    counts = is_known.sum(axis=2)
    means = np.where(counts > 0, np.where(is_known, drawn, 0.0).sum(axis=2) / np.maximum(counts, 1), -np.inf)
    is_best = (means == means.max(axis=0)) & (counts > 0)
    return (is_best / np.maximum(is_best.sum(axis=0), 1)).mean(axis=1)
