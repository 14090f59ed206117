"""A drafted sweep file as YAML, with a comment on each line that says why it is so."""

from __future__ import annotations

import json
import math
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertnado_sweep.search.bayes import START_TRIALS
from bertnado_sweep.search.presets import GENERAL

from .choices import (
    ETA,
    EVALUATIONS,
    FEW_VALIDATION_ROWS,
    MOST_EPOCHS,
    RATE_FACTOR,
    STEPS,
    STEPS_PER_EPOCH,
    DraftInputs,
    SweepChoices,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bertnado_sweep.search.presets import Preset

_WIDTH = 110


@dataclass(frozen=True)
class SweepDraft:
    """A drafted sweep file."""

    text: str
    """YAML with comments."""
    family: str | None
    """The family of the model, whose published settings the space lies around; None for those of BERT."""


def draft_sweep(inputs: DraftInputs) -> SweepDraft:
    """Draft a sweep file: the space around the published settings of the model's family, otherwise around BERT's."""
    choices = SweepChoices(inputs)
    lines = [*_origin(choices), "", *_search(choices), "", *_early_termination(choices), "", "parameters:"]
    lines += [*_learning_rate(choices), *_batches(choices), *_epochs(choices), *_schedule(choices)]
    lines += [*_evaluations(choices), *_adapters(choices)]
    return SweepDraft("\n".join(lines) + "\n", choices.family.name if choices.family else None)


def comment_lines(text: str, indent: int = 0) -> list[str]:
    """Return a text as lines of comments."""
    lead = f"{' ' * indent}# "
    whole: dict[str, Any] = {"break_on_hyphens": False, "break_long_words": False}  # paths are copied
    return textwrap.wrap(text, _WIDTH, initial_indent=lead, subsequent_indent=lead, **whole)


def _origin(choices: SweepChoices) -> Iterator[str]:
    if choices.family is None:
        yield from comment_lines("The model is of no family with published settings. The space lies around BERT's:")
    else:
        yield from comment_lines(f"The space lies around the published settings for {choices.family.name}:")
    for preset in choices.presets:
        yield from comment_lines(f"- {preset.source}")


def _search(choices: SweepChoices) -> Iterator[str]:
    trials, objective = choices.inputs.trials, choices.inputs.objective
    if trials == 1:
        yield from comment_lines("A single trial, of constants.")
    elif trials <= START_TRIALS:
        yield from comment_lines(f"bayes spreads its first {START_TRIALS} trials evenly over the space.")
    else:
        yield from comment_lines(
            f"bayes spreads its first {START_TRIALS} trials evenly; a model of their values proposes the others."
        )
    yield f"method: {'bayes' if trials > 1 else 'random'}"
    yield from comment_lines("The number of trials. --sweep-count and --time-limit of run-sweep may end it earlier.")
    yield f"run_cap: {trials}"
    yield from comment_lines("Trials and checkpoints are judged by it, on the validation split.")
    yield f"metric: {{name: {json.dumps(objective.name)}, goal: {objective.goal}}}"


def _early_termination(choices: SweepChoices) -> Iterator[str]:
    bands, count, inputs = choices.bands, choices.evaluations, choices.inputs
    if not bands:
        few = f"{inputs.trials} trial{'s' * (inputs.trials > 1)}, each with {count} evaluations"
        yield from comment_lines(f"No early_terminate: with {few}, there is too little to compare.")
        return
    shown = " and ".join(map(str, bands))
    yield from comment_lines(
        f"After {shown} of {count} evaluations, only the best third of the trials that got as far goes on. On 146 "
        "recorded trainings of a small BERT, this found settings as good at about half the cost."
    )
    if inputs.validation_rows < FEW_VALIDATION_ROWS:
        rows = inputs.validation_rows
        yield from comment_lines(f"Not after 2, because values on {rows} validation rows are uncertain.")
    yield f"early_terminate: {{type: hyperband, min_iter: {bands[0]}, eta: {ETA}}}"


def _learning_rate(choices: SweepChoices) -> Iterator[str]:
    published = choices.published("learning_rate")
    if choices.inputs.trials == 1:
        yield from comment_lines(f"Published: {_listed(published)}.", 2)
        yield f"  learning_rate: {{value: {_plain(published[0])}}}"
        return
    factor = f"a quarter to {RATE_FACTOR} times"
    yield from comment_lines(f"Published: {_listed(published)}. From {factor} of it: the best depends on the data.", 2)
    yield f"  learning_rate: {_rates(choices.presets)}"


def _batches(choices: SweepChoices) -> Iterator[str]:
    sizes, published = choices.batches, choices.published("per_device_train_batch_size")
    said = f"Published: {_listed(published)}."
    if max(sizes) < min(published):
        rows = choices.inputs.train_rows
        said += f" At most {max(sizes)}, so that {rows} rows give {STEPS_PER_EPOCH} steps an epoch."
    said += " A batch that does not fit into memory is accumulated from smaller ones."
    yield from comment_lines(said, 2)
    yield _parameter("per_device_train_batch_size", sizes)


def _epochs(choices: SweepChoices) -> Iterator[str]:
    published, most = choices.published("epochs"), max(choices.epochs)
    usual = max(published or [GENERAL.settings["epochs"]])
    said = f"Published: {_listed(published)}." if published else f"Published: none; {usual} is BERT's."
    if most < usual:
        said += f" At most {most} in a search: give more if the best trials have {most}."
    elif most > usual:
        said += (
            f" A small dataset needs more: {STEPS} optimizer steps with the largest batch, or {MOST_EPOCHS} epochs "
            "(Mosbach et al. 2021)."
        )
    yield from comment_lines(said, 2)
    yield _parameter("epochs", choices.epochs)


def _schedule(choices: SweepChoices) -> Iterator[str]:
    warmup, decay = choices.published("warmup_ratio"), choices.published("weight_decay")
    yield from comment_lines(
        f"The share of the steps in which the learning rate rises. {_origin_of(warmup, 'warmup_ratio')}", 2
    )
    yield _parameter("warmup_ratio", choices.warmup_ratios)
    yield from comment_lines(_origin_of(decay, "weight_decay"), 2)
    yield _parameter("weight_decay", choices.weight_decays)
    if choices.schedulers:
        yield from comment_lines(f"Published: {_listed(choices.published('lr_scheduler_type'))}.", 2)
        yield _parameter("lr_scheduler_type", choices.schedulers)


def _origin_of(published: Sequence[Any], name: str) -> str:
    return f"Published: {_listed(published)}." if published else f"Published: none; {GENERAL.settings[name]} is BERT's."


def _evaluations(choices: SweepChoices) -> Iterator[str]:
    count, rows = choices.evaluations, choices.inputs.validation_rows
    said = f"A share of the steps: {count} evaluations a trial."
    if count < EVALUATIONS:
        said += f" More would be more than the steps, or on {rows} rows too much time beside training."
    yield from comment_lines(f"{said} The best checkpoint is one of them, and the training loss is logged as often.", 2)
    yield f"  eval_steps: {{value: {math.ceil(1e4 / count) / 1e4:g}}}"


def _adapters(choices: SweepChoices) -> Iterator[str]:
    if not choices.adapters:
        return
    sources = "; ".join(preset.source for preset in choices.adapters)
    yield from comment_lines(
        f"To train adapters (LoRA) instead, replace learning_rate by this. Published: {sources}.", 2
    )
    yield f"  # learning_rate: {_rates(choices.adapters)}"
    for name in ("lora_r", "lora_alpha", "lora_dropout"):
        values = sorted({preset.settings[name] for preset in choices.adapters})
        yield f"  # {_parameter(name, values).lstrip()}"


def _rates(presets: Sequence[Preset]) -> str:
    """Return the range of learning rates around those of some presets, rounded to one digit."""
    rates = [preset.settings["learning_rate"] for preset in presets]
    ends = (min(rates) / RATE_FACTOR, max(rates) * RATE_FACTOR)
    low, high = (_plain(float(f"{rate:.0e}")) for rate in ends)
    return f"{{distribution: log_uniform_values, min: {low}, max: {high}}}"


def _parameter(name: str, values: Sequence[Any]) -> str:
    shown = f"value: {_plain(values[0])}" if len(values) == 1 else f"values: [{_listed(values)}]"
    return f"  {name}: {{{shown}}}"


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(_plain, values))


def _plain(value: Any) -> str:
    """Return a value as every reader of YAML reads it: a number needs a dot, which `1e-05` lacks."""
    return re.sub(r"^(\d+)e", r"\1.0e", repr(value)) if isinstance(value, float) else str(value)
