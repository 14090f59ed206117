"""Details of an option besides its type, default and doc string."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class OptionDetails:
    """Metadata of a pydantic field that is an option of a call and a flag of the command line."""

    recorded_as: str | None = None
    """Its key in `sweep.json`. A resumed sweep takes a recorded option from there unless it is given."""
    default_text: str | None = None
    """The default in words, if the value alone does not say it."""
    metavar: str | None = None
    """The placeholder of the value in `--help`."""
    variable: str | None = None
    """The environment variable that the command line reads it from."""
    choices: Callable[[], Sequence[str]] | None = None
    """Returns the values to choose from, if the type does not list them."""
    for_joining: bool = False
    """True if it concerns one machine, so that a machine that joins a recorded sweep may give it."""
