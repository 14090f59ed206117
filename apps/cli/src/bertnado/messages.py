"""Messages of the libraries, worded for the command line: arguments are shown as flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertnado.flags import flag_of

if TYPE_CHECKING:
    from bertnado_config import InvalidInputError, Problem


def describe_problem(problem: Problem) -> str:
    """Return one problem in a line."""
    from bertnado_config import ArgumentProblem

    return problem.worded(flag_of) if isinstance(problem, ArgumentProblem) else str(problem)


def describe_error(error: InvalidInputError) -> str:
    """Return every problem of invalid input, each in a line, below the file that contains them."""
    lines = [describe_problem(problem) for problem in error.problems]
    if error.source is None:
        return "\n".join(lines)
    return "\n".join([f"{error.source} cannot be used:", *(f"  {line}" for line in lines)])
