"""The protocol of a parameter namespace, and the settings of a trial that it contributes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from bertnado_metrics import nearest

from bertnado_train.learning_rates import PartRates

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from bertnado_metrics import Task
    from transformers import PreTrainedModel

    from bertnado_train.adapter import Adapter

    from .freeze_names import Freeze
    from .strand_names import Strands

    ModelChange = Callable[[PreTrainedModel], PreTrainedModel]
    """Takes the copy of the model that a trial trains, and returns the changed model."""

Interaction = Literal["none", "combined", "schedule"]
"""How a parameter interacts with others. It determines the combinations that are tried before a sweep starts.

`none`: each of its values is valid with all values of the others. `combined`: some combinations may be refused.
`schedule`: it determines the number of steps or evaluations of a trial.
"""


@dataclass
class TrialSettings:
    """The settings of a trial that follow from its parameters. Each namespace adds its part."""

    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    """Keyword arguments of `TrainingArguments`."""
    model_changes: list[ModelChange] = field(default_factory=list)
    """Applied in this order before the model is trained."""
    class_weighting: Literal["none", "balanced"] | float | None = None
    """No class weights, those that balance the training labels, the weight of the positive class; by default those of
    the dataset's `class_weights.json`."""
    config_changes: dict[str, Any] = field(default_factory=dict[str, Any])
    """Values of the model's configuration by field, set before the model is built."""
    part_rates: PartRates = field(default_factory=PartRates)
    """The learning rates of the parts of the model."""
    adapter: Adapter | None = None
    """The adapters that are trained in place of the weights below the head; by default the whole model is trained."""
    freeze: Freeze = "none"
    """The part of the model that is not trained."""
    reverse_complement: Strands = "none"
    """The strands that the model is shown."""


class ParameterNamespace(Protocol):
    """Parameter names that belong together, such as those of `TrainingArguments`.

    A subclass must define `names`, `convert` and `apply`; the other methods have defaults.
    """

    names: Collection[str]
    """Every name that can be suggested in place of a misspelled one."""

    def knows(self, name: str) -> bool:
        """Return whether `name` belongs to this namespace, in any spelling."""
        return name in self.names

    def convert(self, name: str, value: Any) -> Any:
        """Convert `value` to the type of the parameter.

        Raises:
            ValueError: The parameter does not accept `value`; the message has the rule and the value.
        """
        ...

    def apply(self, values: Mapping[str, Any], settings: TrialSettings) -> None:
        """Add converted values to the settings of a trial.

        Args:
            values: The values by target, see `target`.
            settings: The settings, changed in place.

        Raises:
            ValueError: The values contradict each other.
        """
        ...

    def suggest(self, name: str) -> str | None:
        """Return the name that an unknown `name` most likely stands for, or `None`."""
        return nearest(name, sorted(self.names))

    def equivalent(self, name: str) -> str | None:
        """Return the name that an unknown `name` of another library stands for, or `None`."""
        return None

    def explain(self, name: str) -> str | None:
        """Return what to do instead of setting `name`, if it is known not to be a parameter of a trial."""
        return None

    def target(self, name: str) -> str:
        """Return what the parameter sets. Two parameters with the same target contradict each other."""
        return name

    def holds_parameters(self, name: str) -> bool:
        """Return whether `name` takes an object of parameters: `{name: {inner: ...}}` stands for `name.inner`."""
        return False

    def takes_object(self, name: str) -> bool:
        """Return whether the value of `name` is an object, whose entries a sweep file may declare one by one."""
        return False

    def is_managed(self, name: str) -> bool:
        """Return whether BertNado sets the parameter itself, so that a value in a sweep file is ignored."""
        return False

    def interaction(self, name: str) -> Interaction:
        """Return how the parameter interacts with others."""
        return "combined"

    def changes_cost(self, name: str) -> bool:
        """Return whether a step, but for the size of its batches, or an evaluation costs more with some values."""
        return False

    def problem_with(self, name: str, value: Any, task: Task) -> str | None:
        """Return why a converted value does not suit `task`, or `None` if it does."""
        return None
