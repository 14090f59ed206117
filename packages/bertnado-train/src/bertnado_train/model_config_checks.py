"""Checks of the fields of a model's configuration that a sweep sets, by building the model with their values."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from bertnado_config import Problem, parameter_place

from .batch_format import select_rows
from .batch_size_limit import is_out_of_memory
from .loading_errors import first_line
from .model_config import convert_field, settable_fields
from .new_thread import run_in_new_thread
from .parameter_checks import named_values_of
from .parameters.model_config_names import PREFIX, is_refused
from .task_loss import agree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_config import Parameter, ParameterPath, SweepConfig
    from transformers import PreTrainedModel

    from .training_setup import TrainingSetup

_ROUNDING = 1e-6
"""The largest difference of logits, as a share of the largest of them, between two runs of the same computation."""


def model_config_problems(config: SweepConfig, setup: TrainingSetup) -> list[Problem]:
    """Report fields that the model's configuration does not have, and values with which the model cannot be built.

    Of the values of a field, two at most are built: the first and the last that are not what the model has.
    """
    check = _FieldCheck(setup)
    problems: list[Problem] = []
    for path, parameter in config.space.items():
        for field, values in _fields_of(path, parameter).items():
            problems += run_in_new_thread(check.problems, parameter_place(path), field, values)
    return problems


def _fields_of(path: ParameterPath, parameter: Parameter) -> dict[str, list[Any]]:
    """Return the values of each field that a parameter sets, without those that are refused for every model."""
    found: dict[str, list[Any]] = {}
    for name, value in named_values_of(path, parameter):
        if name.startswith(PREFIX) and not is_refused(name.removeprefix(PREFIX), value):
            found.setdefault(name.removeprefix(PREFIX), []).append(value)
    return found


class _FieldCheck:
    """Builds and runs the model with other values of its configuration."""

    def __init__(self, setup: TrainingSetup) -> None:
        self._setup = setup

    def problems(self, place: str, field: str, values: Sequence[Any]) -> list[Problem]:
        """Return what is wrong with the values of a field, at most one problem."""
        config = self._setup.model.config
        try:
            converted = {repr(new): new for new in (convert_field(config, field, value) for value in values)}
        except ValueError as error:
            return [Problem(place, str(error))]
        current = settable_fields(config)[field]
        others = [value for value in converted.values() if value != current]
        found = (self._problem_with(place, field, value, current) for value in others[:1] + others[1:][-1:])
        return [problem for problem in found if problem][:1]

    def _problem_with(self, place: str, field: str, value: Any, current: Any) -> Problem | None:
        head, expected = self._reference
        try:
            model = self._setup.model.copy(0, {field: value})
            _copy_into(model, head)
            found = None if expected is None else self._logits(model)
        except Exception as error:  # noqa: BLE001 (the code of a model raises whatever it raises)
            if is_out_of_memory(error):
                return None
            message = (
                f"the model cannot be used with {value!r}: {first_line(error)}; choose another value, or remove it"
            )
            return Problem(place, message)
        if not self._setup.model.weights or found is None or expected is None or agree(found, expected, _ROUNDING):
            return None
        message = (
            f"the stored weights belong to {current!r}; with {value!r}, the model gives other results before any "
            f"training"
        )
        return Problem(place, message, "warning")

    @cached_property
    def _reference(self) -> tuple[dict[str, torch.Tensor], torch.Tensor | None]:
        """The weights that are not stored, and the logits with the configuration as it is; `None` without a GPU."""
        stored = self._setup.model
        model = stored.copy(0)
        new = {name: weight for name, weight in model.state_dict().items() if name in stored.new}
        try:
            return new, self._logits(model)
        except Exception:  # noqa: BLE001 (some models run on a GPU alone; a first training step tries them)
            return new, None

    def _logits(self, model: PreTrainedModel) -> torch.Tensor:
        rows = select_rows(list(self._setup.dataset.splits.values()))
        return torch.cat([self._setup.batch_format.predict(model.eval(), row) for row in rows])


def _copy_into(model: PreTrainedModel, weights: Mapping[str, torch.Tensor]) -> None:
    """Give a model the weights that fit it."""
    state = model.state_dict()
    fitting = {name: weight for name, weight in weights.items() if name in state and state[name].shape == weight.shape}
    model.load_state_dict(fitting, strict=False)
