"""A sweep file field by field, `parameters` aside; W&B documents them at https://docs.wandb.ai/guides/sweeps."""

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
    """Who chooses the trials at W&B."""

    model_config = SECTION_CONFIG

    type: Annotated[Place, BeforeValidator(one_of(Place))]
    """`cloud` for W&B's service, `local` for a controller of one's own."""


class SweepFile(BaseModel):
    """A sweep file: what is varied, what for, and how the next trial is chosen."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)

    name: Text | None = None
    """Name of the sweep."""
    description: Text | None = None
    """What the sweep is for."""
    method: MethodName
    """How the next trial is chosen: every combination in turn, at random, or by what earlier trials came to."""
    metric: MetricSection | None = None
    """The metric that the sweep optimises; the task's default where it is not given."""
    parameters: dict[Any, Any]
    """The parameters that a trial is given, by name."""
    early_terminate: RuleField | None = None
    """How trials that fall behind are stopped; none is stopped where it is not given."""
    run_cap: Count | None = None
    """The largest number of trials."""
    project: Project | None = None
    """The W&B project."""
    entity: Entity | None = None
    """The W&B user or team."""
    program: Text | None = None
    """The script that W&B's command-line agent starts."""
    command: Command | None = None
    """The command line by which W&B's command-line agent starts the script."""
    controller: Controller | None = None
    """Who chooses the trials at W&B."""
    job: Text | None = None
    """The job that W&B Launch runs."""
    image_uri: Text | None = None
    """The image that W&B Launch runs in place of a job."""
    kind: Annotated[Literal["sweep"], BeforeValidator(one_of(Literal["sweep"]))] | None = None
    """What W&B Launch takes the file for: `sweep`."""
    apiVersion: Text | None = None  # noqa: N815 (the file spells it so)
    """W&B's version of the file's format."""
    schema_file: Text | None = Field(default=None, alias="$schema")
    """Where an editor finds this JSON Schema; of no meaning to the sweep."""


_SECTIONS = ("metric", "early_terminate", "controller")
_CUSTOM = "belongs to W&B's own multi-objective and custom scheduling, which is not supported here"
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
        "scheduler": f"{_CUSTOM}; take it out",
        "count": 'is no key of a sweep file; give --sweep-count, or "run_cap" in the file',
        "seed": 'is no key of a sweep file; give --seed, or vary it as a parameter below "parameters"',
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
    """Read the file's fields, `parameters` aside, and say everything that is wrong or worth knowing.

    The file is `None` where something is wrong.
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


def as_written(file: SweepFile, mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Write the keys that the file gives with the values that were read, in the file's order.

    `parameters`, and what says nothing to W&B (`$schema`, keys that are null), are left out.
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
