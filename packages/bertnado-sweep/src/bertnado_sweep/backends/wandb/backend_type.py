"""How the W&B backend is chosen, checked and created."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bertnado_config import ArgumentProblem, Problem

from bertnado_sweep.records.trial_files import by_number, read_trial_files
from bertnado_sweep.running.environment_variables import environment_variables
from bertnado_sweep.running.wandb_client import ONE_RUN
from bertnado_sweep.search.space import space_size

from .environment import base_url, quiet_wandb, require_wandb

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from bertnado_config import SweepConfig

    from bertnado_sweep.backends.base import Backend
    from bertnado_sweep.options import SweepOptions
    from bertnado_sweep.plan import Plan
    from bertnado_sweep.records.recorded_sweep import RecordedSweep
    from bertnado_sweep.records.trial import Trial


class WandbBackendType:
    """Lets W&B choose the parameters, through its agents. See `BackendType`."""

    name = "wandb"

    def is_meant_by(self, options: SweepOptions) -> bool:
        """The id of a sweep is that of one at W&B."""
        return options.sweep_id is not None

    def check_options(self, options: SweepOptions) -> Sequence[Problem]:
        """Refuse what a sweep at W&B cannot do: a database, a common beginning, start points, failed trials again."""
        if options.join_or_begin:
            message = "{join_or_begin} requires {backend} local or auto; a sweep at W&B is joined with {sweep_id}"
            return [ArgumentProblem("join_or_begin", message)]
        if options.start_from is not None:
            message = "{start_from} requires {backend} local or auto: W&B chooses every trial of its sweeps itself"
            return [ArgumentProblem("start_from", message)]
        if options.retry_failed:
            message = (
                "{retry_failed} requires a local sweep: W&B does not hand out a failed run again; "
                "train more points with a larger {sweep_count}, or start a sweep with {backend} local"
            )
            return [ArgumentProblem("retry_failed", message)]
        if options.storage is None:
            return ()
        if options.sweep_id is not None:
            message = (
                "{storage} and {sweep_id} exclude each other: a sweep at W&B is recorded there; remove one of them"
            )
        else:
            message = "{storage} requires {backend} local or auto, got wandb"
        return [ArgumentProblem("storage", message)]

    def require(self) -> str:
        """Return the address of the server.

        Raises:
            WandbUnavailableError: W&B cannot be used; the message says how to log in.
        """
        require_wandb()
        return f"at {base_url()}"

    def check_file(self, config: SweepConfig, command: Sequence[str]) -> Sequence[Problem]:
        """Return which keys of the file keep `wandb agent` from starting BertNado."""
        own = [name for name in ("program", "command") if command and name in config.to_wandb()]
        message = (
            f"is kept as it is, so that a plain `wandb agent` starts it instead of {command[0] if command else ''}"
        )
        return [Problem(name, message, "warning") for name in own]

    def size_of(self, config: SweepConfig, *, is_exhaustive: bool) -> int | None:
        """Return the size of a space that is run whole; otherwise W&B may draw the same point again."""
        return space_size(config) if is_exhaustive else None

    @contextmanager
    def prepared(self, output_dir: Path) -> Generator[None]:
        """Make W&B's client write below the output directory, print nothing, and start the runs of this sweep only."""
        with environment_variables(dict.fromkeys(ONE_RUN)), quiet_wandb(output_dir):
            yield

    def create(self, plan: Plan) -> Backend:
        """Create the sweep at W&B, or join it."""
        from .backend import WandbBackend

        return WandbBackend.create(plan)

    def read_trials(self, recorded: RecordedSweep) -> tuple[list[Trial], list[str]]:
        """Read the `trial.json` files of this machine's agents."""
        files = read_trial_files(recorded.output_dir, recorded.sweep_id, strict=False)
        return by_number(files.trials), list(files.warnings)
