"""Tasks, metrics and objectives of DNA sequence classifiers.

Importing this package is cheap: numpy, scipy and scikit-learn are imported when a metric is computed.
"""

from .bootstrap import bootstrap_intervals
from .class_table import class_probabilities, count_confusions, predict_classes, tabulate_classes
from .compute import compute_metrics
from .curves import CalibrationBin, Curve, calibration_bins, precision_recall_curve, roc_curve
from .judgement import Judgement, judge
from .losses import Loss
from .metric import Evaluation, Goal, Metric
from .metric_names import metric_name_for_trainer, reported_metric_name
from .objective import Objective, resolve_objective
from .suggestions import did_you_mean, nearest
from .tasks import TASKS, Task, get_task
from .thresholds import DEFAULT_THRESHOLD, Criterion, Threshold, choose_thresholds, criterion_of

__all__ = [
    # tasks
    "TASKS",
    "Task",
    "get_task",
    "Loss",
    "Metric",
    "Evaluation",
    # the objective
    "Goal",
    "Objective",
    "resolve_objective",
    "metric_name_for_trainer",
    "reported_metric_name",
    # metrics
    "compute_metrics",
    "bootstrap_intervals",
    # classes and thresholds
    "class_probabilities",
    "predict_classes",
    "tabulate_classes",
    "count_confusions",
    "DEFAULT_THRESHOLD",
    "Threshold",
    "Criterion",
    "criterion_of",
    "choose_thresholds",
    # figures of predictions
    "Curve",
    "roc_curve",
    "precision_recall_curve",
    "CalibrationBin",
    "calibration_bins",
    # what predictions are worth
    "Judgement",
    "judge",
    # suggestions
    "nearest",
    "did_you_mean",
]
