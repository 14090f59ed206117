"""`best_sweep_config.json`: the best parameters of a sweep, and the metric by which they are best."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from bertnado_metrics import Goal, Objective, metric_name_for_trainer
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, ValidationError

from .errors import InvalidInputError, Problem
from .field_types import Flag, GoalField, Name
from .files import read_document, write_json
from .number_parsing import non_finite_leaves, read_words
from .pydantic_errors import Vocabulary, problems_of
from .value_text import show


@dataclass(frozen=True)
class ConfirmedValue:
    """The value of parameters that were trained anew with fresh seeds."""

    mean: float
    """The mean of the objective over the seeds, or over the folds."""
    standard_error: float
    seeds: tuple[int, ...]
    folds: str | None = None
    """The column of the dataset whose groups were validated on; None for the validation split alone."""

    def to_keys(self) -> dict[str, Any]:
        """Return the keys of `best_sweep_config.json` that hold it."""
        return {f"confirmed_{name}": value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class BestConfig:
    """The content of a best configuration. A hand-written one may omit the metric."""

    parameters: dict[str, Any]
    """The sampled parameters, nested as the sweep file nests them."""
    objective_name: str | None = None
    """The metric as the file spells it: `eval/roc_auc`, or `roc_auc` if only `metric_for_best_model` names it."""
    objective_goal: Goal | None = None
    """`maximize` or `minimize`."""
    confirmed: ConfirmedValue | None = None
    """The value over fresh seeds; None if the parameters are not confirmed."""
    is_run_config: bool = False
    """True if the parameters are everything that a tracking callback recorded of a run, not those that were sampled."""


class _OptimizationMetric(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    goal: GoalField | None = None


class _BestFile(BaseModel):
    """The keys of the file that describe the metric and its value; all others are parameters."""

    model_config = ConfigDict(extra="allow")

    metric_for_best_model: Name | None = None
    greater_is_better: Flag | None = None
    optimization_metric: _OptimizationMetric = _OptimizationMetric()
    confirmed_mean: FiniteFloat | None = None
    confirmed_standard_error: Annotated[FiniteFloat, Field(ge=0)] | None = None
    confirmed_seeds: list[NonNegativeInt] | None = None
    confirmed_folds: str | None = None

    @property
    def goal(self) -> Goal | None:
        """The goal that `greater_is_better` stands for."""
        return None if self.greater_is_better is None else "maximize" if self.greater_is_better else "minimize"

    @property
    def confirmed(self) -> ConfirmedValue | None:
        """The confirmed value, if the file holds all of it."""
        mean, error, seeds = self.confirmed_mean, self.confirmed_standard_error, self.confirmed_seeds
        if mean is None or error is None or seeds is None:
            return None
        return ConfirmedValue(mean, error, tuple(seeds), self.confirmed_folds)


BEST_METRIC_KEYS = frozenset(_BestFile.model_fields)
"""The keys of `best_sweep_config.json` that describe the metric and its confirmed value; they are not parameters."""

_BOOKKEEPING = frozenset({"_wandb", "wandb_version", "bertnado"})
"""Keys that W&B and BertNado add to the config of a run beside the parameters."""
_ADDED_BY_CALLBACKS = frozenset(
    {
        # the configuration of the model
        *(
            "_name_or_path",
            "architectures",
            "model_type",
            "transformers_version",
            "torch_dtype",
            "id2label",
            "label2id",
        ),
        *(
            "is_encoder_decoder",
            "chunk_size_feed_forward",
            "output_hidden_states",
            "tie_word_embeddings",
            "hidden_size",
        ),
        # training arguments that nobody writes by hand
        *("local_rank", "log_level_replica", "log_on_each_node", "ddp_timeout", "ddp_bucket_cap_mb", "hub_always_push"),
        *("skip_memory_metrics", "length_column_name", "past_index", "mp_parameters", "ray_scope", "tpu_num_cores"),
    }
)
"""Keys that a tracking callback adds to the config of a run, and that a person would not write."""
_FEWEST_ADDED = 3
"""The config of a whole run has at least so many of them; fewer may be mistakes in a file that a person wrote."""

_VOCABULARY = Vocabulary(
    "a best configuration",
    keys={"optimization_metric": tuple(_OptimizationMetric.model_fields)},
    cures={"optimization_metric": 'write {"name": "eval/roc_auc", "goal": "maximize"}'},
)


def write_best_config(
    path: str | Path,
    parameters: Mapping[str, Any],
    objective: Objective,
    *,
    confirmed: ConfirmedValue | None = None,
) -> None:
    """Write the best parameters and their objective, atomically.

    Args:
        path: The file.
        parameters: The sampled parameters, nested. The objective overwrites any that has the name of one of
            `BEST_METRIC_KEYS`.
        objective: The objective by which the parameters are best.
        confirmed: Their value over fresh seeds, if they are confirmed.

    Raises:
        OSError: The file cannot be written; an existing file is left as it was.
    """
    metric = {
        "metric_for_best_model": objective.trainer_name,
        "greater_is_better": objective.greater_is_better,
        "optimization_metric": {"name": objective.name, "goal": objective.goal},
    }
    write_json(path, dict(parameters) | metric | (confirmed.to_keys() if confirmed else {}))


def read_best_config(path: str | Path) -> BestConfig:
    """Read a best configuration, JSON or YAML by its suffix, also a hand-written one with fewer keys.

    If every parameter is wrapped as W&B wraps them, `{"value": ...}`, the values are unwrapped. The config of a whole
    run is recognised, see `BestConfig.is_run_config`.

    Raises:
        InvalidInputError: The file cannot be read, contradicts itself or is another kind of file.
    """
    content = _unwrap(read_document(path))
    try:
        file = _BestFile.model_validate(content)
    except ValidationError as error:
        problems = problems_of(error, path="", vocabulary=_VOCABULARY)
        raise InvalidInputError(problems, source=str(path)) from None
    parameters = file.model_extra or {}
    is_run_config = len(_ADDED_BY_CALLBACKS & parameters.keys()) >= _FEWEST_ADDED
    problems = [*_contradictions(file), *_another_file(parameters), *(() if is_run_config else _not_finite(parameters))]
    if problems:
        raise InvalidInputError(problems, source=str(path))
    parameters = cast("dict[str, Any]", read_words(parameters)[0])
    metric = file.optimization_metric
    return BestConfig(
        parameters,
        metric.name or file.metric_for_best_model,
        metric.goal or file.goal,
        file.confirmed,
        is_run_config=is_run_config,
    )


def _contradictions(file: _BestFile) -> Iterator[Problem]:
    """Yield contradictions between the keys that describe the metric."""
    trainer_name, metric = file.metric_for_best_model, file.optimization_metric
    if trainer_name and metric.name and metric_name_for_trainer(trainer_name) != metric_name_for_trainer(metric.name):
        message = f"{trainer_name!r} contradicts optimization_metric.name {metric.name!r}; remove one of them"
        yield Problem("metric_for_best_model", message)
    if file.goal and metric.goal and file.goal != metric.goal:
        meaning = f"{show(file.greater_is_better)} means {file.goal!r}"
        message = f"{meaning}, which contradicts optimization_metric.goal {metric.goal!r}; remove one of them"
        yield Problem("greater_is_better", message)


def _another_file(parameters: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield signs of another kind of file."""
    if {"method", "parameters"} <= parameters.keys():
        yield Problem("", "is a sweep file; give the best_sweep_config.json that a sweep writes")
    if {"trial", "parameters", "details"} <= parameters.keys():
        yield Problem("", "is the record of a trial; give the best_sweep_config.json beside it")


def _not_finite(parameters: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the parameters that are not finite, which cannot be trained with."""
    for name, value in parameters.items():
        for number in non_finite_leaves(value):
            yield Problem(name, f"must be finite, got {show(number)}")


def _unwrap(content: Any) -> Any:
    """Remove what W&B keeps beside the parameters of a run, and unwrap `{"value": ...}` if all are wrapped."""
    if not isinstance(content, dict):
        return content
    declared = {key: value for key, value in cast("dict[str, Any]", content).items() if key not in _BOOKKEEPING}
    if not all(_is_wrapped(value) for key, value in declared.items() if key not in BEST_METRIC_KEYS):
        return declared
    return {key: value["value"] if _is_wrapped(value) else value for key, value in declared.items()}


def _is_wrapped(value: object) -> bool:
    return isinstance(value, dict) and set(cast("dict[str, Any]", value)) - {"desc"} == {"value"}
