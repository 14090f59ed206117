"""What the trials of a sweep train, and what is cached of a frozen backbone, as far as it is known before the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertnado_config import Problem

from .backbone_outputs import NotSeparableError
from .feature_files import NotCachedError, features_directory, require_room
from .feature_reading import NotObservableError, find_reader
from .frozen_parts import TrainedParts, freeze_parts
from .new_thread import run_in_new_thread
from .parameters.namespaces import trial_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from transformers import PreTrainedModel

    from .parameters.freeze_names import Freeze
    from .parameters.namespace import TrialSettings
    from .training_setup import TrainingSetup


def plan_frozen_parts(
    setup: TrainingSetup, trials: Iterable[Mapping[str, Any]]
) -> tuple[dict[Freeze, TrainedParts], str | None, list[Problem]]:
    """Freeze a model as each of the trials does.

    Args:
        setup: The dataset and the model.
        trials: The parameters of possible trials, see `distinct_trials`.

    Returns:
        What is trained, by the value of `freeze`, empty if no trial freezes anything; what is cached of a frozen
        backbone; and warnings of parameters that have no effect.
    """
    settings = list(_valid_settings(trials))
    values: list[Freeze] = list(dict.fromkeys(each.freeze for each in settings))
    if set(values) <= {"none"}:
        return {}, None, []
    found: dict[Freeze, TrainedParts] = {}
    features, problems = None, list(_without_effect(settings))
    for value in values:
        model = setup.model.copy(0)
        try:
            freeze_parts(model, value)
        except ValueError:  # counting what trials train reports it
            continue
        found[value] = TrainedParts.of(model)
        if value == "backbone":
            features = run_in_new_thread(_planned_features, setup, model)
    return found, features, problems


def _valid_settings(trials: Iterable[Mapping[str, Any]]) -> Iterator[TrialSettings]:
    for parameters in trials:
        try:
            yield trial_settings(parameters)
        except ValueError:  # making the training arguments reports it
            continue


def _without_effect(trials: Sequence[TrialSettings]) -> Iterator[Problem]:
    """Warn of parameters that concern layers if every trial freezes all of them."""
    if any(settings.freeze != "backbone" for settings in trials):
        return
    found = {
        "layer_lr_decay": any(settings.part_rates.layer_decay != 1 for settings in trials),
        "gradient_checkpointing": any(settings.arguments.get("gradient_checkpointing") for settings in trials),
    }
    for name in (name for name, is_set in found.items() if is_set):
        yield Problem(f"parameters.{name}", "has no effect: all trials freeze the backbone; remove it", "warning")


def _planned_features(setup: TrainingSetup, model: PreTrainedModel) -> str | None:
    """Return what is cached of a frozen backbone, or why nothing is; `None` if only a GPU can tell."""
    order = setup.train.longest_first
    rows = setup.train.__getitems__([int(order[place]) for place in sorted({0, len(order) // 2, len(order) - 1})])
    try:
        reader = find_reader(model, rows, setup.batch_format)
        needed = reader.bytes_of([setup.train, setup.validation])
        require_room(needed)
    except NotObservableError:
        return None
    except (NotSeparableError, NotCachedError) as reason:
        return f"not cached: {reason}"
    return f"{reader.description}, {needed / 10**6:,.1f} MB, cached in {features_directory()}"
