"""The address of a sweep at W&B."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class ServiceSweep:
    """A sweep at W&B."""

    entity: str
    project: str
    id: str

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}/{self.id}"

    @property
    def url(self) -> str:
        """The page that shows it."""
        import wandb

        base = str(wandb.setup().settings.app_url).rstrip("/")
        return f"{base}/{quote(self.entity)}/{quote(self.project)}/sweeps/{quote(self.id)}"
