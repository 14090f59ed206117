"""Where trials come from: backends, each behind the same interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertnado_config import ArgumentProblem
from bertnado_metrics import nearest

from bertnado_sweep.plan import BackendChoice

from .base import Backend, BackendType
from .local.backend_type import LocalBackendType
from .wandb.backend_type import WandbBackendType
from .wandb.environment import WandbUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_config import Problem

    from bertnado_sweep.options import SweepOptions

AUTO = "auto"

_types: dict[str, BackendType] = {}


def register_backend(kind: BackendType) -> None:
    """Make a backend known by its name.

    Raises:
        ValueError: Another backend has that name.
    """
    if kind.name == AUTO or _types.setdefault(kind.name, kind) is not kind:
        raise ValueError(f"a backend named {kind.name!r} is registered already; choose another name")


register_backend(WandbBackendType())
register_backend(LocalBackendType())


def backend_types() -> Mapping[str, BackendType]:
    """Return every known backend by its name."""
    return dict(_types)


def get_backend_type(name: str) -> BackendType:
    """Return the backend of that name.

    Raises:
        KeyError: There is none.
    """
    return _types[name]


def choose_backend(options: SweepOptions) -> tuple[BackendChoice | None, list[Problem]]:
    """Return the backend that options ask for, and what is wrong with them; None if it cannot be used.

    `auto` is the backend that an option asks for, otherwise W&B's if it can be used, otherwise the local one. It never
    prompts.
    """
    name = options.backend
    if name not in (AUTO, *_types):
        return None, [ArgumentProblem("backend", _unknown(name))]
    meant = [kind for kind in _types.values() if kind.is_meant_by(options)]
    kind = next(iter(meant), None) if name == AUTO else _types[name]
    if kind is None:
        return _first_usable(), []
    problems = list(kind.check_options(options))
    if problems:
        return None, problems
    try:
        return BackendChoice(kind.name, "; ".join(filter(None, [kind.require(), "as requested"]))), []
    except ValueError as error:
        message = f"{error}, or work without it: {{backend}} local"
        return None, [ArgumentProblem("backend", message)]


def _first_usable() -> BackendChoice:
    try:
        return BackendChoice("wandb", f"{_types['wandb'].require()}; the local backend works without it")
    except WandbUnavailableError as error:
        return BackendChoice("local", f"{error.reason}; to use W&B, {error.cure}")


def _unknown(name: str) -> str:
    choices = (AUTO, *_types)
    near = nearest(name, choices)
    hint = f"did you mean {near!r}? " if near else ""
    return f"unknown {{backend}} {name!r}; {hint}choose from {', '.join(choices)}"


__all__ = [
    "Backend",
    "BackendType",
    "backend_types",
    "choose_backend",
    "get_backend_type",
    "register_backend",
]
