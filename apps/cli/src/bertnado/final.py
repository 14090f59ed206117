"""The final training run, made from the best configuration of a sweep."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import (
    ArgumentProblem,
    BestConfig,
    InvalidInputError,
    Problem,
    parse_sweep_config,
    read_best_config,
    read_json,
    write_json,
)
from bertnado_metrics import Judgement, Objective, resolve_objective
from bertnado_sweep.backends.wandb.environment import project_problems
from bertnado_sweep.options import check_options
from bertnado_sweep.records.best import BEST_DETAILS_FILE
from bertnado_sweep.records.files import holds_record, output_problems
from bertnado_sweep.running.events import Note
from bertnado_sweep.single_run import single_run
from bertnado_train import (
    HuggingFaceTrainer,
    convert_arguments,
    group_column_problem,
    override_parameters,
    reduce_run_config,
    train_on_all_rows,
)
from bertnado_train import train_model as train

from bertnado.all_rows import best_step, contradictions
from bertnado.best_details import OPTIONS_OF_MODEL, mapping_in, recorded_options
from bertnado.looks import record_look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_config import Precision, Report, TrainingInputs, TrialResult
    from bertnado_metrics import Goal, Task
    from bertnado_sweep.running.events import Observer
    from bertnado_train import FinalModel

    from bertnado.all_rows import TrainOn

_PRECISION = ("bf16", "fp16")
_CARRIED_OVER = ("seed", *_PRECISION, "eval_strategy", "eval_steps", "eval_delay")
"""Training arguments that affect the result of a trial besides its sampled parameters."""
_OPTIONS_OF_MODEL = ("head", "label_scaling")
"""Training inputs that the details of a trial have beside the dataset's."""


@dataclass(frozen=True)
class FinalRun:
    """A final training run that has been checked but not started."""

    trainer: HuggingFaceTrainer
    objective: Objective
    output_dir: Path
    project_name: str | None
    parameters: Mapping[str, Any]
    """All parameters of the run."""
    carried_over: Mapping[str, Any]
    """Those that come from the record of the best trial."""
    reduction: str | None
    """What was taken from the config of a whole run, in words."""
    patience: int | None
    warnings: Sequence[Problem]
    save_state_every: float | None = None
    """The seconds of training between two training states; None if none are written."""
    steps: int | None = None
    """The number of steps if it is trained on train and validation; None if validation selects its checkpoint."""
    best_config_path: Path | None = None
    """The file beside which looks at the test split are recorded."""
    group_column: str | None = None
    """The column whose groups are resampled for the intervals of the test metrics; None for rows."""


def prepare_final(
    inputs: TrainingInputs,
    *,
    output_dir: Path,
    best_config_path: Path,
    project_name: str | None,
    metric_name: str | None,
    metric_goal: Goal | None,
    seed: int | None,
    patience: int | None,
    overrides: Mapping[str, Any],
    save_state_every: float | str | None = None,
    train_on: TrainOn = "train",
    group_column: str | None = None,
) -> FinalRun:
    """Check everything that can be checked before training; see `bertnado.api.train_model`.

    Raises:
        InvalidInputError: Something is wrong; every problem is in it.
    """
    best = read_best_config(best_config_path)
    reduction, problems = None, []
    if best.is_run_config:
        best, reduction, problems = _reduce(best, best_config_path, inputs.precision)
    carried, options, more = _carried_over(best, best_config_path)
    problems += more
    names = {*OPTIONS_OF_MODEL, *inputs.sequence_options} - inputs.model_fields_set
    options = {name: value for name, value in options.items() if name in names}
    inputs = inputs.model_copy(update=options)
    if inputs.precision != "auto":
        carried = {name: value for name, value in carried.items() if name not in _PRECISION}
    given = dict(overrides) if seed is None else {**overrides, "seed": seed}
    parameters = override_parameters(override_parameters(carried, best.parameters), given)
    carried = {name: value for name, value in carried.items() if parameters.get(name) == value}
    if reduction and "max_steps" not in given and parameters.get("max_steps", -1) > 0:
        problems.append(_step_limit(best_config_path, parameters["max_steps"]))
    carried |= options
    trainer = HuggingFaceTrainer(**dict(inputs))
    if not parameters:
        message = "must contain parameters to train with, got none; pass the best_sweep_config.json of a sweep"
        raise InvalidInputError([Problem("", message)], source=str(best_config_path))
    kept, more = check_options({"save_state_every": save_state_every})
    problems += [*final_output_problems(output_dir), *project_problems(project_name), *more]
    try:
        objective = _objective(best, inputs.task_type, metric_name, metric_goal)
        config = parse_sweep_config(_constants(parameters))
    except InvalidInputError as error:
        raise InvalidInputError([*problems, *error.problems], source=str(best_config_path)) from None
    except ValueError as error:
        raise InvalidInputError([*problems, ArgumentProblem("metric_name", str(error))]) from None
    plan, found = trainer.plan(config, objective)
    problems += found
    steps = None
    if train_on != "train":
        steps, more = best_step(best, best_config_path, plan)
        problems += [*more, *contradictions(patience, given)]
    if group_column is not None and plan is not None:
        problems += filter(None, [group_column_problem(Path(inputs.dataset), group_column)])
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise InvalidInputError(errors)
    warnings = [problem for problem in problems if problem.severity == "warning"]
    return FinalRun(
        trainer,
        objective,
        output_dir,
        project_name,
        parameters,
        carried,
        reduction,
        patience,
        warnings,
        kept.states_every,
        steps,
        best_config_path,
        group_column,
    )


