"""The options of a sweep: each is declared here, once.

The flags of `bertnado run-sweep` with their help, the keywords of `run_sweep`, what `sweep.json` records of them and
the table in the README are made of these fields.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from bertnado_config import ArgumentProblem, OptionDetails, literal_choices
from bertnado_metrics import Goal, did_you_mean
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from .records.best import KeepCheckpoints  # noqa: TC001 (pydantic reads the annotations)
from .records.secrets import masked_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails

    from .records.trial import Trial

LONGEST_LIMIT = timedelta(days=366).total_seconds()
"""Seconds; threads cannot wait much longer."""

LARGEST_SEED = 2**32 - 1
"""numpy accepts no larger seed."""

NEVER = "never"
"""The value of `save_state_every` with which no training state is written."""

_DURATION = re.compile(r"(?:(?P<days>\d+)d)?(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m(?:in)?)?(?:(?P<seconds>\d+)s?)?")

_SLURM_DURATION = re.compile(
    r"(?P<days>\d+)-(?P<hours>\d+)(?::(?P<minutes>\d+)(?::(?P<seconds>\d+))?)?"
    r"|(?:(?P<h>\d+):)?(?P<m>\d+):(?P<s>\d+)"
)
"""`days-hours[:minutes[:seconds]]` or `[hours:]minutes:seconds`, see https://slurm.schedmd.com/sbatch.html#OPT_time."""

_UNITS = {"h": "hours", "m": "minutes", "s": "seconds"}


def _read_duration(value: object) -> float | None:
    """Read a number of seconds, or a text such as `2d`, `3h30m`, `90m`, `45s`, `12:00:00`, `1-00:00:00`."""
    return None if value is None else seconds_of(value, "{time_limit}")


def _read_interval(value: object) -> object:
    """Read a duration, or `never`."""
    is_never = isinstance(value, str) and value.strip().lower() == NEVER
    return NEVER if is_never else seconds_of(value, "{save_state_every}", f", or {NEVER}")


def seconds_of(value: object, name: str, otherwise: str = "") -> float:
    """Return the seconds of a duration.

    Raises:
        ValueError: It is none; the message begins with `name`, and ends with the other values that are allowed.
    """
    try:
        seconds = _seconds_in(value) if isinstance(value, str) else float(cast("float", value))
    except (OverflowError, ValueError, TypeError):
        seconds = math.inf
    if 0 < seconds <= LONGEST_LIMIT:
        return seconds
    message = (
        f"{name} must be a duration above 0 and at most a year{otherwise}, got {value!r}; "
        f"for example 3h30m, 90m, 2d or 12:00:00"
    )
    raise ValueError(message)


def _seconds_in(text: str) -> float:
    """Return the seconds that a text stands for; 0 if it is not a duration."""
    plain = text.replace(" ", "").lower()
    found = _DURATION.fullmatch(plain) or _SLURM_DURATION.fullmatch(plain)
    parts = found.groupdict().items() if found else ()
    return timedelta(**{_UNITS.get(unit, unit): int(number) for unit, number in parts if number}).total_seconds()


_STUDY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _read_study(value: object) -> object:
    if value is None or (isinstance(value, str) and _STUDY.fullmatch(value)):
        return value
    message = f"{{study}} must be 1 to 64 letters, digits, '-' or '_', got {value!r}"
    raise ValueError(message)


RetryFailed = bool | tuple[Annotated[int, Field(ge=1)], ...]
"""The failed trials to try again: True for all, otherwise their numbers as they are shown, from 1."""


