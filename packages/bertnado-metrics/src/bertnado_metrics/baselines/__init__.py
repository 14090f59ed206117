"""Simple models of sequences, in the same metrics as a trained one: what a large model must beat to be worth it.

Importing this package loads numpy; scikit-learn and scipy are imported when a baseline is computed.
"""

from .compute import BaselineResult, BaselineTable, compute_baselines
from .protocol import Baseline, FittedBaseline, Problem
from .registry import BASELINES
from .rows import MOST_EVALUATED, MOST_TRAINED, Rows, sampled_rows

__all__ = [
    # the table
    "compute_baselines",
    "BaselineTable",
    "BaselineResult",
    "Rows",
    # large datasets
    "MOST_TRAINED",
    "MOST_EVALUATED",
    "sampled_rows",
    # baselines of one's own
    "BASELINES",
    "Baseline",
    "FittedBaseline",
    "Problem",
]
