"""The fields of a sweep file, except `parameters`; documented at https://docs.wandb.ai/guides/sweeps."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from .early_termination import RuleField, rule_keys
from .errors import Problem
from .field_types import SECTION_CONFIG, Command, Count, Entity, MethodName, Project, Text, one_of
from .metric_section import MetricSection
from .pydantic_errors import Vocabulary, join_path, problems_of
from .search_methods import method_names
from .value_text import as_json, either

Place = Literal["local", "cloud"]


class Controller(BaseModel):
    """The controller that chooses the trials at W&B."""

    model_config = SECTION_CONFIG

    type: Annotated[Place, BeforeValidator(one_of(Place))]
    """`cloud` for W&B's service, `local` for your own controller."""


class SweepFile(BaseModel):
    """A sweep file: the search space, the search method and the metric."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)

    name: Text | None = None
    """Name of the sweep."""
    description: Text | None = None
    """Purpose of the sweep."""
    method: MethodName
    """The search method: `grid` tries every combination, `random` samples, `bayes` learns from earlier trials."""
    metric: MetricSection | None = None
    """The metric that the sweep optimises; the task's default objective if it is not given."""
    parameters: dict[Any, Any]
    """The parameters of a trial, by name."""
    early_terminate: RuleField | None = None
    """The rule by which trials that fall behind are stopped early; by default none is."""
    run_cap: Count | None = None
    """The maximum number of trials."""
    project: Project | None = None
    """The W&B project."""
    entity: Entity | None = None
    """The W&B user or team."""
    program: Text | None = None
    """The script that W&B's command-line agent starts."""
    command: Command | None = None
    """The command line with which W&B's command-line agent starts the script."""
    controller: Controller | None = None
    """The controller that chooses the trials at W&B."""
    job: Text | None = None
    """The job that W&B Launch runs."""
    image_uri: Text | None = None
    """The image that W&B Launch runs instead of a job."""
    kind: Annotated[Literal["sweep"], BeforeValidator(one_of(Literal["sweep"]))] | None = None
    """The kind of the file for W&B Launch: `sweep`."""
    apiVersion: Text | None = None  # noqa: N815 (the file spells it so)
    """The version of W&B's file format."""
    schema_file: Text | None = Field(default=None, alias="$schema")
    """The location of this JSON Schema, for editors; ignored by the sweep."""


_SECTIONS = ("metric", "early_terminate", "controller")
_CUSTOM = "belongs to W&B's multi-objective and custom schedulers, which are not supported"
_VOCABULARY = Vocabulary(
    "a sweep file",
    keys={
        "": tuple(field.alias or name for name, field in SweepFile.model_fields.items()),
        "metric": tuple(field.name for field in fields(MetricSection)),
        "controller": tuple(Controller.model_fields),
    },
    cures={
        "parameters": 'write "parameters": {"learning_rate": {"min": ..., "max": ...}}',
        "metric": 'write {"name": "eval/roc_auc", "goal": "maximize"}',
        "metric.name": 'write {"name": "eval/roc_auc", "goal": "maximize"}',
        "controller": 'write {"type": "cloud"}',
        "controller.type": 'write "cloud" or "local"',
        "metrics": f'{_CUSTOM}; name one metric under "metric"',
        "scheduler": f"{_CUSTOM}; remove it",
        "count": 'unknown key in a sweep file; give sweep_count (--sweep-count), or write "run_cap"',
        "seed": 'unknown key in a sweep file; give seed (--seed), or declare it under "parameters"',
    },
)


def _vocabulary(mapping: Mapping[str, Any]) -> Vocabulary:
    method = f'write "method": {either(method_names(), as_json)}'
    return replace(
        _VOCABULARY,
        keys={**_VOCABULARY.keys, "early_terminate": rule_keys(mapping.get("early_terminate"))},
        cures={**_VOCABULARY.cures, "method": method},
    )


def read_sweep_file(mapping: Mapping[Any, Any]) -> tuple[SweepFile | None, list[Problem]]:
    """Read the fields of a sweep file, except `parameters`; return the file with every error and warning.

    The file is `None` if there are errors.
    """
    named = {str(key): value for key, value in mapping.items()}
    try:
        file = SweepFile.model_validate(named)
    except ValidationError as error:
        return None, problems_of(error, path="", vocabulary=_vocabulary(named))
    return file, _warnings(file)


def _warnings(file: SweepFile) -> list[Problem]:
    rule = file.early_terminate
    warnings = rule.warnings if rule is not None else ()
    return [replace(warning, path=join_path("early_terminate", warning.path)) for warning in warnings]


def document_of(file: SweepFile, mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of the file with the converted values, in the order of the file.

    `parameters`, and what W&B does not know (`$schema`, keys that are null), are omitted.
    """
    written: dict[str, Any] = {}
    for key, given in mapping.items():
        if key in ("parameters", "$schema") or given is None:
            continue
        value = getattr(file, key)
        if key in _SECTIONS:
            section = cast("Mapping[str, Any]", given)
            value = {name: getattr(value, name) for name in section if section[name] is not None}
        written[key] = value
    if file.early_terminate is not None:
        written["early_terminate"] = {"type": file.early_terminate.type} | written["early_terminate"]
    return written
