"""What the trials of a sweep train, and what is cached of a frozen backbone, as far as it is known before the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertnado_config import Problem

from .backbone_outputs import NotSeparableError
from .dataset_splits import TRAIN, VALIDATION
from .feature_files import NotCachedError, features_directory, require_room
from .feature_reading import NotObservableError, find_reader
from .new_thread import run_in_new_thread
from .trial_model import change_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from transformers import PreTrainedModel

    from .encoded_split import EncodedSplit
    from .frozen_parts import TrainedParts
    from .parameters.freeze_names import Freeze
    from .parameters.namespace import TrialSettings
    from .parameters.strand_names import Strands
    from .training_setup import TrainingSetup
    from .trial_model import TrialSize


def frozen_parts_of(trials: Iterable[TrialSettings], sizes: Iterable[TrialSize]) -> dict[Freeze, TrainedParts]:
    """Return what is trained, by the value of `freeze`: of the trial that trains most; empty if none freezes anything.

    Args:
        trials: The settings of possible trials.
        sizes: What each of them trains.
    """
    found: dict[Freeze, TrainedParts] = {}
    for settings, size in zip(trials, sizes, strict=True):
        known = found.setdefault(settings.freeze, size.parts)
        if known.trained_weights < size.parts.trained_weights:
            found[settings.freeze] = size.parts
    return found if found.keys() - {"none"} else {}


def without_effect(trials: Sequence[TrialSettings]) -> list[Problem]:
    """Warn of parameters that concern layers if every trial freezes all of them."""
    if any(settings.freeze != "backbone" for settings in trials):
        return []
    found = {
        "layer_lr_decay": any(settings.part_rates.layer_decay != 1 for settings in trials),
        "gradient_checkpointing": any(settings.arguments.get("gradient_checkpointing") for settings in trials),
    }
    reason = "has no effect: all trials freeze the backbone; remove it"
    return [Problem(f"parameters.{name}", reason, "warning") for name, is_set in found.items() if is_set]


def planned_features(setup: TrainingSetup, trials: Iterable[TrialSettings]) -> str | None:
    """Return what is cached of a frozen backbone, or why nothing is; `None` if no trial has one, or a GPU must tell.

    Args:
        setup: The dataset and the model.
        trials: The settings of possible trials.
    """
    frozen = [settings for settings in trials if settings.freeze == "backbone"]
    if not frozen:
        return None
    settings = frozen[0]
    strands: list[Strands] = [chosen.reverse_complement for chosen in frozen]
    model = change_model(setup.model.copy(0, settings.config_changes), setup.model, settings)
    return run_in_new_thread(_planned_features, setup, model, strands)


def _planned_features(setup: TrainingSetup, model: PreTrainedModel, strands: Sequence[Strands]) -> str | None:
    """Return what is cached of a frozen backbone, or why nothing is; `None` if only a GPU can tell."""
    order = setup.train.longest_first
    rows = setup.train.__getitems__([int(order[place]) for place in sorted({0, len(order) // 2, len(order) - 1})])
    try:
        reader = find_reader(model, rows, setup.batch_format)
        needed = reader.bytes_of([setup.train, setup.validation, *_reverse_complements(setup, strands)])
        require_room(needed)
    except NotObservableError:
        return None
    except (NotSeparableError, NotCachedError) as reason:
        return f"not cached: {reason}"
    return f"{reader.description}, {needed / 10**6:,.1f} MB, cached in {features_directory()}"


def _reverse_complements(setup: TrainingSetup, strands: Sequence[Strands]) -> Iterator[EncodedSplit]:
    if set(strands) - {"none"}:
        yield setup.dataset.reverse_complements.rows.splits[TRAIN]
    if "average" in strands:
        yield setup.dataset.reverse_complements.rows.splits[VALIDATION]
