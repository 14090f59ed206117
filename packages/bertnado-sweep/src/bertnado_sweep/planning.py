"""Checking a sweep before its first trial: everything that can be known to be wrong is named at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import ArgumentProblem, InvalidInputError, Problem, SweepConfig, check_sweep_config, visible_gpus
from bertnado_metrics import Objective

from .backends import AUTO, choose_backend, get_backend_type
from .backends.wandb.environment import assignment_problems, project_of, project_problems, quiet_wandb
from .backends.wandb.service import ServiceError, check_service_config, find_sweep
from .budget import find_budget
from .dry_run import measure_trials
from .folding import fold_problems
from .options import SweepOptions, check_options
from .plan import Application, BackendChoice, Plan, RunKind, state_bytes_of
from .records.files import Room, named_directory, output_problems, room_problems
from .resume import STUDY_WITHOUT_STORAGE, find_recorded, nothing_to_resume, require_recorded
from .retrying import retry_problems
from .running.function_trainer import FunctionTrainer
from .running.worker_pool import pickling_problem
from .search import get_method
from .search.start_points import StartPoints
from .start import JoinedSweep, JoinedWandbSweep, NewSweep, ResumedSweep, SweepStart
from .start_from import StartSettings, find_start_points

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bertnado_config import Trainer, TrialFunction
    from bertnado_metrics import Task

    from .records.recorded_sweep import RecordedSweep

    SweepFile = SweepConfig | Mapping[str, Any] | str | Path

FEWEST_SEEDS = 2
"""Of a confirmation over seeds: a standard error needs two values."""

_STAND_IN = Objective("eval/loss", "minimize")
"""The objective that a trainer checks if the real one is invalid: every task computes it."""


def plan_sweep(
    trainer: Trainer | TrialFunction,
    config: SweepFile | None,
    *,
    output_dir: str | Path,
    objective: Objective | Callable[[SweepConfig], Objective] | None = None,
    task: str | Task | None = None,
    group: str | None = None,
    command: Sequence[str] = (),
    record: Mapping[str, Any] | None = None,
    join: bool = False,
    kind: RunKind | None = None,
    **options: Any,
) -> Plan:
    """Check everything that can be checked before the first trial, and start nothing.

    Args:
        trainer: A `Trainer`, or a function of the parameters and a report.
        config: The sweep file, read or not, or its content; None for a sweep that is recorded or at W&B.
        output_dir: The directory to record the sweep in.
        objective: The objective, or a function of the sweep file that returns it; by default `metric_name`, the file's
            metric or the task's, in this order.
        task: The task that names the metrics; without it any metric name is accepted.
        group: The W&B group of the runs.
        command: The program, with its arguments, that W&B's command-line agent is to start for a trial.
        record: Settings of the application to record in `sweep.json`. JSON-serializable.
        join: Work on the recorded sweep, possibly beside other machines, with exactly what is recorded: of the options
            only those of this machine count (`workers`, `trials_per_gpu`, `time_limit`, `storage`, `study`).
        kind: The kind of the runs; by default trials of a search.
        options: How the sweep is run, see `SweepOptions`.

    Raises:
        InvalidInputError: Something is wrong; every problem is in it.
        TypeError: The trainer is neither a `Trainer` nor a function.
    """
    application = Application(dict(record or {}), group, tuple(command))
    planner = _Planner(as_trainer(trainer), named_directory(output_dir), application, kind or RunKind())
    return planner.plan(config, objective, task, options, join=join)


class _Planner:
    """Collects what is wrong with one sweep."""

    def __init__(self, trainer: Trainer, output_dir: Path, application: Application, kind: RunKind) -> None:
        self._trainer = trainer
        self._output = output_dir
        self._application = application
        self._kind = kind
        self._problems: list[Problem] = []

    def plan(
        self,
        config: SweepFile | None,
        objective: Objective | Callable[[SweepConfig], Objective] | None,
        task: str | Task | None,
        given: Mapping[str, Any],
        *,
        join: bool,
    ) -> Plan:
        options, problems = check_options(given)
        self._problems += problems
        recorded = self._find_recorded(options, join=join)
        if recorded is not None:
            options = _completed(options, recorded, join=join)
            self._application = _application_of(self._application, recorded, join=join)
        if options.study is not None and options.storage is None:
            self._problems.append(STUDY_WITHOUT_STORAGE)
        choice, problems = choose_backend(options)
        self._problems += [*problems, *project_problems(options.project_name), *assignment_problems(options)]
        self._problems += retry_problems(options, recorded)
        start, parsed, source = self._find_start(config, options, recorded, choice, join=join)
        self._problems = [*self._output_problems(options, start), *self._problems]
        workers = self._count_workers(options)
        found = self._resolve(objective, task, parsed, options, start)
        if parsed is not None and choice is not None:
            self._check_content(parsed, found, choice, options, start)
        if self._errors() or parsed is None or found is None or choice is None:
            raise InvalidInputError(self._errors(), source=self._blamed(source))
        begin = self._start_settings(options, parsed, recorded)
        budget = find_budget(parsed, options.sweep_count, get_backend_type(choice.name), start)
        self._problems += _confirmation_problems(options, start, budget.trials)
        self._problems += self._fold_problems(options, found, join=join)
        if self._errors():
            raise InvalidInputError(self._errors(), source=self._blamed(source))
        workers = max(min(workers, budget.trials), 1)
        self._check_room(options, budget.trials, workers)
        method = self._kind.method or get_method(parsed.method)
        method = StartPoints(begin.points, method) if begin.points else method
        forecast, problems = measure_trials(
            self._trainer,
            parsed,
            found,
            options,
            start,
            method=method,
            budget=budget.trials,
            workers=workers,
            output_dir=self._output,
        )
        self._problems += problems
        if self._errors():
            raise InvalidInputError(self._errors(), source=source)
        at_wandb = start.sweep if isinstance(start, JoinedWandbSweep) else None
        return Plan(
            trainer=self._trainer,
            config=parsed,
            method=method,
            start_points=begin.points,
            start_source=begin.source,
            objective=found,
            output_dir=self._output,
            budget=budget.trials,
            workers=workers,
            project=at_wandb.project if at_wandb else project_of(options.project_name, parsed.project),
            entity=at_wandb.entity if at_wandb else options.entity or parsed.entity,
            backend=choice,
            start=start,
            options=options,
            application=self._application,
            kind=self._kind,
            config_path=Path(source).absolute() if source is not None else None,
            warnings=(*parsed.warnings, *self._problems, *budget.warnings),
            forecast=forecast,
        )

    def _find_recorded(self, options: SweepOptions, *, join: bool) -> RecordedSweep | None:
        if join:
            return require_recorded(self._output, storage=options.storage, study=options.study)
        if options.resume or options.join_or_begin or options.study:
            return find_recorded(self._output, storage=options.storage, study=options.study)
        return None

    def _find_start(
        self,
        config: SweepFile | None,
        options: SweepOptions,
        recorded: RecordedSweep | None,
        choice: BackendChoice | None,
        *,
        join: bool,
    ) -> tuple[SweepStart, SweepConfig | None, str | None]:
        """Return how the sweep starts, its sweep file, and the path of that."""
        if options.sweep_id is not None:
            if choice is None:
                return NewSweep(), None, None
            return self._find_at_wandb(options, recorded)
        if recorded is not None and (join or config is None):
            config = cast("Mapping[str, Any]", recorded.record["config"])
        start = NewSweep() if recorded is None else (JoinedSweep if join else ResumedSweep)(recorded)
        if config is None:
            message = "a sweep file is required, {config_path}; or the id of a sweep at W&B, {sweep_id}"
            self._problems.append(ArgumentProblem("config_path", message))
            return start, None, None
        checked = check_sweep_config(config)
        self._problems += checked.problems
        return start, checked.config, str(config) if isinstance(config, str | Path) else None

    def _find_at_wandb(
        self, options: SweepOptions, recorded: RecordedSweep | None
    ) -> tuple[SweepStart, SweepConfig | None, None]:
        try:
            with quiet_wandb(self._output):
                sweep, document = find_sweep(str(options.sweep_id), entity=options.entity, project=options.project_name)
        except ServiceError as error:
            self._problems.append(ArgumentProblem("sweep_id", str(error)))
            return NewSweep(), None, None
        checked = check_service_config(document, sweep)
        self._problems += checked.problems
        return JoinedWandbSweep(sweep, recorded), checked.config, None

    def _output_problems(self, options: SweepOptions, start: SweepStart) -> list[Problem]:
        recorded = start.recorded
        if recorded is not None and recorded.is_damaged:
            return []  # it is repaired
        if recorded is None and options.resume:
            return [nothing_to_resume(self._output)]
        known = start.sweep.id if isinstance(start, JoinedWandbSweep) else recorded.sweep_id if recorded else None
        problems = output_problems(self._output, known=known)
        return problems + self._backend_problems(options, recorded)

    def _backend_problems(self, options: SweepOptions, recorded: RecordedSweep | None) -> list[Problem]:
        if recorded is None or options.backend in (AUTO, recorded.backend):
            return []
        message = f"the sweep in {self._output} has the {recorded.backend} backend, got {options.backend}"
        return [ArgumentProblem("resume", f"{message}; remove {{backend}}")]

    def _resolve(
        self,
        objective: Objective | Callable[[SweepConfig], Objective] | None,
        task: str | Task | None,
        config: SweepConfig | None,
        options: SweepOptions,
        start: SweepStart,
    ) -> Objective | None:
        if config is None:
            return None
        recorded = start.recorded
        is_given = options.metric_name is not None or options.metric_goal is not None
        if isinstance(start, JoinedSweep):
            return start.recorded.objective
        if objective is None and not is_given and recorded is not None and recorded.has_metric_of(config):
            return recorded.objective
        if isinstance(objective, Objective):
            return objective
        try:
            if objective is not None:
                return objective(config)
            return config.resolve_objective(task, options.metric_name, options.metric_goal)
        except ValueError as error:
            is_of_call = options.metric_name is not None
            problem = ArgumentProblem("metric_name", str(error)) if is_of_call else Problem("metric", str(error))
            self._problems.append(problem)
            return None

    def _check_content(
        self,
        config: SweepConfig,
        objective: Objective | None,
        choice: BackendChoice,
        options: SweepOptions,
        start: SweepStart,
    ) -> None:
        """Check what file, trainer and backend know of each other, and what a record was started with."""
        self._problems += self._trainer.check(config, objective or _STAND_IN)
        self._problems += get_backend_type(choice.name).check_file(config, self._application.command)
        if isinstance(start, ResumedSweep) and objective is not None:
            problems = start.recorded.objective_problems(objective)
            if not problems and not options.allow_config_change:
                settings = {"seed": options.seed, **self._application.settings}
                problems = start.recorded.setting_problems(config, settings)
            self._problems += problems

    def _count_workers(self, options: SweepOptions) -> int:
        """Return how many processes train at once."""
        count, per_gpu, gpus = options.workers, options.trials_per_gpu, len(visible_gpus())
        if not gpus and per_gpu > 1:
            message = (
                "{trials_per_gpu} has no effect without a visible GPU; use {workers} to train several trials at once"
            )
            self._problems.append(ArgumentProblem("trials_per_gpu", message, "warning"))
        if gpus and count is not None and count > gpus * per_gpu:
            message = (
                f"{{workers}} must be at most {gpus * per_gpu} (visible GPUs: {gpus}, {{trials_per_gpu}}: {per_gpu}), "
                f"got {count}; lower it, or set {{trials_per_gpu}} to {-(-count // gpus)}"
            )
            self._problems.append(ArgumentProblem("workers", message))
            return 1
        wanted = count or max(gpus * per_gpu, 1)
        obstacle = pickling_problem(self._trainer) if wanted > 1 else None
        if obstacle is None:
            return wanted
        message = f"the trainer must be picklable to train in worker processes: {obstacle}"
        if count is None:
            self._problems.append(ArgumentProblem("workers", f"one trial at a time, because {message}", "warning"))
        else:
            self._problems.append(ArgumentProblem("workers", message))
        return 1

    def _start_settings(
        self, options: SweepOptions, config: SweepConfig, recorded: RecordedSweep | None
    ) -> StartSettings:
        """Return the points that the search begins with: of the option, otherwise as recorded."""
        if options.start_from is None:
            points = [] if recorded is None else list(recorded.record.get("start_points", ()))
            return StartSettings(points, None, [])
        begin = find_start_points(options.start_from, config, self._trainer)
        self._problems += begin.problems
        return begin

    def _check_room(self, options: SweepOptions, budget: int, workers: int) -> None:
        """Raise an error if the checkpoints and training states that are on disk at once do not fit on it."""
        size, state = getattr(self._trainer, "checkpoint_bytes", None), state_bytes_of(self._trainer)
        count = {"best": workers + self._kind.kept_checkpoints, "all": budget, "none": workers}[
            options.keep_checkpoints
        ]
        needs = [] if size is None else [Room("checkpoints", size, count)]
        if state is not None and options.states_every is not None:
            needs.append(Room("training states", state, 2 * workers))  # a new one is written beside the old one
        problems = room_problems(self._output, needs)
        if problems:
            raise InvalidInputError(problems)

    def _fold_problems(self, options: SweepOptions, objective: Objective, *, join: bool) -> list[Problem]:
        """Report a column by which the confirmation at the end of the sweep cannot be divided."""
        column = options.confirm_folds
        if column is None or options.confirm_top is None or join:
            return []
        return fold_problems(self._trainer, column, objective, name="confirm_folds")

    def _errors(self) -> list[Problem]:
        return [problem for problem in self._problems if problem.severity == "error"]

    def _blamed(self, source: str | None) -> str | None:
        """Return the file to blame: none if only the call is wrong."""
        return source if any(problem.is_of_file for problem in self._errors()) else None


def _confirmation_problems(options: SweepOptions, start: SweepStart, budget: int) -> list[Problem]:
    """Report what of a confirmation at the end of the sweep is impossible, or has no effect."""
    top = options.confirm_top
    if top is None:
        names = [name for name in ("confirm_seeds", "confirm_folds") if options.is_given(name)]
        message = "{%s} has no effect without {confirm_top}; set the number of trials to confirm"
        is_new = start.recorded is None
        return [ArgumentProblem(name, message % name, "warning") for name in names if is_new]
    if options.confirm_folds is None and options.confirm_seeds is not None and options.confirm_seeds < FEWEST_SEEDS:
        rule = f"{{confirm_seeds}} must be at least {FEWEST_SEEDS}, got {options.confirm_seeds}"
        return [ArgumentProblem("confirm_seeds", rule)]
    if top <= budget or not isinstance(start, NewSweep | ResumedSweep):
        return []
    message = f"{{confirm_top}} must be at most the number of trials of the sweep, {budget}, got {top}"
    return [ArgumentProblem("confirm_top", message)]


def _completed(options: SweepOptions, recorded: RecordedSweep, *, join: bool) -> SweepOptions:
    """Return the options of a sweep that continues: what was not given is as recorded."""
    given = options.given()
    if join:
        given = {name: value for name, value in given.items() if options.details(name).for_joining}
    given |= {"storage": recorded.storage, "study": recorded.study}
    if given.get("sweep_id") is None and recorded.path is not None:
        given["sweep_id"] = recorded.path
    if given.get("backend", AUTO) == AUTO:
        given["backend"] = recorded.backend
    return SweepOptions(**{name: value for name, value in given.items() if value is not None}).completed(
        recorded.record
    )


def _application_of(given: Application, recorded: RecordedSweep, *, join: bool) -> Application:
    record = recorded.record
    is_left_out = join or not given.settings
    return Application(
        settings=record["application"] if is_left_out else given.settings,
        group=record["group"] if join or given.group is None else given.group,
        command=given.command,
    )


def as_trainer(trainer: Trainer | TrialFunction) -> Trainer:
    """Return the trainer itself, or one around a plain function.

    Raises:
        TypeError: It is neither.
    """
    if hasattr(trainer, "open") and hasattr(trainer, "check"):
        return cast("Trainer", trainer)
    if callable(trainer):
        return FunctionTrainer(trainer)
    raise TypeError(f"a trainer must have the methods check and open, or be a function, got {trainer!r}")


def require_backend(options: Mapping[str, Any]) -> None:
    """Check at once that a backend that is asked for by name can be used; `plan_sweep` does so among everything else.

    Raises:
        InvalidInputError: It cannot.
    """
    asked, _ = check_options({name: options.get(name) for name in ("backend", "join_or_begin")})
    problems = [] if asked.backend == AUTO else choose_backend(asked)[1]
    if problems:
        raise InvalidInputError(problems)
