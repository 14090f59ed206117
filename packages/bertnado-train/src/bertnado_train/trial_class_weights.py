"""The class weights of a trial: those of the dataset's file, unless a parameter sets others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .parameters.namespaces import trial_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .training_setup import TrainingSetup

CLASS_WEIGHTS_FILE = "class_weights.json"


def trial_class_weights(setup: TrainingSetup, parameters: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Return the weights of a trial's loss in training and in evaluation, one per logit; `None` for equal ones.

    Without `class_weight` and `pos_weight` among the parameters they are those of the dataset's `class_weights.json`.
    """
    chosen = trial_settings(parameters).class_weighting
    if chosen is None:
        return setup.dataset.class_weights
    if chosen == "none":
        return None
    if chosen == "balanced":
        return setup.task.balanced_class_weights(setup.train.labels, max(setup.dataset.logits, 2))
    return (float(chosen),)


def named_class_weights(setup: TrainingSetup, parameters: Mapping[str, Any]) -> tuple[str, tuple[float, ...] | None]:
    """Return where the class weights of a trial come from, with the weights."""
    chosen = trial_settings(parameters).class_weighting
    source = CLASS_WEIGHTS_FILE if chosen is None else chosen if isinstance(chosen, str) else "pos_weight"
    return source, trial_class_weights(setup, parameters)