def train_final(run: FinalRun, observer: Observer | None) -> dict[str, Any]:
    """Train the final model; see `bertnado.api.train_model`.

    Raises:
        TrialError: Training failed.
        Interrupted: A signal interrupted it; the same call continues from its training state.
    """
    run.output_dir.mkdir(parents=True, exist_ok=True)
    with single_run(
        directory=run.output_dir,
        objective=run.objective,
        parameters=run.parameters,
        project=run.project_name,
        group=run.trainer.task.name,
        notes=_notes(run),
        save_state_every=run.save_state_every,
        observer=observer,
    ) as report:
        final = _train(run, report)
    looked = run.best_config_path and note_look(final, run.best_config_path, run.parameters)
    for note in filter(None, [*_judgement_notes(run, final.result), looked]):
        if observer:
            observer(Note(note))
    return describe_final(final, run.objective)


def note_look(final: FinalModel, best_config_path: Path, parameters: Mapping[str, Any]) -> str | None:
    """Record that the test split was evaluated, if it was; return what is to be said of it.

    Args:
        final: The final model.
        best_config_path: The file beside which looks are recorded.
        parameters: The parameters that it was trained with.
    """
    if "test" not in final.metrics:
        return None
    fingerprint = str(mapping_in(final.result.details, "dataset")["fingerprint"])
    looks, note = record_look(best_config_path, parameters, fingerprint, final.metrics_path.parent)
    write_json(final.metrics_path, {**final.metrics, "test_looks": [look.model_dump() for look in looks]})
    return note


def _train(run: FinalRun, report: Report) -> FinalModel:
    given = (run.trainer, run.parameters, run.objective, run.output_dir)
    if run.steps is None:
        return train(*given, patience=run.patience, group_column=run.group_column, report=report)
    return train_on_all_rows(*given, steps=run.steps, group_column=run.group_column, report=report)


def describe_final(final: FinalModel, objective: Objective) -> dict[str, Any]:
    """Return what `bertnado.api.train_model` returns of a final model."""
    tested = {"test_metrics": final.metrics["test"]} if "test" in final.metrics else {}
    noted = {"notes": list(final.notes)} if final.notes else {}
    return {
        "model_path": str(final.model_path),
        "metrics_path": str(final.metrics_path),
        "metric_name": objective.name,
        "metric_goal": objective.goal,
        **({} if final.result.value is None else {"metric_value": final.result.value}),
        **tested,
        **noted,
    }


def _judgement_notes(run: FinalRun, result: TrialResult) -> list[str]:
    """Return why the final model may be worth nothing, and the noise of its value."""
    judgement = Judgement.from_record(result.details.get("judgement"))
    if judgement is None or result.value is None:
        return []
    noise = judgement.describe_interval(run.objective.name, result.value)
    return [*(f"Warning: the final model {finding}" for finding in judgement.findings), *filter(None, [noise])]


