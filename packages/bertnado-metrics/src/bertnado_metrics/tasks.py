"""The tasks. Each is one object; to add a task, add an object to `TASKS`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from . import classification, intervals, losses, regression
from . import resampled_metrics as resampled
from .array_checks import number_array
from .class_weights import balanced_weights, check_weights, positive_weight, read_class_weights, weight_per_class
from .label_formats import CLASS_INDICES, CONTINUOUS, MULTI_HOT, ZERO_OR_ONE, LabelFormat
from .label_problems import label_problems
from .losses import Loss
from .metric import Metric, mean_loss, metrics_by_name
from .prediction_rules import ArgmaxRule, IdentityRule, PredictionRule, SignRule
from .suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from fractions import Fraction


@dataclass(frozen=True, kw_only=True)
class Task:
    """A prediction task: its labels, its loss, its metrics and its default objective."""

    name: str
    """The name that selects the task, such as `binary_classification`."""
    problem_type: Literal["single_label_classification", "multi_label_classification", "regression"]
    """The `problem_type` of a transformers model configuration."""
    label_dtype: Literal["float32", "int64"]
    """The type of the labels that the loss takes."""
    label_format: LabelFormat
    """The labels that are valid."""
    prediction_rule: PredictionRule
    """The rule that turns logits into predictions."""
    loss: Loss
    """The loss that training minimises."""
    loss_weights: Callable[[Sequence[Fraction]], tuple[float, ...]] | None
    """The function that turns one weight per class into the weights of the loss; `None` if it has none."""
    metrics: Mapping[str, Metric] = field(hash=False)
    """The metrics by name without prefix (`roc_auc`), in the order in which they are shown."""
    default_objective: str
    """The name of the metric that is optimised by default."""

    def __post_init__(self) -> None:
        if self.default_objective not in self.metrics:
            known = ", ".join(self.metrics)
            raise ValueError(f"default_objective of {self.name} must be one of {known}, got {self.default_objective!r}")

    @property
    def uses_class_weights(self) -> bool:
        """True if each row belongs to one class, and the loss weighs the classes."""
        return self.loss_weights is not None

    @property
    def has_positive_class(self) -> bool:
        """True if there are two classes and one logit, that of class 1."""
        return self.uses_class_weights and self.loss.weight_argument == "pos_weight"

    @property
    def predicts_values(self) -> bool:
        """True if labels are measured values, with a unit and a scale."""
        return self.problem_type == "regression"

    def check_labels(self, labels: Any) -> list[str]:
        """Find the mistakes in `labels`: a list, an array or another sequence with one entry per row.

        Returns:
            One message per kind of mistake, with its count, its first row and its cure; none if the labels are valid.
        """
        return label_problems(self.label_format, labels)

    def logit_count(self, labels: Any) -> int:
        """Return the number of logits of a model for `labels`.

        Args:
            labels: The labels of all splits, because the highest class may occur in only one of them.

        Raises:
            ValueError: `check_labels` finds a mistake.
        """
        array = number_array(labels)
        problems = self.check_labels(labels)
        if array is None or problems:
            raise ValueError("; ".join(problems))
        return self.prediction_rule.logit_count(array)

    def class_weights_from(self, content: object) -> tuple[float, ...]:
        """Read the content of a `class_weights.json` as weights for the loss, one per logit.

        Args:
            content: The rows of each class, `{"0": 900, "1": 100}`, which become weights with which every class
                contributes equally; or weights that are used as they are, `{"weights": {"0": 1.0, "1": 9.0}}`.

        Raises:
            ValueError: The content is invalid, or the task does not use class weights.
        """
        try:
            if self.loss_weights is None:
                raise ValueError("class weights are not used; remove class_weights.json or choose another task")
            weights = self.loss_weights(read_class_weights(content))
            check_weights(weights, len(weights))
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from None
        return weights

    def balanced_class_weights(self, labels: Any, classes: int) -> tuple[float, ...]:
        """Return the weights for the loss with which every class contributes equally, one per logit.

        Args:
            labels: The labels of the training rows, without mistakes.
            classes: The number of classes, 2 for a binary task.

        Raises:
            ValueError: The task does not use class weights.
        """
        import numpy as np

        if self.loss_weights is None:
            raise ValueError(f"{self.name}: class weights are not used")
        counts = np.bincount(np.asarray(labels, dtype=np.int64), minlength=classes)
        return self.loss_weights(balanced_weights(counts.tolist()))


_BINARY = Task(
    name="binary_classification",
    problem_type="multi_label_classification",
    label_dtype="float32",
    label_format=ZERO_OR_ONE,
    prediction_rule=SignRule(),
    loss=Loss("binary_cross_entropy_with_logits", "pos_weight", losses.binary_cross_entropy, losses.log_odds),
    loss_weights=positive_weight,
    metrics=metrics_by_name(
        Metric("loss", "minimize", mean_loss, resampled=resampled.loss),
        Metric(
            "accuracy",
            "maximize",
            classification.accuracy_of_labels,
            interval=intervals.wilson,
            resampled=resampled.accuracy_of_labels,
        ),
        Metric("f1", "maximize", classification.f1, resampled=resampled.f1),
        Metric("precision", "maximize", classification.precision, resampled=resampled.precision),
        Metric("recall", "maximize", classification.recall, resampled=resampled.recall),
        Metric(
            "roc_auc", "maximize", classification.roc_auc, 0.5, intervals.hanley_mcneil, resampled=resampled.roc_auc
        ),
        Metric(
            "average_precision", "maximize", classification.average_precision, resampled=resampled.average_precision
        ),
        Metric("mcc", "maximize", classification.mcc_of_labels, 0.0, resampled=resampled.mcc_of_labels),
    ),
    default_objective="roc_auc",
)

_MULTICLASS = Task(
    name="multiclass_classification",
    problem_type="single_label_classification",
    label_dtype="int64",
    label_format=CLASS_INDICES,
    prediction_rule=ArgmaxRule(),
    loss=Loss("cross_entropy", "weight", losses.cross_entropy, losses.log_shares),
    loss_weights=weight_per_class,
    metrics=metrics_by_name(
        Metric("loss", "minimize", mean_loss, resampled=resampled.loss),
        Metric(
            "accuracy",
            "maximize",
            classification.accuracy_of_classes,
            interval=intervals.wilson,
            resampled=resampled.accuracy_of_classes,
        ),
        Metric("f1", "maximize", classification.f1, resampled=resampled.f1_of_classes),
        Metric(
            "precision",
            "maximize",
            classification.precision,
            resampled=resampled.precision_of_classes,
        ),
        Metric(
            "recall",
            "maximize",
            classification.recall,
            resampled=resampled.recall_of_classes,
        ),
        Metric(
            "roc_auc", "maximize", classification.roc_auc, 0.5, intervals.hanley_mcneil, resampled=resampled.roc_auc
        ),
        Metric(
            "average_precision", "maximize", classification.average_precision, resampled=resampled.average_precision
        ),
        Metric("mcc", "maximize", classification.mcc_of_classes, 0.0, resampled=resampled.mcc_of_classes),
    ),
    default_objective="f1",
)

_MULTILABEL = Task(
    name="multilabel_classification",
    problem_type="multi_label_classification",
    label_dtype="float32",
    label_format=MULTI_HOT,
    prediction_rule=SignRule(),
    loss=Loss("binary_cross_entropy_with_logits", None, losses.binary_cross_entropy, losses.log_odds),
    loss_weights=None,
    metrics=_BINARY.metrics,
    default_objective="roc_auc",
)

_REGRESSION = Task(
    name="regression",
    problem_type="regression",
    label_dtype="float32",
    label_format=CONTINUOUS,
    prediction_rule=IdentityRule(),
    loss=Loss("mse_loss", None, losses.squared_error, losses.mean_label),
    loss_weights=None,
    metrics=metrics_by_name(
        Metric("loss", "minimize", mean_loss, resampled=resampled.loss),
        Metric("mse", "minimize", regression.mse, resampled=resampled.mse),
        Metric("rmse", "minimize", regression.rmse, resampled=resampled.rmse),
        Metric("mae", "minimize", regression.mae, resampled=resampled.mae),
        Metric("r2", "maximize", regression.r2, 0.0, resampled=resampled.r2),
        Metric("pearson", "maximize", regression.pearson, 0.0, intervals.fisher_z, resampled=resampled.pearson),
        Metric(
            "spearman", "maximize", regression.spearman, 0.0, intervals.fisher_z_of_ranks, resampled=resampled.spearman
        ),
    ),
    default_objective="r2",
)

TASKS: Mapping[str, Task] = {task.name: task for task in (_BINARY, _MULTICLASS, _MULTILABEL, _REGRESSION)}
"""Every task by name."""


def get_task(task: str | Task) -> Task:
    """Return the task with that name; a task is returned as it is.

    Raises:
        ValueError: The task is unknown; the message has the nearest name and all names.
    """
    if isinstance(task, Task):
        return task
    if task not in TASKS:
        raise ValueError(f"unknown task {task!r}; {did_you_mean(str(task), TASKS)}")
    return TASKS[task]
