"""The task types. A task is one object; another task is another object in `TASKS`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from . import classification, losses, regression
from .array_checks import number_array
from .class_weights import no_weights, positive_weight, weight_per_class
from .label_formats import CLASS_INDICES, CONTINUOUS, MULTI_HOT, ZERO_OR_ONE, LabelFormat
from .label_problems import label_problems
from .losses import Loss
from .metric import Metric, mean_loss, metrics_by_name
from .prediction_rules import ArgmaxRule, IdentityRule, PredictionRule, SignRule
from .suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a model is trained to tell of a sequence."""

    name: str
    problem_type: Literal["single_label_classification", "multi_label_classification", "regression"]
    """The `problem_type` of a transformers model configuration."""
    label_dtype: Literal["float32", "int64"]
    """The type in which the loss takes the labels."""
    label_format: LabelFormat
    """Which labels there are."""
    prediction_rule: PredictionRule
    """Which logit speaks of which label, and what the model decides."""
    loss: Loss
    """What training minimises."""
    read_class_weights: Callable[[Mapping[str, object]], tuple[float, ...]]
    """What the content of a `class_weights.json` means."""
    metrics: Mapping[str, Metric] = field(hash=False)
    """The metrics by their names without prefix (`roc_auc`), in the order in which they are shown."""
    default_objective: str
    """The name of the metric that is optimised where nobody names one."""

    def __post_init__(self) -> None:
        if self.default_objective not in self.metrics:
            raise ValueError(f"{self.name} does not compute its default objective {self.default_objective!r}")

    def check_labels(self, labels: Any) -> list[str]:
        """Say what is wrong with `labels`: a list, an array or another sequence with one entry a row.

        Returns:
            One message for each kind of mistake, with its count, where it is first, and its cure.
        """
        return label_problems(self.label_format, labels)

    def logit_count(self, labels: Any) -> int:
        """Count the logits that a model of `labels` needs.

        Args:
            labels: The labels of all splits: the highest class number counts, wherever it occurs.

        Raises:
            ValueError: `check_labels` finds something wrong.
        """
        array = number_array(labels)
        problems = self.check_labels(labels)
        if array is None or problems:
            raise ValueError("; ".join(problems))
        return self.prediction_rule.logit_count(array)

    def class_weights_from(self, content: Mapping[str, object]) -> tuple[float, ...]:
        """Read the content of a `class_weights.json` as weights for the loss, one for each logit.

        Raises:
            ValueError: The content is unusable, or the task uses no weights.
        """
        try:
            return self.read_class_weights(content)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from None


_BINARY = Task(
    name="binary_classification",
    problem_type="multi_label_classification",
    label_dtype="float32",
    label_format=ZERO_OR_ONE,
    prediction_rule=SignRule(),
    loss=Loss("binary_cross_entropy_with_logits", "pos_weight", losses.binary_cross_entropy),
    read_class_weights=positive_weight,
    metrics=metrics_by_name(
        Metric("loss", "minimize", mean_loss),
        Metric("accuracy", "maximize", classification.accuracy_of_labels),
        Metric("f1", "maximize", classification.f1),
        Metric("precision", "maximize", classification.precision),
        Metric("recall", "maximize", classification.recall),
        Metric("roc_auc", "maximize", classification.roc_auc),
        Metric("average_precision", "maximize", classification.average_precision),
        Metric("mcc", "maximize", classification.mcc_of_labels),
    ),
    default_objective="roc_auc",
)

_MULTICLASS = Task(
    name="multiclass_classification",
    problem_type="single_label_classification",
    label_dtype="int64",
    label_format=CLASS_INDICES,
    prediction_rule=ArgmaxRule(),
    loss=Loss("cross_entropy", "weight", losses.cross_entropy),
    read_class_weights=weight_per_class,
    metrics=metrics_by_name(
        Metric("loss", "minimize", mean_loss),
        Metric("accuracy", "maximize", classification.accuracy_of_classes),
        Metric("f1", "maximize", classification.f1),
        Metric("precision", "maximize", classification.precision),
        Metric("recall", "maximize", classification.recall),
        Metric("roc_auc", "maximize", classification.roc_auc),
        Metric("average_precision", "maximize", classification.average_precision),
        Metric("mcc", "maximize", classification.mcc_of_classes),
    ),
    default_objective="f1",
)

_MULTILABEL = Task(
    name="multilabel_classification",
    problem_type="multi_label_classification",
    label_dtype="float32",
    label_format=MULTI_HOT,
    prediction_rule=SignRule(),
    loss=Loss("binary_cross_entropy_with_logits", None, losses.binary_cross_entropy),
    read_class_weights=no_weights,
    metrics=_BINARY.metrics,
    default_objective="roc_auc",
)

_REGRESSION = Task(
    name="regression",
    problem_type="regression",
    label_dtype="float32",
    label_format=CONTINUOUS,
    prediction_rule=IdentityRule(),
    loss=Loss("mse_loss", None, losses.squared_error),
    read_class_weights=no_weights,
    metrics=metrics_by_name(
        Metric("loss", "minimize", mean_loss),
        Metric("mse", "minimize", regression.mse),
        Metric("rmse", "minimize", regression.rmse),
        Metric("mae", "minimize", regression.mae),
        Metric("r2", "maximize", regression.r2),
        Metric("pearson", "maximize", regression.pearson),
        Metric("spearman", "maximize", regression.spearman),
    ),
    default_objective="r2",
)

TASKS: Mapping[str, Task] = {task.name: task for task in (_BINARY, _MULTICLASS, _MULTILABEL, _REGRESSION)}
"""Every task by its name."""


def get_task(task: str | Task) -> Task:
    """Return the task itself, or the one of that name.

    Raises:
        ValueError: There is no such task; the message has the nearest name and all of them.
    """
    if isinstance(task, Task):
        return task
    if task not in TASKS:
        raise ValueError(f"{task!r} is not a task type; {did_you_mean(str(task), TASKS)}")
    return TASKS[task]
