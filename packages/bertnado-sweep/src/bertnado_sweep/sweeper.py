"""One object for two uses: it runs a local sweep, or, inside an agent of W&B, one trial."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import InvalidInputError, TrainingInputs, load_sweep_config

from .backends.wandb.agent import run_agent_trial
from .backends.wandb.environment import quiet_wandb
from .backends.wandb.service import check_service_config, find_sweep
from .options import check_options
from .planning import plan_sweep
from .records.files import named_directory
from .running.installed_trainers import find_trainer
from .running.wandb_client import is_inside_agent
from .sweep import SweepResult, run_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_config import SweepConfig, Trainer
    from bertnado_metrics import Goal, Objective, Task

    from .plan import Plan
    from .records.recorded_sweep import RecordedSweep
    from .records.trial import Trial
    from .running.events import Observer


def _inputs_in(recorded: RecordedSweep | None) -> Mapping[str, Any]:
    return {} if recorded is None else {**recorded.record["application"], "seed": recorded.record["seed"]}


class Sweeper:
    """Sweeps a model over a dataset.

    Args:
        config_path: The sweep file; None for a sweep that is recorded or at W&B.
        output_dir: The directory to write everything to.
        model_name: A directory that holds a model, or its name on the Hugging Face hub.
        dataset: The prepared dataset on disk.
        task_type: The task, or its name.
        project_name: The W&B project; otherwise the file's, otherwise WANDB_PROJECT, otherwise `bertnado`.
        metric_name: The metric to optimize; otherwise the file's, otherwise the task's.
        metric_goal: The direction to optimize in; by default that in which the metric improves.
        trainer: The trainer to use instead of bertnado-train's.
        recorded: The sweep that continues: what is not given is as recorded.
        inputs: All other fields of `TrainingInputs`. None stands for the default.

    Raises:
        ImportError: bertnado-train is not installed, and no trainer is given.
        InvalidInputError: The dataset is missing, or the output directory cannot have that name.
        TypeError: A keyword is none of these.
    """

    def __init__(
        self,
        config_path: str | Path | None,
        output_dir: str | Path,
        model_name: str | None = None,
        dataset: str | Path | None = None,
        task_type: str | Task | None = None,
        project_name: str | None = None,
        metric_name: str | None = None,
        metric_goal: Goal | None = None,
        *,
        trainer: Trainer | None = None,
        recorded: RecordedSweep | None = None,
        **inputs: Any,
    ) -> None:
        unknown = sorted(inputs.keys() - TrainingInputs.model_fields.keys())
        if unknown:
            raise TypeError(f"Sweeper() has no keyword {unknown[0]!r}; see the fields of TrainingInputs")
        named_directory(output_dir)
        self.config_path = None if config_path is None else Path(config_path)
        self.output_dir = Path(output_dir)
        self.inputs = TrainingInputs.completed(
            {"model_name": model_name, "dataset": dataset, "task_type": task_type, **inputs},
            _inputs_in(recorded),
        )
        self._options: Mapping[str, Any] = {
            "project_name": project_name,
            "metric_name": metric_name,
            "metric_goal": metric_goal,
        }
        self.trainer = trainer or find_trainer(self.inputs)

    def run(self, sweep_count: int | None = None) -> SweepResult | Trial:
        """Run a local sweep; inside an agent of W&B, the one trial that it was given.

        Args:
            sweep_count: The number of trials; inside an agent it is always one.

        Returns:
            The result of the sweep; inside an agent the trial, which may have failed.

        Raises:
            InvalidInputError: Something is wrong; every problem is in it, and nothing was started.
            NoEligibleTrialError: No trial of the local sweep has a value.
        """
        if is_inside_agent():
            return self.run_assigned()
        return run_plan(self.plan(sweep_count, backend="local"))

    def run_assigned(self, observer: Observer | None = None, **options: Any) -> Trial:
        """Run the one trial that an agent of W&B has chosen.

        Args:
            observer: Called with every event.
            options: `keep_checkpoints` and `save_state_every`, see `SweepOptions`.

        Raises:
            InvalidInputError: The sweep file, or an option, cannot be used.
            ServiceError: W&B does not show the sweep.
            ValueError: The objective is unknown, or `wandb.config` lacks a parameter of the sweep file.
        """
        checked, problems = check_options(options)
        if problems:
            raise InvalidInputError(problems)
        config = self._assigned_config()
        return run_agent_trial(
            self.trainer,
            config,
            output_dir=self.output_dir,
            objective=self.objective(config),
            group=self.inputs.task_name,
            keep_checkpoints=checked.keep_checkpoints,
            states_every=checked.states_every,
            observer=observer,
        )

    def _assigned_config(self) -> SweepConfig:
        """Return the sweep file, or W&B's copy of it."""
        if self.config_path is not None:
            return load_sweep_config(self.config_path)
        with quiet_wandb(self.output_dir):
            sweep, document = find_sweep(os.environ["WANDB_SWEEP_ID"], entity=None, project=None)
        return check_service_config(document, sweep).require()

    def plan(self, sweep_count: int | None = None, *, command: Sequence[str] = (), **options: Any) -> Plan:
        """Check everything that can be checked before the first trial, and start nothing.

        Args:
            sweep_count: The number of trials.
            command: The program, with its arguments, by which W&B's command-line agent starts a trial.
            options: The options of `SweepOptions`, and `join`.

        Raises:
            InvalidInputError: Something is wrong; every problem is in it.
        """
        known: dict[str, Any] = {**self._options, "seed": self.inputs.seed, "sweep_count": sweep_count}
        return plan_sweep(
            self.trainer,
            self.config_path,
            output_dir=self.output_dir,
            task=self.inputs.task_type,
            group=self.inputs.task_name,
            command=command,
            record=self.inputs.to_record(),
            **known | options,
        )

    def objective(self, config: SweepConfig) -> Objective:
        """Return the objective from the arguments, the file and the task, in this order.

        Raises:
            ValueError: The task does not compute it.
        """
        options = self._options
        return config.resolve_objective(self.inputs.task_type, options["metric_name"], options["metric_goal"])
