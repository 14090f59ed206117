"""What baselines are computed from. Importing this module loads neither torch nor transformers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertnado_metrics.baselines import Rows, compute_baselines
from bertnado_sweep.records.baselines import RecordedBaselines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_metrics import Task

_TRAIN = "train"


@dataclass(frozen=True)
class BaselineData:
    """The rows of a dataset and its task; picklable if the task is."""

    task: Task
    rows: Mapping[str, Rows]
    """By split."""
    logits: int
    class_weights: tuple[float, ...] | None
    fingerprint: str
    """That of the dataset."""

    def compute(self) -> RecordedBaselines:
        """Compute the baselines on all splits but train."""
        evaluated = {name: rows for name, rows in self.rows.items() if name != _TRAIN}
        train, weights = self.rows[_TRAIN], self.class_weights
        table = compute_baselines(self.task, train, evaluated, self.logits, class_weights=weights)
        return RecordedBaselines.of(table, self.fingerprint)
