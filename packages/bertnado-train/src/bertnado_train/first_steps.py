"""A real training step and an evaluation before a sweep, for each optimiser and each scheduler of its trials."""

from __future__ import annotations

import logging
import tempfile
from typing import TYPE_CHECKING, Any

import torch
from bertnado_config import Problem

from .adapter import adapter_config, adapter_problem
from .batch_size_limit import is_out_of_memory, release_memory
from .loading_errors import first_line
from .new_thread import run_in_new_thread
from .other_process import ProcessDiedError, UnreachableProcessError
from .parameters.namespaces import convert_parameters
from .parameters.training_argument_types import FIELDS
from .stored_model import hide_reports
from .training_arguments import without_evaluations
from .trial import make_model, make_trainer
from .trial_strands import with_strands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bertnado_metrics import Objective
    from transformers import TrainingArguments

    from .encoded_split import EncodedSplit
    from .huggingface_trainer import HuggingFaceTrainer
    from .training_setup import TrainingSetup

_log = logging.getLogger(__name__)

_FIELDS = (
    "optim",
    "optim_args",
    "lr_scheduler_type",
    "lr_scheduler_kwargs",
    "gradient_checkpointing",
    "gradient_checkpointing_kwargs",
    "bf16",
    "fp16",
    "use_liger_kernel",
    "neftune_noise_alpha",
    "label_smoothing_factor",
)
"""Training arguments whose values are tried, as are those of all parameters that are no training arguments."""

_MOST_STEPS = 12


def step_problems(
    trainer: HuggingFaceTrainer,
    trials: Iterable[Mapping[str, Any]],
    objective: Objective,
    *,
    in_process: bool | None = None,
) -> list[Problem]:
    """Train one step with two rows, and evaluate two, for each value of the arguments that a step may fail with.

    Args:
        trainer: The trainer of the sweep, whose model takes the dataset's rows.
        trials: The parameters of possible trials, whose training arguments are valid.
        objective: The metric that trials are judged by.
        in_process: Train here; by default without a GPU. Otherwise another process does, because this one
            would hold memory of the GPU as long as it lives.

    Returns:
        One error per reason, with the values that it fails with.
    """
    chosen = covering_trials(trials)
    _log.info("training one step with the optimisers and schedulers of the trials")
    if in_process or (in_process is None and not torch.cuda.is_available()):
        return run_in_new_thread(run_steps, trainer, chosen, objective)
    return _run_in_another_process(trainer, chosen, objective)


def _run_in_another_process(
    trainer: HuggingFaceTrainer, trials: Sequence[Mapping[str, Any]], objective: Objective
) -> list[Problem]:
    """Run the steps in a process; in this one if a process cannot be told what to do, as with a task of a script."""
    try:
        return trainer.other_process.answer(run_steps, trials, objective)
    except ProcessDiedError as died:
        if died.signum is not None:
            return [Problem("parameters", _message(str(died), ()))]
    except UnreachableProcessError:
        pass
    return run_in_new_thread(run_steps, trainer, trials, objective)


def covering_trials(trials: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return few trials among which every value to try occurs."""
    values_of = [(parameters, _tried_values(parameters)) for parameters in trials]
    left = _values_to_cover([values for _, values in values_of])
    chosen: list[Mapping[str, Any]] = []
    for parameters, values in values_of:
        covered = _keys(values) & left
        if covered and len(chosen) < _MOST_STEPS:
            chosen.append(parameters)
            left -= covered
    return chosen or [parameters for parameters, _ in values_of[:1]]


def _values_to_cover(trials: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Return every value of the trials; of more than two numbers, the smallest and the largest."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in (item for values in trials for item in values.items()):
        found.setdefault(name, {})[repr(value)] = value
    for name, values in found.items():
        numbers = [value for value in values.values() if isinstance(value, int | float)]
        if len(numbers) == len(values):
            found[name] = {repr(value): value for value in (min(numbers), max(numbers))}
    return {(name, shown) for name, values in found.items() for shown in values}


def _keys(values: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(name, repr(value)) for name, value in values.items()}


def _tried_values(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a step may fail with, training arguments first."""
    converted = {parameter.target: parameter for parameter in convert_parameters(parameters)}
    arguments = {name: converted[name].value for name in _FIELDS if name in converted}
    others = {parameter.name: parameter.value for parameter in converted.values() if parameter.target not in FIELDS}
    return arguments | others


def run_steps(
    trainer: HuggingFaceTrainer,
    trials: Sequence[Mapping[str, Any]],
    objective: Objective,
    tell: Callable[[Any], None] = lambda said: None,
) -> list[Problem]:
    """Train a step of each trial, and return why some fail; nothing is told meanwhile."""
    setup = trainer.setup
    failed: dict[str, list[Mapping[str, Any]]] = {}
    harmless: set[tuple[str, str]] = set()
    for parameters in trials:
        reason, values = _run_step(setup, parameters, objective), _tried_values(parameters)
        if reason is None:
            harmless |= _keys(values)
        else:
            failed.setdefault(reason, []).append(values)
    return [Problem("parameters", _message(reason, _blamed(found, harmless))) for reason, found in failed.items()]


def _run_step(setup: TrainingSetup, parameters: Mapping[str, Any], objective: Objective) -> str | None:
    """Train one step and evaluate; return why it fails, or `None`."""
    with tempfile.TemporaryDirectory() as directory, hide_reports():
        arguments = _shortened(setup.training_arguments(parameters, objective, directory))
        try:
            model = make_model(setup, parameters, arguments.seed)
            shown = with_strands(setup, parameters)
            train, validation = _two_rows(shown.train), _two_rows(shown.validation)
            tried = make_trainer(setup, parameters, arguments, model, train=train, validation=validation)
            tried.train()
            tried.evaluate()
            if adapter_config(model) is not None:
                return adapter_problem(model, lambda: setup.batch_format.predict(model.eval(), validation))
        except Exception as error:  # noqa: BLE001 (an optimiser raises whatever it raises)
            return None if is_out_of_memory(error) else first_line(error)
        finally:
            release_memory()
    return None


def _shortened(arguments: TrainingArguments) -> TrainingArguments:
    """Return the arguments of a trial of a single step."""
    shortened = without_evaluations(arguments, 1)
    shortened.per_device_train_batch_size = min(arguments.per_device_train_batch_size, 2)
    shortened.per_device_eval_batch_size = 2
    shortened.dataloader_drop_last = False
    return shortened


def _two_rows(split: EncodedSplit) -> EncodedSplit:
    """Return the longest row and the shortest one."""
    return split.__getitems__(split.longest_first[[0, -1]].tolist())


def _blamed(failed: Sequence[Mapping[str, Any]], harmless: set[tuple[str, str]]) -> list[str]:
    """Return the values of trials that fail for one reason: without those that train elsewhere, those they share."""
    suspected = [_without(values, harmless) or values for values in failed]
    in_all = set[tuple[str, str]].intersection(*map(_keys, suspected))
    shared = {name: value for name, value in suspected[0].items() if (name, repr(value)) in in_all}
    return [_described(values) for values in ([shared] if shared else suspected)]


def _without(values: Mapping[str, Any], left_out: set[tuple[str, str]]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if (name, repr(value)) not in left_out}


def _described(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _message(reason: str, values: Sequence[str]) -> str:
    named = "; ".join(dict.fromkeys(value for value in values if value))
    cure = f"choose other values than {named}" if named else "see docs/models.md for what a model needs"
    return f"a first training step fails{f' with {named}' if named else ''}: {reason}; {cure}"