def _read_retry(value: object) -> object:
    """Read `all`, a number, or numbers such as `3,7`."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str):
        value = value.split(",")
    numbers = cast("Sequence[object]", value) if isinstance(value, list | tuple) else [value]
    words = [str(number).strip() for number in numbers]
    if words == ["all"]:
        return True
    if words and all(word.isdecimal() and int(word) for word in words):
        return tuple(dict.fromkeys(map(int, words)))
    message = f"{{retry_failed}} must be numbers of trials, such as 3,7, or all, got {','.join(map(str, numbers))!r}"
    raise ValueError(message)


class SweepOptions(BaseModel):
    """How a sweep is run.

    An option that is None, or is not given, has its default; in a resumed sweep, the recorded value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    sweep_count: Annotated[
        int | None,
        Field(ge=1),
        OptionDetails(default_text="the whole of a grid; otherwise the sweep file's run_cap, otherwise 10"),
    ] = None
    """Number of trials."""
    project_name: Annotated[
        str | None,
        OptionDetails(
            recorded_as="project", default_text="the sweep file's, otherwise WANDB_PROJECT, otherwise bertnado"
        ),
    ] = None
    """W&B project to track the trials in."""
    metric_name: Annotated[str | None, OptionDetails(default_text="the sweep file's, otherwise the task's")] = None
    """Metric to optimize, for example `eval/roc_auc`. Trials and checkpoints are judged by it."""
    metric_goal: Annotated[Goal | None, OptionDetails(default_text="the direction in which the metric improves")] = None
    """Direction of the objective: `maximize` or `minimize` it."""
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED), OptionDetails(recorded_as="seed")] = 42
    """Seed of the search and of training."""
    backend: Annotated[str, OptionDetails(metavar="[auto|wandb|local]")] = "auto"
    """Where trials come from: `wandb` (W&B) or `local` (this machine; needs neither an account nor internet). `auto` is
    `wandb` if an API key is configured, WANDB_MODE allows it and the server answers; otherwise `local`."""
    sweep_id: Annotated[str | None, OptionDetails(metavar="[ENTITY/PROJECT/]ID")] = None
    """Join a sweep that exists at W&B. Its sweep file is the one that W&B has."""
    entity: Annotated[str | None, OptionDetails(default_text="the sweep file's, otherwise your own")] = None
    """W&B user or team."""
    workers: Annotated[
        int | None,
        Field(ge=1),
        OptionDetails(for_joining=True, default_text="one for each place on the visible GPUs; 1 without a GPU"),
    ] = None
    """Number of worker processes. Each trains one trial at a time, on a GPU or a share of one; together they run
    `sweep_count` trials."""
    trials_per_gpu: Annotated[int, Field(ge=1), OptionDetails(for_joining=True)] = 1
    """Number of trials that share a GPU, each with its part of the memory. A small model leaves most of a GPU idle."""
    keep_checkpoints: Annotated[KeepCheckpoints, OptionDetails(recorded_as="keep_checkpoints")] = "best"
    """Checkpoints to keep on disk. `best` removes a checkpoint as soon as it cannot be the best any more."""
    resume: bool = False
    """Continue the sweep in `output_dir`: finished trials count, interrupted ones are tried again. Options that are not
    given are as recorded, except those of this machine: `workers`, `trials_per_gpu` and `time_limit`."""
    join_or_begin: bool = False
    """Begin the sweep, or continue it if `output_dir` contains one: for several jobs that are started with the same
    command. The first one begins it; if it cannot, the next one tries. Requires the local backend."""
    start_from: Annotated[str | None, OptionDetails(metavar="PATH|preset")] = None
    """Begin the search with known settings: a `best_sweep_config.json`; the output directory of another sweep, whose
    five best trials are tried first; or `preset`, the published settings of the model's family (docs/models.md). What
    the space does not contain is moved into it, with a note. Requires the local backend."""
    retry_failed: Annotated[
        RetryFailed,
        BeforeValidator(_read_retry),
        OptionDetails(metavar="[NUMBERS]", value_if_bare="all", default_text="none"),
    ] = False
    """Try failed trials of a sweep that is resumed again: all, or those with these numbers, such as `3,7`. A trial that
    is tried again counts once."""
    allow_config_change: bool = False
    """Let a resumed sweep continue with another sweep file, seed, model or dataset."""
    storage: Annotated[
        str | None,
        OptionDetails(recorded_as="storage", metavar="URL", variable="BERTNADO_STORAGE", for_joining=True),
    ] = None
    """Database to record the sweep in, shared by several machines: `postgresql://USER:PASSWORD@HOST/DATABASE`. Each
    machine then has its own `output_dir`. Without it the record is in `output_dir`."""
    study: Annotated[
        str | None,
        BeforeValidator(_read_study),
        OptionDetails(recorded_as="study", metavar="NAME", default_text="the sweep's id", for_joining=True),
    ] = None
    """Name of the sweep in `storage`. An existing sweep of that name is joined, with its recorded options."""
    time_limit: Annotated[
        float | None, BeforeValidator(_read_duration), OptionDetails(metavar="DURATION", for_joining=True)
    ] = None
    """End the sweep after a duration such as `3h30m`, `90m` or `2d`, counted from its first trial. Running trials are
    interrupted, write their training state and continue from it when the sweep is resumed, so a trial may be longer
    than the limit. Without training states, none is started that would not finish in time. SLURM's `12:00:00`,
    `1-00:00:00` and `12:00`, which is 12 minutes, are durations as well; a bare number is seconds."""
    dry_run: Annotated[bool, OptionDetails(for_joining=True, default_text="yes in run-sweep, no in check")] = True
    """Measure a few training steps, an evaluation and a checkpoint before the first trial, and show from that how long
    trials and the sweep will take, and what fits into memory. It takes less than 30 s, or 5 % of the first trial."""
    save_state_every: Annotated[
        float | Literal["never"],
        BeforeValidator(_read_interval),
        OptionDetails(recorded_as="save_state_every", metavar="DURATION|never", default_text="10m", for_joining=True),
    ] = 600.0
    """Write the training state at this interval, and when training is interrupted, so that it continues from there the
    next time; `never` writes none. The interval is lengthened if writing takes more than 2 % of it."""
    max_failures: Annotated[
        int | None,
        Field(ge=1),
        OptionDetails(recorded_as="max_failures", default_text="when the first three fail for the same reason"),
    ] = None
    """End the sweep after this many failed trials."""
    confirm_top: Annotated[int | None, Field(ge=1), OptionDetails(recorded_as="confirm_top", default_text="none")] = (
        None
    )
    """Number of best trials to train anew with fresh seeds once all trials are finished. The one with the best mean is
    exported. `bertnado confirm` does the same later."""
    confirm_seeds: Annotated[
        int | None,
        Field(ge=1),
        OptionDetails(recorded_as="confirm_seeds", default_text="5; with `confirm_folds` 1 for each fold"),
    ] = None
    """Number of fresh seeds for each trial of `confirm_top`, at least 2; with `confirm_folds`, for each fold."""
    confirm_folds: Annotated[
        str | None, OptionDetails(recorded_as="confirm_folds", metavar="COLUMN", default_text="none")
    ] = None
    """Column of the dataset, such as the chromosome, over whose groups the trials of `confirm_top` are confirmed: each
    group is validated on once, by a model that is trained on all other training and validation rows."""

    @classmethod
    def details(cls, name: str) -> OptionDetails:
        """Return what else is declared of an option."""
        return OptionDetails.of(cls.model_fields[name])

    @property
    def states_every(self) -> float | None:
        """The seconds of training between two training states; None for none."""
        return None if self.save_state_every == NEVER else self.save_state_every

    def is_given(self, name: str) -> bool:
        """Return True if the option was given, rather than left at its default."""
        return name in self.model_fields_set

    def retries(self, trial: Trial) -> bool:
        """Return True if a trial has failed and is to be tried again."""
        chosen = self.retry_failed
        return trial.state == "failed" and (chosen if isinstance(chosen, bool) else trial.number + 1 in chosen)

    def completed(self, record: Mapping[str, Any]) -> SweepOptions:
        """Return these options with those that were not given as `sweep.json` records them."""
        known = {
            name: record[key]
            for name in type(self).model_fields
            if (key := self.details(name).recorded_as) is not None
            and not self.is_given(name)
            and record.get(key) is not None
        }
        return type(self)(**known, **self.given())

    def given(self) -> dict[str, Any]:
        """Return the options that were given, by name."""
        return {name: getattr(self, name) for name in type(self).model_fields if self.is_given(name)}

    def to_record(self) -> dict[str, Any]:
        """Return what `sweep.json` records of the options; passwords are masked."""
        recorded = {name: key for name in type(self).model_fields if (key := self.details(name).recorded_as)}
        values = {key: getattr(self, name) for name, key in recorded.items()}
        return {**values, "storage": self.storage and masked_url(self.storage)}


