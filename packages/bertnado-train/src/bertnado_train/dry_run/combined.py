"""What processes measured at the same time, as one."""

from __future__ import annotations

import statistics
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from bertnado_train.batch_size_limit import BatchSizeLimit

from .measuring import Measured, MeasuredKind
from .step_cost import StepCost

if TYPE_CHECKING:
    from collections.abc import Sequence


def combine(runs: Sequence[Measured]) -> Measured:
    """Return mean times, the most memory, and the batches that fit everywhere."""
    return replace(
        runs[0],
        kinds=[_combine_kinds(kinds) for kinds in zip(*(run.kinds for run in runs), strict=True)],
        limit=_smallest([run.limit for run in runs]),
        batch=min(run.batch for run in runs),
        prepare=statistics.mean(run.prepare for run in runs),
        keep=statistics.mean(run.keep for run in runs),
        save=statistics.mean(run.save for run in runs),
        memory_bytes=max(run.memory_bytes for run in runs),
    )


def _combine_kinds(kinds: Sequence[MeasuredKind]) -> MeasuredKind:
    names = [field.name for field in fields(StepCost)]
    cost = StepCost(*(statistics.mean(getattr(kind.cost, name) for kind in kinds) for name in names))
    batches = [
        replace(same[0], seconds=statistics.mean(batch.seconds for batch in same))
        for same in zip(*(kind.batches for kind in kinds), strict=True)
    ]
    evaluation = replace(kinds[0].evaluation, seconds=statistics.mean(kind.evaluation.seconds for kind in kinds))
    return MeasuredKind(cost, batches, evaluation, statistics.mean(kind.features for kind in kinds))


def _smallest(limits: Sequence[BatchSizeLimit]) -> BatchSizeLimit:
    failed = [limit.smallest_failed for limit in limits if limit.smallest_failed is not None]
    evaluation = [limit.evaluation for limit in limits if limit.evaluation is not None]
    return BatchSizeLimit(min(failed, default=None), min(evaluation, default=None))
