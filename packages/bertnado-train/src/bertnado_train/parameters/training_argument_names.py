"""The parameter namespace of `TrainingArguments`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertnado_metrics import nearest

from .namespace import Interaction, ParameterNamespace, TrialSettings
from .training_argument_rules import (
    COSTLY,
    INDEPENDENT,
    MANAGED,
    MISNOMERS,
    NOT_PARAMETERS,
    REFUSED,
    RENAMED,
    SCHEDULE,
    TRANSLATED,
)
from .training_argument_types import FIELDS, convert_argument, is_object_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_metrics import Task

OBJECT_NAME = "training_args"
"""The parameter that takes an object of training arguments, and the prefix of their long names."""

_PREFIXES = (f"{OBJECT_NAME}.", f"{OBJECT_NAME}__")

_FIELD_OF = {**{name: name for name in FIELDS}, **RENAMED, **TRANSLATED}


class TrainingArgumentNames(ParameterNamespace):
    """Fields of the installed `TrainingArguments`, by their own or older names, alone or with a prefix.

    The prefixes are `training_args.` and `training_args__`.
    """

    names = frozenset(_FIELD_OF) - MANAGED

    def knows(self, name: str) -> bool:
        """Return whether a field of the installed or of an older `TrainingArguments` has this name."""
        return _short(name) in _FIELD_OF or self.is_managed(name)

    def target(self, name: str) -> str:
        """Return the field that the parameter sets."""
        return _FIELD_OF.get(_short(name), _short(name))

    def convert(self, name: str, value: Any) -> Any:
        """Convert `value` to the type and the meaning of the field.

        Raises:
            ValueError: The field does not accept `value`, or a sweep may not set it; the message says what to do.
        """
        field = self.target(name)
        if field in REFUSED:
            if value in (None, False):
                return None
            raise ValueError(REFUSED[field])
        return convert_argument(_short(name), field, value)

    def apply(self, values: Mapping[str, Any], settings: TrialSettings) -> None:
        """Pass the values to `TrainingArguments`; a refused argument that is switched off keeps its default."""
        settings.arguments.update({field: value for field, value in values.items() if field not in REFUSED})

    def suggest(self, name: str) -> str | None:
        """Return the most similar name."""
        return _in_place_of(name, nearest(_short(name), sorted(self.names)))

    def equivalent(self, name: str) -> str | None:
        """Return the name that a name from another library stands for."""
        return _in_place_of(name, MISNOMERS.get(_plain(_short(name))))

    def explain(self, name: str) -> str | None:
        """Return what to do instead of setting what a sweep of other libraries would set."""
        return NOT_PARAMETERS.get(_plain(_short(name)))

    def holds_parameters(self, name: str) -> bool:
        """Return whether `name` is the object `training_args`."""
        return name == OBJECT_NAME

    def takes_object(self, name: str) -> bool:
        """Return whether the field is an object, such as `lr_scheduler_kwargs`."""
        return is_object_field(self.target(name)) and not self.is_managed(name)

    def is_managed(self, name: str) -> bool:
        """Return whether BertNado sets the field itself."""
        return _short(name) in MANAGED

    def interaction(self, name: str) -> Interaction:
        """Return whether `TrainingArguments` combines the field with others, or the schedule depends on it."""
        field = self.target(name)
        if field in SCHEDULE:
            return "schedule"
        return "none" if field in INDEPENDENT or self.is_managed(name) else "combined"

    def changes_cost(self, name: str) -> bool:
        """Return whether the field chooses the optimiser, the precision, or what is computed twice to save memory."""
        return self.target(name) in COSTLY

    def problem_with(self, name: str, value: Any, task: Task) -> str | None:
        """Return why a converted value does not suit `task`, or `None` if it does."""
        if self.target(name) == "label_smoothing_factor" and value and task.problem_type == "regression":
            return f"labels of a {task.name} task cannot be smoothed; remove it"
        return None


def _short(name: str) -> str:
    prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), "")
    return name.removeprefix(prefix)


def _in_place_of(name: str, short: str | None) -> str | None:
    """Return a name with the prefix that `name` has."""
    return None if short is None else name.removesuffix(_short(name)) + short


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
