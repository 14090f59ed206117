"""Tracking with W&B's own client: at W&B, or offline, so that `wandb sync` uploads the runs later, from anywhere."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from bertnado_sweep.records.secrets import masked_command_line

from .wandb_client import wandb_client

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from wandb import Run

_log = logging.getLogger(__name__)

FINISH_SECONDS = 120.0
"""How long the end of a run may wait for a server that takes nothing; what is left stays on disk for `wandb sync`."""

JobType = Literal["sweep", "full_train"]
DETAILS_KEY: Final = "bertnado"
"""The one key of a run's config that holds what was not sampled."""


def run_name(of: str | None, run_id: str) -> str:
    """The name that a person tells a run by."""
    return f"{of or 'sweep'}-{run_id}"


def run_settings() -> dict[str, Any]:
    """How a run differs from W&B's defaults, where the environment does not say otherwise."""
    settings = {"console": "off", "finish_timeout": FINISH_SECONDS}
    return {name: value for name, value in settings.items() if f"WANDB_{name.upper()}" not in os.environ}


def init_or_offline(arguments: Mapping[str, Any], warn: Callable[[str], None]) -> Run:
    """Start a run at W&B, or, where W&B does not answer, one whose files stay here; `warn` is told so."""
    wandb = wandb_client()
    try:
        with masked_command_line():
            return wandb.init(**arguments)
    except wandb.errors.CommError as error:
        warn(f"tracked offline, W&B could not start the run: {error}")
        # The client still holds the id that it could not start. Inside an agent the id comes from its settings.
        settings = wandb.setup().settings
        other = f"{arguments.get('id') or settings.run_id}-offline"
        if settings.sweep_id:
            settings.run_id = other
        with masked_command_line():
            return wandb.init(**{**arguments, "mode": "offline", "id": None if settings.sweep_id else other})


def _init_offline(arguments: Mapping[str, Any]) -> Run:
    wandb = wandb_client()
    with masked_command_line():
        return wandb.init(mode="offline", **arguments)


class Tracker:
    """One tracked run. Nothing that goes wrong with it reaches the caller: a warning, and no more tracking.

    Args:
        run: The run; `None` tracks nothing.
        details: What the run shows beside its parameters, under one nested key.
    """

    def __init__(self, run: Run | None, details: Mapping[str, Any] | None = None) -> None:
        self._run = run
        self._details: dict[str, Any] = {}
        self._step = 0
        if details:
            self.describe(details)

    @classmethod
    def start(
        cls,
        *,
        online: bool,
        directory: Path,
        project: str | None,
        job_type: JobType,
        config: Mapping[str, Any],
        details: Mapping[str, Any] | None = None,
        name: str | None = None,
        run_id: str | None = None,
        group: str | None = None,
        entity: str | None = None,
    ) -> Tracker:
        """Start a run: at W&B, or one whose files stay here until `wandb sync`.

        `WANDB_MODE=disabled` leaves the tracker without one; `WANDB_DIR` says where its files go, in place of
        `directory`. Nothing is changed in the environment, and a run of the caller's own is left alone.

        Args:
            online: Whether it is sent to W&B as it goes; a server that does not answer makes it an offline run.
            directory: Where the run's files go, in `wandb/`.
            project: The W&B project; `None` leaves it to `WANDB_PROJECT`.
            job_type: What the run is.
            config: The parameters that runs are compared by.
            details: What else is worth showing.
            name: The name that a person tells it by.
            run_id: Unique; W&B makes one where it is `None`.
            group: What the run belongs to: the task.
            entity: The W&B team.
        """
        if os.environ.get("WANDB_MODE") == "disabled":
            return cls(None)
        try:
            wandb = wandb_client()
            place = Path(os.environ.get("WANDB_DIR") or directory)
            place.mkdir(parents=True, exist_ok=True)
            arguments: dict[str, Any] = {
                "dir": place,
                "entity": entity,
                "project": project,
                "group": group,
                "job_type": job_type,
                "id": run_id,
                "name": name,
                "config": dict(config),
                "reinit": "create_new",
                "settings": wandb.Settings(silent=True, **run_settings()),
            }
            run = init_or_offline(arguments, _log.warning) if online else _init_offline(arguments)
        except Exception as error:  # noqa: BLE001 (tracking never costs a trial)
            _log.warning("this trial is not tracked, W&B could not start: %s", error)
            return cls(None)
        return cls(run, details)

    @property
    def url(self) -> str | None:
        """Where a person looks at the run; `None` where it is offline."""
        return None if self._run is None or self._run.offline else self._run.url

    def describe(self, details: Mapping[str, Any]) -> None:
        """Add to what the run shows under the nested key."""
        self._details |= details
        with self._guard("describe the run"):
            if self._run is not None:
                self._run.config.update({DETAILS_KEY: self._details}, allow_val_change=True)  # pyright: ignore[reportUnknownMemberType] (untyped)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Log numbers at an optimiser step; one below the last counts as the last, since W&B takes none."""
        self._step = max(self._step, step)
        with self._guard("log"):
            if self._run is not None:
                self._run.log(dict(metrics), step=self._step)

    def finish(self, summary: Mapping[str, float], *, failed: bool = False) -> None:
        """End the run; `summary` replaces the last logged values of its names."""
        with self._guard("finish"):
            run, self._run = self._run, None
            if run is not None:
                run.log({}, commit=True)
                run.summary.update(dict(summary))  # pyright: ignore[reportUnknownMemberType] (untyped)
                run.finish(exit_code=1 if failed else 0)

    @contextmanager
    def _guard(self, doing: str) -> Generator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 (tracking never costs a trial)
            self._run = None
            _log.warning("tracking ends here, W&B could not %s: %s", doing, error)
