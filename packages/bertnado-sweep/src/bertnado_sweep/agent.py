"""One trial inside an agent of W&B, which has chosen its parameters."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import flatten_parameters, load_sweep_config, nest_parameters

from .record import make_trial_directory, now, write_trial
from .runner import TrialReport, end_trial, run_trial
from .tracking import Tracker
from .trial import Trial

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bertnado_config import SweepConfig, Trainer
    from bertnado_metrics import Objective

    from .events import Event


def run_agent_trial(
    trainer: Trainer,
    config_path: Path,
    *,
    output_dir: Path,
    objective: Callable[[SweepConfig], Objective],
    group: str | None = None,
) -> Trial:
    """Train with what `wandb.config` holds of the sweep file's parameters, no more.

    The run ends with the best checkpoint's value as its summary of the objective. A trial that fails ends its
    run with exit code 1 and comes back as failed: an agent that sees exceptions gives up after three.

    Args:
        trainer: What trains the trial.
        config_path: The sweep file.
        output_dir: Where the trial's directory is made.
        objective: How to tell from the sweep file what is optimised.
        group: The W&B group of the run: the task.

    Raises:
        SweepConfigError: The sweep file cannot be used.
        ValueError: The objective cannot be told, or `wandb.config` lacks a parameter of the sweep file.
    """
    import wandb

    config = load_sweep_config(config_path)
    resolved = objective(config)
    output = output_dir.absolute()
    output.mkdir(parents=True, exist_ok=True)
    with wandb.init(dir=os.environ.get("WANDB_DIR") or output, group=group, job_type="sweep") as run:
        given = cast("dict[str, Any]", run.config.as_dict())  # pyright: ignore[reportUnknownMemberType] (untyped)
        trial = Trial(
            number=0,
            id=run.id,
            state="running",
            parameters=nest_parameters(flatten_parameters(config, given)),
            directory=make_trial_directory(output),
            started=now(),
        )
        write_trial(trial)
        tracker = Tracker(run, {"sweep_id": run.sweep_id, "directory": trial.directory.name})
        return _train(trainer, TrialReport(trial, resolved, tracker, observer=_nobody, judge=_never_stop))


def _train(trainer: Trainer, report: TrialReport) -> Trial:
    try:
        ended = run_trial(lambda parameters, listener: trainer.open().run(parameters, listener), report)
    except BaseException:
        write_trial(end_trial(report, "interrupted"))
        raise
    write_trial(ended)
    report.finish_tracking(ended)
    return ended


def _never_stop(value: float) -> bool:
    """W&B decides about early termination, and stops the trial itself."""
    return False


def _nobody(event: Event) -> None:
    """Nobody watches an agent's trial but W&B."""
