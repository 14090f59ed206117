"""What a drafted sweep file searches, as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bertnado_sweep.search.bayes import START_TRIALS
from bertnado_sweep.search.presets import GENERAL, find_family

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_metrics import Objective

    from bertnado_sweep.search.presets import ModelFamily, Preset

RATE_FACTOR = 4
"""The learning rates of a space are those of its presets, divided and multiplied by this."""
STEPS_PER_EPOCH = 8
"""The fewest optimiser steps in an epoch: larger batches are left out."""
STEPS = 200
"""The fewest optimiser steps of a long trial, as far as `MOST_EPOCHS` allow them."""
MOST_EPOCHS = 20
"""Mosbach et al. 2021, https://arxiv.org/abs/2006.04884, fine-tune BERT on small datasets for 20 epochs."""
EVALUATIONS = 20
"""The most evaluations of a trial."""
ETA = 3
"""The ratio between neighbouring bands of hyperband."""
FEW_VALIDATION_ROWS = 500
"""With fewer rows, two values of a trial are too uncertain to judge it by."""

_EVALUATION_SHARE = 0.25
"""The largest time that the evaluations of a trial may take, in units of its training."""
_TRAINING_COST = 3
"""The time that training takes for a row, in units of evaluation: a forward and a backward pass, which costs twice."""
_FEWEST_EVALUATIONS = 4


@dataclass(frozen=True)
class DraftInputs:
    """What a sweep file is drafted for."""

    pretrained_config: Mapping[str, Any]
    """The content of the model's `config.json`."""
    train_rows: int
    """At least 1."""
    validation_rows: int
    """At least 1."""
    objective: Objective
    trials: int
    """At least 1."""


@dataclass(frozen=True)
class SweepChoices:
    """What a sweep of a model, on a dataset and with a number of trials, searches."""

    inputs: DraftInputs

    @cached_property
    def family(self) -> ModelFamily | None:
        """The family of the model; None if it is of no known one."""
        return find_family(self.inputs.pretrained_config)

    @cached_property
    def presets(self) -> Sequence[Preset]:
        """The settings that the space lies around: those for training the whole model."""
        return self.family.presets_with(adapters=False) if self.family else (GENERAL,)

    @property
    def adapters(self) -> Sequence[Preset]:
        """The published settings with adapters."""
        return self.family.presets_with(adapters=True) if self.family else ()

    @property
    def searches_all(self) -> bool:
        """True if there are enough trials to search more than learning rate and batch size."""
        return self.inputs.trials >= START_TRIALS

    def published(self, name: str) -> list[Any]:
        """Return the values of a parameter in the presets, each once, in their order."""
        return list(dict.fromkeys(preset.settings[name] for preset in self.presets if name in preset.settings))

    @property
    def batches(self) -> list[int]:
        """The batch sizes: those of the presets and their halves, as far as the rows allow; one for a single trial."""
        published = self.published("per_device_train_batch_size")
        most = 2 ** int(math.log2(max(self.inputs.train_rows // STEPS_PER_EPOCH, 1)))
        if self.inputs.trials == 1:
            return [min(published[0], most)]
        return sorted({min(size, most) for whole in published for size in (whole, max(whole // 2, 1))})

    @property
    def epochs(self) -> list[int]:
        """The epochs: as published and half of it, or more if the dataset is small."""
        needed = math.ceil(STEPS * max(self.batches) / self.inputs.train_rows)
        usual = max(self.published("epochs") or [GENERAL.settings["epochs"]])
        most = min(max(usual, needed), MOST_EPOCHS)
        return sorted({math.ceil(most / 2), most}) if self.searches_all else [most]

    @property
    def evaluations(self) -> int:
        """The evaluations of a trial, at most one a step; fewer if the validation split is large."""
        epochs, rows = min(self.epochs), self.inputs.train_rows
        steps = math.ceil(rows / max(self.batches)) * epochs
        affordable = int(_EVALUATION_SHARE * _TRAINING_COST * epochs * rows / self.inputs.validation_rows)
        return min(EVALUATIONS, steps, max(affordable, _FEWEST_EVALUATIONS))

    @property
    def bands(self) -> list[int]:
        """The numbers of evaluations after which trials may be stopped; none if there is too little to compare."""
        first = 2 if self.inputs.validation_rows >= FEW_VALIDATION_ROWS else 3
        if self.inputs.trials < 2 * ETA or self.evaluations < ETA * first:
            return []
        return [first * ETA**power for power in range(EVALUATIONS) if first * ETA**power < self.evaluations]

    @property
    def warmup_ratios(self) -> list[float]:
        """The shares of warm-up."""
        published = self.published("warmup_ratio") or [GENERAL.settings["warmup_ratio"]]
        return sorted({0.0, GENERAL.settings["warmup_ratio"], *published}) if self.searches_all else published[:1]

    @property
    def weight_decays(self) -> list[float]:
        """The weight decays."""
        published = self.published("weight_decay") or [GENERAL.settings["weight_decay"]]
        return sorted({0.0, *published}) if self.searches_all else published[:1]

    @property
    def schedulers(self) -> list[str]:
        """The schedules of the learning rate; none if the default one will do."""
        published = self.published("lr_scheduler_type")
        if not set(published) - {"linear"}:
            return []
        return sorted({"linear", *published}) if self.searches_all else published[:1]
