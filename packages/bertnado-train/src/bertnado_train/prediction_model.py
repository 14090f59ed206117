"""A saved model, opened for predictions with all that is recorded of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import ArgumentProblem, InvalidInputError, path_problem
from bertnado_metrics import DEFAULT_THRESHOLD, get_task, nearest

from .model_files import holds_trained_part
from .prediction_record import PredictionRecord, class_names, read_record
from .pretrained import find_tokenizer
from .read_back import load_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bertnado_config import PredictionOptions
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_WANTED = "the directory of a saved model, such as the 'model' that full-train wrote"


@dataclass(frozen=True)
class OpenedModel:
    """A model, its tokenizer, and what is recorded of both."""

    directory: Path
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase | None
    record: PredictionRecord
    thresholds: tuple[float, ...]
    """The threshold of each logit that is applied; empty if the task has none."""
    notes: Sequence[str]
    """What differs from a model with a record."""
    trust_remote_code: bool

    @cached_property
    def copy_on_cpu(self) -> PreTrainedModel:
        """A model on the CPU, where a row that is too long is an error and nothing worse."""
        if self.model.device.type == "cpu":
            return self.model
        return load_model(self.directory, trust_remote_code=self.trust_remote_code)


def open_model(options: PredictionOptions) -> OpenedModel:
    """Read a saved model for predictions.

    Raises:
        InvalidInputError: It cannot be used, or an option does not fit it; every problem is in it.
    """
    directory = _require_model(options.model)
    record = read_record(directory)
    trust = options.trust_remote_code
    try:
        model = load_model(directory, trust_remote_code=trust)
    except InvalidInputError as error:
        raise InvalidInputError([_of_model(problem) for problem in error.problems]) from error
    notes = [] if record else ["the model has no prediction.json: its task is read from its config.json"]
    record = record or _record_from(model, directory)
    task = record.task_object
    if options.threshold is not None and not task.prediction_rule.takes_thresholds:
        message = f"{{threshold}} does not apply to a model of {task.name}; remove it"
        raise InvalidInputError([ArgumentProblem("threshold", message)])
    thresholds = (options.threshold,) * record.logits if options.threshold is not None else record.thresholds
    tokenizer = find_tokenizer(str(directory), trust_remote_code=trust)
    return OpenedModel(directory, model, tokenizer, record, thresholds, notes, trust)


def _of_model(problem: Any) -> Any:
    is_argument = isinstance(problem, ArgumentProblem) and problem.path == "model_name"
    return replace(problem, path="model") if is_argument else problem


def _require_model(name: Path | str) -> Path:
    """Return the directory of a model.

    Raises:
        InvalidInputError: There is none.
    """
    problem = path_problem(name, _WANTED)
    if problem:
        raise _error(f"{{model}} {problem}")
    directory = Path(name)
    if not directory.exists():
        siblings = [entry.name for entry in directory.parent.iterdir()] if directory.parent.is_dir() else []
        near = nearest(directory.name, siblings)
        hint = f"did you mean {str(directory.with_name(near))!r}? " if near else ""
        raise _error(f"{str(directory)!r} does not exist; {hint}pass {_WANTED}")
    if not directory.is_dir():
        raise _error(f"{str(directory)!r} is a file; pass {_WANTED}")
    if holds_trained_part(directory):
        raise _error(
            f"{str(directory)!r} holds what a trial trained of a model; make a whole one with full-train --from-sweep"
        )
    if not (directory / "config.json").is_file():
        inside = next((entry for entry in sorted(directory.glob("*/config.json"))), None)
        cure = f"pass {str(inside.parent)!r}" if inside else f"pass {_WANTED}"
        raise _error(f"{str(directory)!r} contains no model (config.json); {cure}")
    return directory


def _error(message: str) -> InvalidInputError:
    return InvalidInputError([ArgumentProblem("model", message)])


def _record_from(model: Any, directory: Path) -> PredictionRecord:
    """Describe a model that was saved without a record, as far as its configuration says.

    Raises:
        InvalidInputError: It does not say the task.
    """
    config, logits = model.config, int(model.config.num_labels)
    names = {
        "regression": "regression",
        "single_label_classification": "multiclass_classification",
        "multi_label_classification": "binary_classification" if logits == 1 else "multilabel_classification",
    }
    if config.problem_type not in names:
        choices = ", ".join(names)
        cure = f"set it in {directory / 'config.json'} ({choices}), or train the model with full-train"
        raise _error(f"{str(directory)!r} does not say its task: problem_type is {config.problem_type!r}; {cure}")
    task = get_task(names[config.problem_type])
    named = {str(name): int(number) for number, name in (config.id2label or {}).items()}
    if task.has_positive_class:
        named = {name: 1 for name in named if not name.startswith("LABEL_")}
    thresholds = (DEFAULT_THRESHOLD,) * logits if task.prediction_rule.takes_thresholds else ()
    classes = class_names(task, logits, {} if task.predicts_values else named)
    return PredictionRecord(task=task.name, classes=classes, thresholds=thresholds)
