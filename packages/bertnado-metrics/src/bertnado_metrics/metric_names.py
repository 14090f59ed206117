"""The spellings of metric names, and the answer to an unknown one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .suggestions import did_you_mean, nearest
from .tasks import TASKS

if TYPE_CHECKING:
    from .tasks import Task

EVALUATION_PREFIX = "eval/"
"""The beginning of the name under which an evaluation metric is reported."""

_SYNONYMS = {
    "loss": ("bce", "bce_loss", "cross_entropy", "ce_loss", "log_loss", "logloss", "nll", "nll_loss"),
    "accuracy": ("acc", "accuracy_score", "top1"),
    "f1": ("f1_score", "f_score", "fscore", "f_measure", "f1_macro", "macro_f1", "f1_micro", "f1_weighted"),
    "precision": ("ppv", "precision_score", "precision_macro", "macro_precision"),
    "recall": ("sensitivity", "tpr", "true_positive_rate", "recall_score", "recall_macro", "macro_recall"),
    "roc_auc": ("auc", "auroc", "rocauc", "roc", "roc_auc_score", "auc_roc", "aucroc"),
    "average_precision": (
        *("ap", "map", "auprc", "aupr", "prauc", "pr_auc", "auc_pr", "aucpr", "avg_precision"),
        *("average_precision_score", "mean_average_precision", "precision_recall_auc"),
    ),
    "mcc": ("matthews", "matthews_correlation", "matthews_correlation_coefficient", "matthews_corrcoef"),
    "mse": ("mean_squared_error", "squared_error", "mse_loss"),
    "rmse": ("root_mean_squared_error", "rms_error"),
    "mae": ("mean_absolute_error", "absolute_error"),
    "r2": ("r_squared", "rsquared", "r2_score", "coefficient_of_determination", "explained_variance"),
    "pearson": ("pearsonr", "pearson_r", "pearson_correlation", "pcc", "r", "correlation", "corrcoef"),
    "spearman": ("spearmanr", "spearman_r", "spearman_rho", "spearman_correlation", "rho"),
}
"""Other names of the metrics, in other libraries and in papers."""
_MEANINGS = {synonym: name for name, synonyms in _SYNONYMS.items() for synonym in synonyms}
_SPLITS = re.compile("(?P<split>eval|evaluation|valid|validation|val|dev|train|training|test)[^a-z0-9]+")
_OTHER_SPLITS = ("train", "training", "test")


def metric_name_for_trainer(name: str) -> str:
    """Return a metric's name as the Hugging Face `Trainer` takes it.

    `eval/roc_auc`, `eval_roc_auc` and `roc_auc` all become `roc_auc`.
    """
    return re.sub("^eval[/_]", "", name)


def reported_metric_name(name: str) -> str:
    """Return a metric's name as it is reported.

    `eval/roc_auc`, `eval_roc_auc` and `roc_auc` all become `eval/roc_auc`.
    """
    return EVALUATION_PREFIX + metric_name_for_trainer(name)


def explain_unknown_metric(name: str, task: Task) -> str:
    """Return the message for a metric that `task` does not compute, with the name that was probably meant."""
    split = _SPLITS.match(name.casefold())
    bare = name.casefold()[split.end() :] if split else name.casefold()
    suggestion = _closest_metric(bare, task)
    hint = did_you_mean(
        bare,
        map(reported_metric_name, task.metrics),
        suggestion=reported_metric_name(suggestion) if suggestion else None,
    )
    if split and split["split"] in _OTHER_SPLITS:
        return f"metric {name!r} is not an evaluation metric; trials are compared on the validation split; {hint}"
    others = [] if bare in task.metrics else [other.name for other in TASKS.values() if bare in other.metrics]
    only = f", only for {', '.join(others)}" if others else ""
    return f"metric {name!r} is not computed for {task.name}{only}; {hint}"


def _closest_metric(bare: str, task: Task) -> str | None:
    plain = re.sub("[^a-z0-9]+", "_", bare)
    synonym = _MEANINGS.get(plain)
    return synonym if synonym in task.metrics else nearest(bare, task.metrics)
