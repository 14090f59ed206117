"""The parameter namespace of class weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from annotated_types import Interval

from .namespace import Interaction, ParameterNamespace, TrialSettings
from .value_types import choice_type, value_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_metrics import Task

CLASS_WEIGHTS = "class_weights"
"""What both parameters set."""

_CHOICE, _NUMBER = "class_weight", "pos_weight"
_TYPES = {
    _CHOICE: choice_type(["none", "balanced"], misnomers={"auto": "balanced"}, is_optional=False),
    _NUMBER: value_type(float, bounds=Interval(gt=0)),
}


class ClassWeightNames(ParameterNamespace):
    """`class_weight`, which is `none` or `balanced`, and `pos_weight`, the weight of the positive class."""

    names = tuple(_TYPES)

    def target(self, name: str) -> str:
        """Return the class weights, which both parameters set."""
        return CLASS_WEIGHTS if self.knows(name) else name

    def convert(self, name: str, value: Any) -> Any:
        """Convert a choice, or a number above 0. A `class_weight` of null means `none`, as in scikit-learn.

        Raises:
            ValueError: The parameter does not accept `value`.
        """
        return _TYPES[name].convert("none" if name == _CHOICE and value is None else value)

    def apply(self, values: Mapping[str, Any], settings: TrialSettings) -> None:
        """Set the class weights of the trial."""
        settings.class_weighting = values[CLASS_WEIGHTS]

    def interaction(self, name: str) -> Interaction:
        """Return `combined` for the choice, so that the weights of each are shown before a sweep."""
        return "combined" if name == _CHOICE else "none"

    def problem_with(self, name: str, value: Any, task: Task) -> str | None:
        """Return why a converted value does not suit `task`, or `None` if it does."""
        if not task.uses_class_weights:
            return f"a {task.name} task has no class weights; remove it" if value != "none" else None
        if name == _NUMBER and not task.has_positive_class:
            cure = "use class_weight: balanced, or class_weights.json"
            return f"a {task.name} task has no positive class whose weight it could be; {cure}"
        return None
