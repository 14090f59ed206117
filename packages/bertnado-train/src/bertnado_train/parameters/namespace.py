"""The protocol of a parameter namespace, and the settings of a trial that namespaces fill in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from bertnado_metrics import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from bertnado_metrics import Task
    from transformers import PreTrainedModel

    ModelChange = Callable[[PreTrainedModel], PreTrainedModel]
    """Takes a trial's own copy of the model, and returns the model to train."""

Interaction = Literal["none", "combined", "schedule"]
"""How far a parameter matters to others, which decides the combinations that are tried before a sweep starts.

`none`: any of its values goes with any value of the others. `combined`: some combinations may be refused.
`schedule`: it decides how many steps or evaluations a trial has.
"""


@dataclass
class TrialSettings:
    """What a trial's parameters decide. Each namespace adds its part."""

    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    """Keyword arguments of `TrainingArguments`."""
    model_changes: list[ModelChange] = field(default_factory=list)
    """Made in this order before the model is trained."""


class ParameterNamespace(Protocol):
    """Parameter names that belong together, such as those of `TrainingArguments`.

    A namespace that inherits from this class only has to define `names`, `knows`, `convert` and `apply`.
    """

    names: Collection[str]
    """Every name that can be suggested in place of a misspelled one."""

    def knows(self, name: str) -> bool:
        """Return whether `name` is one of this namespace's names, in any spelling."""
        ...

    def convert(self, name: str, value: Any) -> Any:
        """Convert `value` to the type that the parameter has.

        Raises:
            ValueError: The parameter cannot take `value`; the message says what it takes.
        """
        ...

    def apply(self, values: Mapping[str, Any], settings: TrialSettings) -> None:
        """Add converted values to the settings of a trial.

        Args:
            values: The trial's values by target, see `target`.
            settings: Changed in place.

        Raises:
            ValueError: The values contradict each other.
        """
        ...

    def suggest(self, name: str) -> str | None:
        """Return the name that was most likely meant by the unknown `name`, or `None`."""
        return nearest(name, sorted(self.names))

    def target(self, name: str) -> str:
        """Return what the parameter sets. Two parameters with one target contradict each other."""
        return name

    def holds_parameters(self, name: str) -> bool:
        """Return whether the value of `name` is an object of parameters: `{name: {inner: ...}}` is `name.inner`."""
        return False

    def is_managed(self, name: str) -> bool:
        """Return whether BertNado sets the parameter itself, so that a value in a sweep file is ignored."""
        return False

    def interaction(self, name: str) -> Interaction:
        """Return how far the parameter matters to others."""
        return "combined"

    def problem_with(self, name: str, value: Any, task: Task) -> str | None:
        """Return why a converted value does not suit `task`, or `None` if it does."""
        return None
