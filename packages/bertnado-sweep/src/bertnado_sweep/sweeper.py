"""One object for two places: a sweep of its own, or one trial of an agent of W&B."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from bertnado_config import InvalidInputError, Problem, load_sweep_config

from .backends.wandb.agent import run_agent_trial
from .backends.wandb.environment import is_inside_agent, quiet_client
from .backends.wandb.service import find_sweep, parse_service_config
from .plan import DEFAULT_SEED, Plan, PlanOptions, plan_sweep
from .records.files import named_directory
from .running.installed_trainers import find_trainer
from .sweep import SweepResult, run_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_config import SweepConfig, Trainer
    from bertnado_metrics import Goal, Objective

    from .records.best import KeepCheckpoints
    from .records.trial import Trial
    from .resume import RecordedSweep
    from .running.events import Observer


DEFAULT_MODEL = "PoetschLab/GROVER"
DEFAULT_TASK = "binary_classification"

_DEFAULTS: Mapping[str, Any] = {
    "model_name": DEFAULT_MODEL,
    "dataset": None,
    "task_type": DEFAULT_TASK,
    "seed": DEFAULT_SEED,
    "precision": "auto",
    "trust_remote_code": False,
}


class Sweeper:
    """Sweeps a model over a dataset.

    Args:
        config_path: The sweep file; `None` for a sweep that is at W&B already.
        output_dir: Where everything is written.
        model_name: A directory with a model, or its name on the Hugging Face hub; `PoetschLab/GROVER` by default.
        dataset: The prepared dataset on disk.
        task_type: One of `bertnado_metrics.TASKS`; `binary_classification` by default.
        project_name: The W&B project; otherwise the file's, otherwise WANDB_PROJECT, otherwise `bertnado`.
        metric_name: What is optimised; otherwise the file's metric, otherwise the task's.
        metric_goal: Whether higher or lower values are better, where the metric does not say.
        trainer: What trains a trial, in place of bertnado-train's.
        seed: Of the search and of the training; 42 by default.
        precision: What trials compute in, where the sweep file does not say it: `auto` (bf16 on a GPU that has it,
            otherwise fp32; the default), `fp32`, `bf16` or `fp16`.
        trust_remote_code: Whether code that comes with the model may run; by default it may not.
        recorded: The sweep that goes on: what is not given is as it was then.

    Raises:
        ImportError: There is no trainer: bertnado-train is not installed.
        InvalidInputError: There is no dataset, or no directory can have that name.
    """

    def __init__(
        self,
        config_path: str | Path | None,
        output_dir: str | Path,
        model_name: str | None = None,
        dataset: str | Path | None = None,
        task_type: str | None = None,
        project_name: str | None = None,
        metric_name: str | None = None,
        metric_goal: Goal | None = None,
        *,
        trainer: Trainer | None = None,
        seed: int | None = None,
        precision: str | None = None,
        trust_remote_code: bool | None = None,
        recorded: RecordedSweep | None = None,
    ) -> None:
        known = _DEFAULTS if recorded is None else _DEFAULTS | recorded.record["application"]
        known = known if recorded is None else {**known, "seed": recorded.record["seed"]}

        def said(name: str, value: Any) -> Any:
            return known[name] if value is None else value

        self.config_path = None if config_path is None else Path(config_path)
        named_directory(output_dir)
        self.output_dir = Path(output_dir)
        self.model_name: str = said("model_name", model_name)
        self.dataset: str | Path = said("dataset", dataset)
        self.task_type: str = said("task_type", task_type)
        self.project_name = project_name
        self.metric_name = metric_name
        self.metric_goal: Goal | None = metric_goal
        self.seed: int = said("seed", seed)
        self.precision: str = said("precision", precision)
        self.trust_remote_code: bool = said("trust_remote_code", trust_remote_code)
        self._recorded = recorded
        if self.dataset is None:  # pyright: ignore[reportUnnecessaryComparison] (neither given nor recorded)
            raise InvalidInputError([Problem("dataset", "must be given: the directory that save_to_disk wrote")])
        self.trainer = trainer or find_trainer(
            model_name=self.model_name,
            dataset=self.dataset,
            task_type=self.task_type,
            seed=self.seed,
            precision=self.precision,
            trust_remote_code=self.trust_remote_code,
        )

    def run(self, sweep_count: int | None = None) -> SweepResult | Trial:
        """Run a local sweep; inside an agent of W&B (`WANDB_SWEEP_ID` is set), the one trial that it asks for.

        Args:
            sweep_count: The number of trials; an agent's is always one.

        Returns:
            The sweep's result; inside an agent the trial, which may have failed.

        Raises:
            InvalidInputError: Something is wrong; every problem is in it, and nothing was started.
            NoEligibleTrialError: No trial of the local sweep came to a value.
        """
        if is_inside_agent():
            return self.run_assigned()
        return run_plan(self.plan(sweep_count, backend="local"))

    def run_assigned(self, observer: Observer | None = None, *, keep_checkpoints: KeepCheckpoints = "best") -> Trial:
        """Run the one trial that an agent of W&B has chosen.

        Args:
            keep_checkpoints: Whose checkpoints stay on disk: the `best` trial's, `all`, or `none`.
            observer: Hears of everything that happens.

        Raises:
            InvalidInputError: The sweep file cannot be used.
            ServiceError: W&B does not show the sweep.
            ValueError: The objective cannot be told, or `wandb.config` lacks a parameter of the sweep file.
        """
        config = self._assigned_config()
        return run_agent_trial(
            self.trainer,
            config,
            output_dir=self.output_dir,
            objective=self.objective(config),
            group=self.task_type,
            keep_checkpoints=keep_checkpoints,
            observer=observer,
        )

    def _assigned_config(self) -> SweepConfig:
        """The sweep file, or what W&B keeps of the sweep that the agent is of."""
        if self.config_path is not None:
            return load_sweep_config(self.config_path)
        with quiet_client(self.output_dir):
            sweep, document = find_sweep(os.environ["WANDB_SWEEP_ID"], entity=None, project=None)
        return parse_service_config(document, sweep)

    def plan(self, sweep_count: int | None = None, **options: Unpack[PlanOptions]) -> Plan:
        """Check everything that can be checked before the first trial, and start nothing.

        Args:
            sweep_count: The number of trials.
            options: How the sweep is run: `backend`, `workers` and others, see `plan_sweep`.

        Raises:
            InvalidInputError: Something is wrong; every problem is in it.
        """
        known: PlanOptions = {
            "objective": self.objective,
            "sweep_count": sweep_count,
            "seed": self.seed,
            "project_name": self.project_name,
            "group": self.task_type,
            "record": {
                "model_name": _absolute(self.model_name),
                "dataset": _absolute(self.dataset),
                "task_type": self.task_type,
                "trust_remote_code": self.trust_remote_code,
                "precision": self.precision,
            },
        }
        return plan_sweep(self.trainer, self.config_path, output_dir=self.output_dir, **known | options)

    def objective(self, config: SweepConfig) -> Objective:
        """The objective from the arguments, the file and the task, in this order.

        That of a sweep that goes on is the recorded one unless an argument says otherwise.

        Raises:
            ValueError: The task does not compute it.
        """
        is_said = self.metric_name is not None or self.metric_goal is not None
        if self._recorded is not None and not is_said and self._recorded.has_metric_of(config):
            return self._recorded.objective
        return config.resolve_objective(self.task_type, self.metric_name, self.metric_goal)


def _absolute(place: str | Path) -> str:
    """What exists here by that name, so that it is found from everywhere; a name on the hub stays what it is."""
    try:
        return str(Path(place).resolve()) if str(place).strip() and Path(place).exists() else str(place)
    except (OSError, ValueError):  # what no file can be named
        return str(place)
