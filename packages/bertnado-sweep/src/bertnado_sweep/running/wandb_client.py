"""W&B's client, imported when it is first needed."""

from __future__ import annotations

from typing import Any


def wandb_client() -> Any:
    """Return the module `wandb`, as an untyped object: it carries types only in part."""
    import wandb

    return wandb
