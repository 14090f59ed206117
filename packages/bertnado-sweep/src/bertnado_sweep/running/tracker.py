"""Tracking runs with W&B's client: online, or offline for a later `wandb sync`."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from bertnado_sweep.records.secrets import masked_command_line

from .wandb_client import no_assigned_run, wandb_client, what_disables_tracking

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from wandb import Run

_log = logging.getLogger(__name__)

FINISH_SECONDS = 120.0
"""Seconds that the end of a run may wait for the server; the rest stays on disk for `wandb sync`."""

JobType = Literal["sweep", "confirm", "full_train"]
DETAILS_KEY: Final = "bertnado"
"""The key of a run's config that holds everything that was not sampled."""


def run_name(of: str | None, run_id: str) -> str:
    """Return the display name of a run."""
    return f"{of or 'sweep'}-{run_id}"


def run_settings() -> dict[str, Any]:
    """Return the settings that differ from W&B's defaults, unless the environment sets them."""
    settings = {"console": "off", "finish_timeout": FINISH_SECONDS}
    return {name: value for name, value in settings.items() if f"WANDB_{name.upper()}" not in os.environ}


def init_or_offline(arguments: Mapping[str, Any], warn: Callable[[str], None]) -> Run:
    """Start a run at W&B; if W&B does not answer, start an offline run and call `warn` with the reason."""
    wandb = wandb_client()
    try:
        with masked_command_line():
            return wandb.init(**arguments)
    except wandb.errors.CommError as error:
        warn(f"tracked offline: W&B could not start the run: {error}")
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
    """One tracked run. An error of W&B is logged as a warning and ends the tracking; it never reaches the caller.

    Args:
        run: The run; None disables tracking.
        details: Values to show in addition to the parameters, under one nested key.
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
        """Start a run, online or offline.

        `WANDB_MODE=disabled` or `WANDB_DISABLED=true` disables tracking; `WANDB_DIR` replaces `directory`. The run is
        none that an agent assigned. The environment and other runs of the caller stay unchanged.

        Args:
            online: Send it to W&B as it goes; if the server does not answer, the run is offline.
            directory: The directory for the run's files, which go into `wandb/`.
            project: The W&B project; None for that of `WANDB_PROJECT`.
            job_type: The kind of run.
            config: The parameters that runs are compared by.
            details: Further values to show.
            name: The display name.
            run_id: A unique id; None lets W&B choose one.
            group: The group of the run: the task.
            entity: The W&B team.
        """
        if what_disables_tracking() is not None:
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
            with no_assigned_run():
                run = init_or_offline(arguments, _log.warning) if online else _init_offline(arguments)
        except Exception as error:  # noqa: BLE001 (tracking never costs a trial)
            _log.warning("this trial is not tracked: W&B could not start: %s", error)
            return cls(None)
        return cls(run, details)

    @property
    def url(self) -> str | None:
        """The page of the run; None if it is offline."""
        return None if self._run is None or self._run.offline else self._run.url

    def describe(self, details: Mapping[str, Any]) -> None:
        """Add values under the nested key."""
        self._details |= details
        with self._guard("describe the run"):
            if self._run is not None:
                config: Any = self._run.config
                # W&B hands a preempted run out with its whole config, and locks all of it against `update`
                config.update_locked({DETAILS_KEY: self._details}, user=DETAILS_KEY, _allow_val_change=True)

    def mark_preempting(self) -> None:
        """Let W&B hand the run out again, if it ends as failed."""
        with self._guard("mark the run as preempting"):
            if self._run is not None:
                self._run.mark_preempting()

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Log numbers at an optimizer step. An earlier step counts as the last one: W&B accepts no earlier step."""
        self._step = max(self._step, step)
        with self._guard("log"):
            if self._run is not None:
                self._run.log(dict(metrics), step=self._step)

    def replay(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Log the evaluations of an earlier attempt, unless the run itself was resumed at W&B, which then has them."""
        if self._run is None or self._run.resumed:
            return
        for row in history:
            numbers = {name: float(value) for name, value in row.items() if name not in ("step", "epoch")}
            self.log(numbers, row["step"])

    def finish(self, summary: Mapping[str, float], *, failed: bool = False) -> None:
        """End the run; `summary` replaces the last logged values."""
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
            _log.warning("tracking stopped: W&B could not %s: %s", doing, error)
