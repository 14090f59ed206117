"""W&B's client, imported when it is first needed, and the variables by which a person or an agent directs it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .environment_variables import environment_variables

if TYPE_CHECKING:
    from collections.abc import Generator

SWEEP_ID = "WANDB_SWEEP_ID"

_ASSIGNMENT = (SWEEP_ID, "WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH")
"""The variables that an agent sets for the process or thread that it gives a run to, all three of them."""

ONE_RUN = (*_ASSIGNMENT, "WANDB_RESUME")
"""The variables that are about a single run, while a sweep has many."""

_TRUE = ("1", "on", "yes", "true")
"""The values of WANDB_DISABLED that transformers understands."""


def wandb_client() -> Any:
    """Return the module `wandb`, as an untyped object: it carries types only in part."""
    import wandb

    return wandb


def is_inside_agent() -> bool:
    """Return True if an agent of W&B started this process or thread to run one trial."""
    return all(os.environ.get(name) for name in _ASSIGNMENT)


def what_disables_tracking() -> str | None:
    """Return the variable that switches tracking off, with its value; None if it is on."""
    if os.environ.get("WANDB_MODE") == "disabled":
        return "WANDB_MODE is disabled"
    value = os.environ.get("WANDB_DISABLED", "")
    return f"WANDB_DISABLED is {value}" if value.lower() in _TRUE else None


@contextmanager
def no_assigned_run() -> Generator[None]:
    """Hide the variables that are about a single run from the client, while the block starts another one.

    The client may have read them before, and gives their sweep and their id precedence over those that it is told.
    """
    with environment_variables(dict.fromkeys(ONE_RUN)):
        settings = wandb_client().setup().settings
        before = {name: getattr(settings, name) for name in ("sweep_id", "run_id", "sweep_param_path", "resume")}
        _set(settings, dict.fromkeys(before))
        try:
            yield
        finally:
            _set(settings, before)


def _set(settings: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
