"""The plan of a sweep: how long its trials are, what they share, and what is worth a warning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertnado_config import Problem

from .devices import describe_visible_devices
from .freeze_plan import frozen_parts_of, planned_features, without_effect
from .learning_rates import PartRates
from .length_grouping import LengthGrouping, measure_grouping
from .parameter_checks import typical_values_of
from .parameters.class_weight_names import CLASS_WEIGHTS
from .parameters.learning_rate_names import HEAD_RATE, LAYER_DECAY
from .parameters.namespaces import trial_settings
from .row_cache import UNCACHED
from .schedule import trial_schedule
from .training_arguments import default_arguments, differences_from_defaults, effective_arguments
from .trial_class_weights import named_class_weights
from .trial_model import TrialSize, TrialSizes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bertnado_config import SweepConfig
    from bertnado_metrics import Objective
    from transformers import TrainingArguments

    from .frozen_parts import TrainedParts
    from .parameters.freeze_names import Freeze
    from .parameters.namespace import TrialSettings
    from .training_setup import TrainingSetup


_INCOMPARABLE = (
    "each trial computes its loss with its own class weights, so the losses of two trials cannot be compared; "
    "choose another metric, or give all trials the same class weights"
)


@dataclass(frozen=True)
class SweepPlan:
    """The trials of a sweep, as far as its parameters determine them."""

    steps: tuple[int, int]
    """Optimiser steps of a trial, minimum and maximum."""
    evaluations: tuple[int, int]
    """Evaluations of a trial, minimum and maximum."""
    arguments: Mapping[str, Any]
    """The effective arguments that all trials share and that differ from the defaults of transformers."""
    dataset: Mapping[str, Any]
    """The record of the dataset."""
    class_weights: Mapping[str, Sequence[float] | None]
    """The weights of the loss, `None` for equal ones, by their source: a value of `class_weight`, `pos_weight` (with
    those of some trial), or `class_weights.json` for trials without both."""
    device: str
    """The devices of this machine that trials train on, with the names of GPUs."""
    class_names: Mapping[int, str]
    """The names of classes by number, as far as the dataset has them."""
    first_row: str
    """The first tokens of the first training row, in words."""
    cache: str
    """The directory of the cache, and the size of the dataset there."""
    grouping: LengthGrouping
    """The effect of grouping by length, with the largest batch."""
    is_grouped: bool
    """Whether some trials group their rows by length."""
    learning_rates: Mapping[str, tuple[float, float]]
    """Minimum and maximum of the first learning rate of `embeddings`, the lowest, and of `head`; empty if all parts of
    the model have the same."""
    trained: tuple[int, int]
    """Parameters that a trial trains, minimum and maximum."""
    parameters: int
    """All parameters of the model, with the largest adapters if there are any."""
    checkpoint_bytes: int
    """The size of the weights in the largest checkpoint of a trial."""
    parts: Mapping[Freeze, TrainedParts]
    """What is trained, by the value of `freeze`; empty if no trial freezes anything."""
    features: str | None
    """What is cached of a frozen backbone, or why nothing is."""


def plan_trials(
    config: SweepConfig,
    objective: Objective,
    setup: TrainingSetup,
    trials: Sequence[Mapping[str, Any]],
    varied: Collection[str],
) -> tuple[SweepPlan | None, list[Problem]]:
    """Make the training arguments of possible trials, and return their plan with what transformers refuses.

    Args:
        config: A sweep without problems in `parameter_problems`.
        objective: The metric that trials are judged by.
        setup: The task, dataset and model.
        trials: The parameters of possible trials, see `distinct_trials`.
        varied: Every target whose value varies among the trials.
    """
    refused: dict[str, None] = {}  # a set that keeps its order
    made: list[TrainingArguments] = []
    valid: list[TrialSettings] = []
    sizes: list[TrialSize] = []
    known = TrialSizes(setup.model)
    weights: dict[str, Sequence[float] | None] = {}
    for parameters in trials:
        try:
            made.append(setup.training_arguments(parameters, objective, "unused"))
            weights.update([named_class_weights(setup, parameters)])
            settings = trial_settings(parameters)
            settings.part_rates.require_parts(setup.probe.parts)
            sizes.append(known.of(settings))
            valid.append(settings)
        except ValueError as error:
            refused.setdefault(str(error))
    problems = [Problem("parameters", reason) for reason in refused]
    if not sizes:
        return None, problems
    rates = _learning_rates(config, len(setup.probe.parts.layers))
    parts, features = frozen_parts_of(valid, sizes), planned_features(setup, valid)
    plan = _summarise(made, varied, weights, rates, sizes, setup, parts, features)
    problems += without_effect(valid)
    problems += _plan_warnings(config, plan)
    if CLASS_WEIGHTS in varied and objective.trainer_name == "loss":
        problems.append(Problem("parameters", _INCOMPARABLE, "warning"))
    return plan, problems


def _summarise(
    made: Sequence[TrainingArguments],
    varied: Collection[str],
    weights: Mapping[str, Sequence[float] | None],
    rates: Mapping[str, tuple[float, float]],
    sizes: Sequence[TrialSize],
    setup: TrainingSetup,
    parts: Mapping[Freeze, TrainedParts],
    features: str | None,
) -> SweepPlan:
    schedules = [trial_schedule(arguments, len(setup.train)) for arguments in made]
    steps = [schedule.steps for schedule in schedules]
    evaluations = [schedule.evaluations for schedule in schedules]
    batch, accumulation = max((a.per_device_train_batch_size, a.gradient_accumulation_steps) for a in made)
    return SweepPlan(
        steps=(min(steps), max(steps)),
        evaluations=(min(evaluations), max(evaluations)),
        arguments=differences_from_defaults(_shared_arguments(made, varied)),
        dataset=setup.dataset.summary,
        class_weights=weights,
        device="cpu" if all(arguments.device.type == "cpu" for arguments in made) else describe_visible_devices(),
        class_names={number: name for name, number in (setup.dataset.label2id or {}).items()},
        first_row=setup.dataset.first_row,
        cache=setup.dataset.cache.describe() if setup.dataset.cache else UNCACHED,
        grouping=measure_grouping(setup.train, batch, accumulation),
        is_grouped=any(arguments.train_sampling_strategy == "group_by_length" for arguments in made),
        learning_rates=rates,
        trained=(min(size.parts.trained_weights for size in sizes), max(size.parts.trained_weights for size in sizes)),
        parameters=max(size.parts.weights for size in sizes),
        checkpoint_bytes=max(size.checkpoint_bytes for size in sizes),
        parts=parts,
        features=features,
    )


def _learning_rates(config: SweepConfig, layers: int) -> dict[str, tuple[float, float]]:
    decays, heads = (typical_values_of(config, name) for name in (LAYER_DECAY, HEAD_RATE))
    if not decays and not heads:
        return {}
    rates = typical_values_of(config, "learning_rate") or [default_arguments()["learning_rate"]]
    ends = [PartRates(decay, None).lowest(layers, rate) for decay in decays or [1.0] for rate in rates]
    heads = heads or rates
    return {"embeddings": (min(ends), max(ends)), "head": (min(heads), max(heads))}


def _shared_arguments(made: Sequence[TrainingArguments], varied: Collection[str]) -> dict[str, Any]:
    first, *others = (effective_arguments(arguments) for arguments in made)
    return {
        name: value
        for name, value in first.items()
        if name not in varied and all(other[name] == value for other in others)
    }


def _plan_warnings(config: SweepConfig, plan: SweepPlan) -> list[Problem]:
    found = {
        "parameters.eval_steps": _single_evaluation(plan),
        "parameters.train_sampling_strategy": _biased_batches(plan),
        "early_terminate": _unreachable_evaluation(config, plan),
    }
    return [Problem(place, message, "warning") for place, message in found.items() if message]


def _single_evaluation(plan: SweepPlan) -> str | None:
    fewest, most = plan.evaluations
    if fewest > 1:
        return None
    return (
        f"{'every trial has' if most == 1 else 'some trials have'} a single evaluation, so the best checkpoint is the "
        f"last; evaluate more often (the shortest trial has {plan.steps[0]} steps)"
    )


def _biased_batches(plan: SweepPlan) -> str | None:
    if not plan.is_grouped or not plan.grouping.is_biased:
        return None
    return (
        f"labels depend on length here: in batches of {plan.grouping.batch} rows of similar length, the batch alone "
        f"explains {plan.grouping.label_share:.0%} of the labels, so consecutive steps see different labels; "
        f"do not group by length"
    )


def _unreachable_evaluation(config: SweepConfig, plan: SweepPlan) -> str | None:
    most = plan.evaluations[1]
    first = config.early_terminate.first_evaluation if config.early_terminate else None
    if first is None or first < most:
        return None
    return (
        f"the rule can first stop a trial after {first} evaluations, and no trial has more than {most}, so none would "
        f"be stopped early; evaluate more often or change the rule"
    )
