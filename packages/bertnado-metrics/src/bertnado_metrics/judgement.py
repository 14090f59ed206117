"""What the predictions of a trained model are worth: signs that it has learnt nothing, and the noise of its value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from .compute import match_rows
from .intervals import confidence_interval
from .tasks import Task, get_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .intervals import Interval
    from .metric import Evaluation

_SHARE_OF_CONSTANT = 0.99
"""A loss of at least this share of that of a constant prediction counts as equal to it."""


@dataclass(frozen=True)
class Judgement:
    """The judgement of a model by its predictions for the validation split."""

    findings: tuple[str, ...]
    """What is wrong with the predictions, as words after the name of the model: `calls every validation row positive`.
    """
    interval: Interval | None
    """The approximate 95 % interval of the objective; `None` if it cannot be computed."""
    rows: int
    """The number of validation rows."""

    def to_record(self) -> dict[str, Any]:
        """Return it in plain values, ready for JSON."""
        return {"findings": list(self.findings), "interval": list(self.interval or ()), "rows": self.rows}

    @classmethod
    def from_record(cls, record: object) -> Judgement | None:
        """Read what `to_record` returned; return `None` for anything else."""
        known = cast("dict[str, Any]", record) if isinstance(record, dict) else {}
        match known:
            case {"findings": [*findings], "interval": [*ends], "rows": int(rows)}:
                numbers = [float(end) for end in ends if isinstance(end, int | float)]
                interval = (numbers[0], numbers[1]) if len(numbers) == 2 else None
                return cls(tuple(map(str, findings)), interval, rows)
            case _:
                return None

    def describe_interval(self, name: str, value: float) -> str | None:
        """Return value and interval in words; `None` without an interval.

        Args:
            name: The name of the objective.
            value: Its value.
        """
        if self.interval is None:
            return None
        low, high = self.interval
        rows = f"on {self.rows:,} validation rows"
        return f"{name} {value:.4g} has an approximate 95% interval of {low:.4g} to {high:.4g} {rows}"


def judge(
    task: str | Task,
    logits: Any,
    labels: Any,
    metrics: Mapping[str, float],
    objective: str,
    *,
    class_weights: Sequence[float] | None = None,
) -> Judgement:
    """Judge predictions for the validation split.

    Args:
        task: The task or its name.
        logits: As for `compute_metrics`.
        labels: As for `compute_metrics`.
        metrics: What `compute_metrics` returns for them.
        objective: The name of the metric whose interval is computed, without prefix.
        class_weights: As for `compute_metrics`.

    Raises:
        ValueError: As for `compute_metrics`.
    """
    task = get_task(task)
    rows = match_rows(task, logits, labels, class_weights)
    evaluation = rows.evaluate(task)
    if evaluation is None:
        return Judgement((), None, len(rows.logits))
    limit = task.loss.of_constant(rows.logits.shape, rows.labels, rows.class_weights)
    findings = tuple(_findings(task, evaluation, metrics, limit))
    metric = task.metrics.get(objective)
    interval = confidence_interval(metric, evaluation, metrics[objective]) if metric else None
    return Judgement(findings, interval, len(rows.logits))


def _findings(task: Task, evaluation: Evaluation, metrics: Mapping[str, float], limit: float | None) -> Iterator[str]:
    poor = [
        f"{name} {metrics[name]:.4g}"
        for name, metric in task.metrics.items()
        if metric.uninformed is not None and name in metrics and metrics[name] <= metric.uninformed
    ]
    constant = task.prediction_rule.describe_constant(evaluation)
    if constant:
        yield f"{constant} ({', '.join(poor)})" if poor else constant
    elif poor:
        yield f"has {', '.join(poor)}, no better than predictions that ignore the sequences"
    loss = metrics.get("loss")
    if limit and loss is not None and loss >= _SHARE_OF_CONSTANT * limit:
        scores = task.prediction_rule.describe_scores(evaluation)
        yield f"has a loss of {loss:.4g}, where one prediction for all rows has {limit:.4g}{scores}"
