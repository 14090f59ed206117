"""The section `metric` of a sweep file."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator

from .field_types import SECTION_CONFIG, Finite, GoalField, Name, one_of

Imputation = Literal["latest", "best", "worst"]
RunningImputation = Literal["latest", "best", "worst", "false"]


def _false_as_word(value: object) -> object:
    """Convert the boolean false to the word that W&B has here: YAML reads `false` as a boolean."""
    return "false" if value is False else value


@dataclass(frozen=True)
class MetricSection:
    """The metric that the sweep optimises."""

    __pydantic_config__ = SECTION_CONFIG

    name: Name
    """The name under which the metric is reported: `eval/roc_auc`."""
    goal: GoalField | None = None
    """`maximize` or `minimize`; the metric's own direction by default."""
    target: Finite | None = None
    """W&B ends the sweep once a trial reaches this value."""
    impute: Annotated[Imputation, BeforeValidator(one_of(Imputation))] | None = None
    """The value that W&B's bayes assumes for a failed trial; `worst` by default."""
    impute_while_running: (
        Annotated[RunningImputation, BeforeValidator(one_of(RunningImputation)), BeforeValidator(_false_as_word)] | None
    ) = None
    """The value that W&B's bayes assumes for a running trial; none (`false`) by default."""
