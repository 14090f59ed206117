"""The text and the JSON of `bertnado check`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bertnado_config import parameter_label, to_json_types
from bertnado_sweep.start import JoinedWandbSweep

from bertnado.flags import flag_of
from bertnado.forecast_text import describe_forecast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_config import Parameter, SweepConfig
    from bertnado_train import SweepPlan

    from bertnado.api import CheckedSweep

_FEW = 8
"""More choices than this are shown as a range."""


def describe_plan(checked: CheckedSweep) -> str:
    """Return what a sweep would do: objective, space, trials, steps, arguments, dataset; and every warning."""
    plan, trials = checked.plan, checked.trials
    dataset = trials.dataset
    rows = ", ".join(f"{count} {split}" for split, count in dataset["rows"].items())
    lines = [
        *(f"Warning: {warning.worded(flag_of)}" for warning in plan.warnings),
        f"objective     {plan.objective.goal} {plan.objective.name}, at each trial's best checkpoint",
        f"backend       {plan.backend}",
        *([f"joins         {plan.start.sweep}"] if isinstance(plan.start, JoinedWandbSweep) else []),
        f"search        {plan.config.method}" + (f", seed {plan.options.seed}" if plan.backend.name == "local" else ""),
        *(f"              {note}" for note in plan.search_notes),
        f"trials        {plan.budget}" + (f", by {plan.workers} workers" if plan.workers > 1 else ""),
        f"device        {trials.device}",
        f"parameters    {_trained(trials)}",
        f"steps         {_span(trials.steps)} per trial, {_span(trials.evaluations)} evaluations",
        f"stopped early {_early_termination(plan.config)}",
        f"dataset       {dataset['path']}: {rows} rows, median {dataset['median_tokens']} tokens",
        f"first row     {trials.first_row}",
        f"cache         {trials.cache}",
        *_classes(trials),
        *_rows_by_class(trials),
        *_learning_rates(trials),
        f"by length     {_grouping(trials)}",
        *_parts(trials),
        *(describe_forecast(plan.forecast) if plan.forecast else []),
        f"output        {plan.output_dir}",
        "space",
        *_space(plan.config.space),
        "arguments shared by all trials that differ from the defaults of transformers",
        *(f"  {name} = {value}" for name, value in sorted(trials.arguments.items())),
        "Nothing was started.",
    ]
    return "\n".join(lines)


def plan_json(checked: CheckedSweep) -> str:
    """Return what a sweep would do as JSON; `forecast` is null unless trials were measured."""
    plan, trials = checked.plan, checked.trials
    content: Mapping[str, Any] = {
        "objective": {"name": plan.objective.name, "goal": plan.objective.goal},
        "backend": plan.backend.name,
        "method": plan.config.method,
        "budget": plan.budget,
        "workers": plan.workers,
        "device": trials.device,
        "steps": trials.steps,
        "evaluations": trials.evaluations,
        "dataset": trials.dataset,
        "arguments": trials.arguments,
        "output_dir": plan.output_dir,
        "forecast": plan.forecast and plan.forecast.to_record(),
        "warnings": [warning.worded(flag_of) for warning in plan.warnings],
    }
    return json.dumps(to_json_types(content), indent=2)


def _classes(trials: SweepPlan) -> list[str]:
    """Describe the positive class and the class weights, if there are any."""
    positive = trials.dataset["positive_class"]
    named = f" ({positive['name']})" if positive and positive["name"] else ""
    weights = "; ".join(
        f"{source}: {_weights(source, found)}" for source, found in sorted(trials.class_weights.items())
    )
    return [
        *([f"labels        positive class {positive['label']}{named}"] if positive else []),
        *([f"class weights {weights}"] if any(trials.class_weights.values()) else []),
    ]


def _parts(trials: SweepPlan) -> list[str]:
    """Describe what trials train, if some freeze a part of the model."""
    lines = [
        f"freeze {value}: {parts.trained_weights:,} of {parts.weights:,} weights"
        + (f", in {_names(parts.trained)}; frozen: {_names(parts.frozen)}" if parts.frozen else "")
        for value, parts in trials.parts.items()
    ]
    return [
        *(f"{'' if number else 'trained':14}{line}" for number, line in enumerate(lines)),
        *([f"features      {trials.features}"] if trials.features else []),
    ]


def _names(names: Sequence[str]) -> str:
    further = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {further} more" if further > 0 else "")


def _rows_by_class(trials: SweepPlan) -> list[str]:
    """Return a table of the rows of each class in each split; of many classes, those with the fewest rows."""
    counts: Mapping[str, Sequence[int]] = trials.dataset.get("classes", {})
    if not counts:
        return []
    rows = list(zip(*counts.values(), strict=True))
    rarest = sorted(range(len(rows)), key=lambda number: min(rows[number]))[:_FEW]
    of_which = f", the {_FEW} rarest of {len(rows)}" if len(rows) > _FEW else ""
    return [
        f"{f'rows of each class{of_which}':32}" + "".join(f"{split:>11}" for split in counts),
        *(
            f"  {f'{number} {trials.class_names.get(number, str()):.24}':30}"
            + "".join(f"{count:>11,}" for count in rows[number])
            for number in sorted(rarest)
        ),
    ]


def _weights(source: str, weights: Sequence[float] | None) -> str:
    if weights is None:
        return "all equal"
    if source == "pos_weight":
        return "as in the space below"
    if len(weights) == 1:
        return f"{weights[0]:.4g} for the positive class"
    shown = ", ".join(f"{number} {weight:.4g}" for number, weight in enumerate(weights[:_FEW]))
    return shown + (f", ... ({len(weights)} classes)" if len(weights) > _FEW else "")


def _grouping(trials: SweepPlan) -> str:
    grouping = trials.grouping
    saves = f"saves {grouping.saved:.0%} of the tokens in training"
    if trials.is_grouped:
        return f"grouped, which {saves}"
    if grouping.is_biased:
        return f"not grouped: it {saves}, but length goes with the label ({grouping.label_share:.0%} of it)"
    return f"not grouped; group_by_length: true {saves}"


def _learning_rates(trials: SweepPlan) -> list[str]:
    """Describe the learning rates that trials start with, if the parts of the model have different ones."""
    shown = (f"{part} {_range(ends)}" for part, ends in trials.learning_rates.items())
    return [f"rates         {', '.join(shown)}"] if trials.learning_rates else []


def _range(ends: tuple[float, float]) -> str:
    low, high = map(_short, ends)
    return low if low == high else f"{low} to {high}"


def _trained(trials: SweepPlan) -> str:
    fewest, most = trials.trained
    if fewest == trials.parameters:
        return f"{trials.parameters:,}, all of them trained"
    span = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    return f"{span} of {trials.parameters:,} are trained"


def _span(ends: tuple[int, int]) -> str:
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _early_termination(config: SweepConfig) -> str:
    return config.early_terminate.describe() if config.early_terminate else "never"


def _space(space: Mapping[tuple[str, ...], Parameter]) -> list[str]:
    width = max(len(parameter_label(path)) for path in space)
    return [f"  {parameter_label(path):{width}}  {_values(parameter)}" for path, parameter in space.items()]


def _values(parameter: Parameter) -> str:
    choices = parameter.choices
    if choices is not None and len(choices) <= _FEW:
        return ", ".join(map(str, choices))
    low, middle, high = (_short(parameter.from_unit(unit)) for unit in (0.0, 0.5, 1.0))
    return f"{low} to {high}, half of them below {middle} ({parameter.distribution})"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
