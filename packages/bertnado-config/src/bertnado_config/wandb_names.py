"""The names of projects and entities that W&B accepts."""

from __future__ import annotations

from .document_limits import printable

_LONGEST_PROJECT = 128
_NOT_IN_PROJECTS = "/\\#?%:"


def project_problem(name: str) -> str | None:
    """Return why W&B rejects a project name, as `must ..., got ...; ...`; `None` if it accepts it."""
    if not name.strip():
        return f"must name a project, got {name!r}; write a name, or omit it"
    if len(name) > _LONGEST_PROJECT:
        return f"must have at most {_LONGEST_PROJECT} characters, got {len(name):,}; choose a shorter name"
    if any(character in _NOT_IN_PROJECTS for character in name):
        rule = f"must not contain any of {' '.join(_NOT_IN_PROJECTS)}, got {name!r}"
        cure = "; give the project alone, and the team as entity" if "/" in name else "; remove the character"
        return f"{rule}{cure}"
    return _text_problem(name)


def entity_problem(name: str) -> str | None:
    """Return why a name cannot be a user or team at W&B, as `must ..., got ...; ...`; `None` if it can."""
    if not name.strip():
        return f"must name a user or a team, got {name!r}; write a name, or omit it"
    if "/" in name or any(character.isspace() for character in name):
        return f"must not contain / or white space, got {name!r}; give the name of a user or a team"
    return _text_problem(name)


def _text_problem(name: str) -> str | None:
    if printable(name) != name or not name.isprintable():
        return f"must contain only printable characters, got {name!r}; remove the others"
    return None