def _step_limit(path: Path, steps: int) -> Problem:
    """Warn of a limit that upstream's BertNado sets for the trials of a sweep alone."""
    limit = f"max_steps={steps} of the run ends training, whatever the number of epochs"
    cure = "upstream's BertNado limits the trials of a sweep to 1,000 steps; remove it to train all epochs"
    return Problem("", f"{path}: {limit}; {cure}", "warning")


def _notes(run: FinalRun) -> tuple[str, ...]:
    taken = ", ".join(f"{name}={value}" for name, value in run.carried_over.items())
    source = f"taken from {BEST_DETAILS_FILE}: {taken}"
    warnings = (f"Warning: {warning}" for warning in run.warnings)
    aim = f"train and validation are the training rows, for {run.steps} steps, without selection or a validation value"
    said = [run.reduction, *warnings, source if taken else None, None if run.steps is None else aim]
    return (f"device: {run.trainer.device}", *(line for line in said if line))


def _reduce(best: BestConfig, path: Path, precision: Precision) -> tuple[BestConfig, str, list[Problem]]:
    """Keep what a final model can be trained with of the config of a whole run; say what, and what is lost.

    Returns:
        The configuration, a line about it, and warnings.
    """
    reduced = reduce_run_config(best.parameters)
    names = [name for name in reduced.parameters if precision == "auto" or name not in _PRECISION]
    parameters = {name: reduced.parameters[name] for name in names}
    shown = ", ".join(f"{name}={value}" for name, value in parameters.items()) or "nothing"
    line = f"{path} is the config of a whole run: {shown} taken from it, {reduced.omitted} other keys omitted"
    problems = [
        Problem("", f"{path}: omitted, although it changed the result of the run: {key}", "warning")
        for key in reduced.unusable
    ]
    return replace(best, parameters=parameters, is_run_config=False), line, problems


def _objective(best: BestConfig, task: str | Task, metric_name: str | None, metric_goal: Goal | None) -> Objective:
    """Resolve the objective; without a flag, the goal is the one that the sweep wrote to the file."""
    if metric_name is None and metric_goal is None:
        metric_goal = best.objective_goal
    return resolve_objective(task, metric_name, metric_goal, declared_name=best.objective_name)


def _carried_over(best: BestConfig, best_config_path: Path) -> tuple[dict[str, Any], dict[str, Any], list[Problem]]:
    """Read what else the best trial was trained with from its record beside the best configuration, if there is one.

    A damaged record is ignored with a warning: the parameters are in the best configuration as well.

    Returns:
        The further training arguments, the fields of `TrainingInputs` that were set, and problems.
    """
    path = best_config_path.with_name(BEST_DETAILS_FILE)
    if not path.exists():
        return {}, {}, []
    try:
        recorded = read_json(path)
        if mapping_in(recorded, "parameters") != best.parameters:
            return {}, {}, []
        details = mapping_in(recorded, "details")
        return _select_carried_over(mapping_in(details, "arguments")), recorded_options(details), []
    except InvalidInputError as error:
        reason = "; ".join(map(str, error.problems))
    except ValueError as error:
        reason = str(error)
    lost = "the seed, precision and evaluation interval of the sweep are not used"
    return {}, {}, [Problem("", f"{path} is ignored, so {lost}: {reason}", "warning")]


def _select_carried_over(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recorded arguments that the final run takes over.

    Raises:
        ValueError: A training argument does not accept its recorded value.
    """
    recorded = {name: arguments[name] for name in _CARRIED_OVER if name in arguments}
    selected = {name: value for name, value in recorded.items() if value or name == "bf16"}  # bf16: false means fp32
    convert_arguments(selected)
    return selected


def _constants(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"method": "grid", "parameters": {name: {"value": value} for name, value in parameters.items()}}


def final_output_problems(output_dir: Path) -> list[Problem]:
    """Return why a final model cannot be written to a directory; empty if it can."""
    if holds_record(output_dir):
        return [ArgumentProblem("output_dir", f"{output_dir} already contains a sweep; choose another {{output_dir}}")]
    for name in ("model", "metrics.json"):
        if (output_dir / name).exists():
            message = f"{output_dir} already contains a trained model; choose another {{output_dir}}"
            return [ArgumentProblem("output_dir", message)]
    return output_problems(output_dir)
