"""Problems of an input, reported all at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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

    def worded(self, show: Callable[[str], str]) -> str:
        """Return the text, with the names of arguments as `show` returns them; a file's problem names none."""
        return str(self)

    @property
    def is_of_file(self) -> bool:
        """True if the content of a file is wrong, rather than an argument of a call."""
        return True


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
        return self.worded(lambda name: name)

    def worded(self, show: Callable[[str], str]) -> str:
        """Return every problem in a line, those of the file indented below its name; see `Problem.worded`."""
        if self.source is None:
            return "\n".join(problem.worded(show) for problem in self.problems)
        of_call = [problem.worded(show) for problem in self.problems if not problem.is_of_file]
        of_file = [f"  {problem.worded(show)}" for problem in self.problems if problem.is_of_file]
        return "\n".join([*of_call, *([f"{self.source} cannot be used:", *of_file] if of_file else [])])

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle both arguments, so that a worker process can pass the error on."""
        return _rebuild, (self.problems, self.source)


def _rebuild(problems: tuple[Problem, ...], source: str | None) -> InvalidInputError:
    return InvalidInputError(problems, source=source)


SweepConfigError = InvalidInputError
"""The name of the error in version 0.1.0."""
