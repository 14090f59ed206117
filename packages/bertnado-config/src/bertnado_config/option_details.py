"""Details of an option besides its type, default and doc string."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class OptionDetails:
    """Metadata of a pydantic field that is an option of a call and a flag of the command line."""

    recorded_as: str | None = None
    """Its key in `sweep.json`. A resumed sweep takes a recorded option from there unless it is given."""
    default_text: str | None = None
    """The default in words, if the value alone does not say it."""
    metavar: str | None = None
    """The placeholder of the value in `--help`."""
    value_if_bare: str | None = None
    """The value of the flag if it is given without one; None if it must have one."""
    variable: str | None = None
    """The environment variable that the command line reads it from."""
    choices: Callable[[], Sequence[str]] | None = None
    """Returns the values to choose from, if the type does not list them."""
    for_joining: bool = False
    """True if it concerns one machine, so that a machine that joins a recorded sweep may give it."""

    @classmethod
    def of(cls, field: FieldInfo) -> Self:
        """Return the details that a field declares; the defaults if it declares none."""
        return next((item for item in field.metadata if isinstance(item, cls)), cls())


def literal_choices(annotation: Any) -> tuple[Any, ...]:
    """Return the values of a `Literal`, alone or in a union; none if the annotation has no `Literal`."""
    parts = (annotation, *get_args(annotation))
    return next((get_args(part) for part in parts if get_origin(part) is Literal), ())
