"""Problems of an input, reported all at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Problem:
    """An error or a warning, and where it is.

    `str(problem)` is `path: message`, or the message alone if `path` is empty.
    """

    path: str
    """The place in the file, names joined by dots (`parameters.learning_rate.min`); empty for the whole file."""
    message: str
    """The rule, the value that breaks it and the cure, in one or two sentences."""
    severity: Severity = "error"
    """An `error` prevents the input from being used; a `warning` does not."""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidInputError(ValueError):
    """Invalid input: a call, sweep file, dataset, model or directory that cannot be used.

    It lists every problem that was found, not only the first.

    Attributes:
        problems: Every problem; those of sections come before those of single parameters.
        source: The file, or `None` if the content came from elsewhere.
    """

    def __init__(self, problems: Iterable[Problem], *, source: str | None = None) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        self.source: str | None = source
        super().__init__(self.problems, source)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems]
        if self.source is None:
            return "\n".join(lines)
        return "\n".join([f"{self.source} cannot be used:", *(f"  {line}" for line in lines)])

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle both arguments, so that a worker process can pass the error on."""
        return _rebuild, (self.problems, self.source)


def _rebuild(problems: tuple[Problem, ...], source: str | None) -> InvalidInputError:
    return InvalidInputError(problems, source=source)


SweepConfigError = InvalidInputError
"""The name of the error in version 0.1.0."""
