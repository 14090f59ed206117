"""Problems with the arguments of a call, worded for Python and for the command line alike."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

_ARGUMENT = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class ArgumentProblem(Problem):
    """A problem with an argument of a call, rather than with the content of a file.

    Its `path` is the argument's name. In its message `{name}` stands for an argument: Python shows the name, the
    command line the flag, as in `{study} requires {storage}`.
    """

    def __str__(self) -> str:
        return self.worded(lambda name: name)

    @property
    def is_of_file(self) -> bool:
        """False: an argument is wrong."""
        return False

    def worded(self, show: Callable[[str], str]) -> str:
        """Return the message with each argument as `show` returns it; it starts with `path` unless it mentions it."""
        is_named = not self.path or f"{{{self.path}}}" in self.message
        message = self.message if is_named else f"{{{self.path}}}: {self.message}"
        return _ARGUMENT.sub(lambda found: show(found[1]), message)
