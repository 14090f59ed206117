"""Names of projects and entities, as far as W&B's client and its addresses take them."""

from __future__ import annotations

from .document_limits import printable

_LONGEST_PROJECT = 128
_NOT_IN_PROJECTS = "/\\#?%:"


def project_problem(name: str) -> str | None:
    """Say why W&B takes no project of that name, `must ..., got ...; ...`; `None` where it takes it."""
    if not name.strip():
        return f"must name a project, got {name!r}; write a name, or leave it out"
    if len(name) > _LONGEST_PROJECT:
        return f"must have at most {_LONGEST_PROJECT} characters, got {len(name):,}; write a shorter name"
    if any(character in _NOT_IN_PROJECTS for character in name):
        rule = f"must hold none of {' '.join(_NOT_IN_PROJECTS)}, got {name!r}"
        cure = "; write the project alone, and the team as entity" if "/" in name else "; write it without"
        return f"{rule}{cure}"
    return _text_problem(name)


def entity_problem(name: str) -> str | None:
    """Say why no user and no team at W&B has that name, `must ..., got ...; ...`; `None` where one may."""
    if not name.strip():
        return f"must name a user or a team, got {name!r}; write a name, or leave it out"
    if "/" in name or any(character.isspace() for character in name):
        return f"must hold neither / nor white space, got {name!r}; write the name of a user or a team alone"
    return _text_problem(name)


def _text_problem(name: str) -> str | None:
    if printable(name) != name or not name.isprintable():
        return f"must hold only characters that can be printed, got {name!r}; write it without the others"
    return None