def check_options(given: Mapping[str, Any]) -> tuple[SweepOptions, list[ArgumentProblem]]:
    """Return the options that are valid, with defaults in the place of the others, and what is wrong with those."""
    said = {name: value for name, value in given.items() if value is not None}
    problems: list[ArgumentProblem] = []
    try:
        return SweepOptions(**said), problems
    except ValidationError as error:
        for details in error.errors(include_url=False):
            name = str(details["loc"][0])
            said.pop(name, None)
            path = name if name in SweepOptions.model_fields else ""
            problems.append(ArgumentProblem(path, _message(name, details)))
    return SweepOptions(**said), problems


def _message(name: str, details: ErrorDetails) -> str:
    kind, bounds = details["type"], details.get("ctx", {})
    got = f"got {details['input']!r}"
    if kind == "extra_forbidden":
        return f"unknown option {name!r}; {did_you_mean(name, SweepOptions.model_fields)}"
    if kind == "value_error":
        return str(bounds["error"])
    if kind == "literal_error":
        choices = literal_choices(SweepOptions.model_fields[name].annotation)
        return f"unknown {{{name}}} {details['input']!r}; choose from {', '.join(choices)}"
    if kind == "greater_than_equal":
        return f"{{{name}}} must be at least {bounds['ge']}, {got}"
    if kind == "less_than_equal":
        return f"{{{name}}} must be at most {bounds['le']}, {got}"
    kinds = {"int": "an integer", "bool": "true or false", "string": "text"}
    expected = next((words for prefix, words in kinds.items() if kind.startswith(prefix)), "valid")
    return f"{{{name}}} must be {expected}, {got}"
