"""The importance of parameters, as Optuna computes it, and how much it depends on which trials there are."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bertnado_sweep.backends.local.distributions import StudySpace
from bertnado_sweep.report.figure import BLUE, Figure, axis, label
from bertnado_sweep.report.html import cell, name_of, table
from bertnado_sweep.report.section import Section, note, paragraph
from bertnado_sweep.search.quiet import quiet_optuna

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_metrics import Goal
    from optuna.trial import FrozenTrial

    from bertnado_sweep.report.material import Material

SAMPLES = 20
"""The number of bootstrap samples of the trials."""

FEWEST = 8
"""The fewest trials whose importances are shown; with fewer they are noise."""

TREES = 32


@dataclass(frozen=True)
class Importance:
    """The importance of a parameter: the share of the variance of the objective that it explains."""

    name: str
    value: float
    """With all trials."""
    low: float
    """The 10th percentile over the bootstrap samples."""
    high: float
    """The 90th percentile over the bootstrap samples."""


def entries_of(material: Material) -> list[FrozenTrial]:
    """Return the trials that may be the best and lie in the search space, as Optuna has them."""
    from optuna.trial import TrialState, create_trial

    if material.config is None:
        return []
    space = StudySpace(material.config)
    found = [(trial.value, space.values_of(trial.parameters)) for trial in material.eligible]
    return [
        create_trial(state=TrialState.COMPLETE, value=value, params=params, distributions=dict(space.distributions))
        for value, params in found
        if params
    ]


def importances(entries: Sequence[FrozenTrial], goal: Goal, samples: int = SAMPLES) -> list[Importance]:
    """Return the importance of each parameter that differs between trials, the greatest first.

    fANOVA as Optuna has it (Hutter et al. 2014, https://proceedings.mlr.press/v32/hutter14.html), with a fixed seed.
    Empty if it cannot be computed: there are too few trials, or all have the same value.

    Args:
        entries: Trials as Optuna has them.
        goal: The direction in which the objective improves.
        samples: The number of bootstrap samples of the trials.
    """
    known = _evaluate(entries, goal)
    if not known:
        return []
    chance = np.random.default_rng(0)
    drawn = [chance.integers(len(entries), size=len(entries)) for _ in range(samples)]
    resampled = ([entries[int(row)] for row in rows] for rows in drawn)
    spread = [found for sample in resampled if (found := _evaluate(sample, goal))]
    return [
        Importance(name, value, *_percentiles([found.get(name, 0.0) for found in spread] or [value]))
        for name, value in sorted(known.items(), key=lambda item: (-item[1], item[0]))
    ]


def _percentiles(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.percentile(values, [10, 90])
    return float(low), float(high)


def _evaluate(entries: Sequence[FrozenTrial], goal: Goal) -> Mapping[str, float]:
    """Return the importances; empty if all trials have the same value or the same parameters."""
    import optuna

    varied = [name for name in (entries[0].params if entries else ()) if _is_varied(entries, name)]
    if not varied or len({entry.value for entry in entries}) < 2:
        return {}
    with quiet_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(direction=goal)
        study.add_trials(entries)
        evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=0)
        try:
            return optuna.importance.get_param_importances(study, evaluator=evaluator, params=varied)
        except (RuntimeError, ValueError):  # the trees see no variance
            return {}


def _is_varied(entries: Sequence[FrozenTrial], name: str) -> bool:
    return not entries[0].distributions[name].single() and len({repr(entry.params[name]) for entry in entries}) > 1


def section(material: Material) -> Section | None:
    """Return the section; None if nothing was varied."""
    if not material.varied:
        return None
    entries = entries_of(material)
    title = "Importance of parameters"
    if len(entries) < FEWEST:
        text = (
            f"Importances need at least {FEWEST} trials with a value within the search space; there are {len(entries)}."
        )
        return Section("importance", title, (note(text),))
    found = importances(entries, material.objective.goal)
    if not found:
        return Section("importance", title, (note("All trials have the same value, so no parameter is important."),))
    text = (
        f"The share of the variance of the objective over {len(entries)} trials that each parameter explains (fANOVA, "
        f"as Optuna computes it). The bar around each is the middle 80% over {SAMPLES} bootstrap samples of trials: "
        "where bars overlap widely, the order means little. Regions that the search hardly tried count little."
    )
    rows = [(cell(one.name, name_of(one.name)), *map(_share, (one.value, one.low, one.high))) for one in found]
    columns = ("parameter", "importance", "10th percentile", "90th percentile")
    shown = table(columns, rows, caption="Importance of each parameter")
    return Section("importance", title, (paragraph(text), _figure(found).to_html(), shown))


def _share(value: float) -> Any:
    return cell(value, f"{value:.2f}")


def _figure(found: Sequence[Importance]) -> Figure:
    names = [label(one.name) for one in found][::-1]
    data = {
        "type": "bar",
        "orientation": "h",
        "x": [one.value for one in found][::-1],
        "y": names,
        "marker": {"color": BLUE},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(one.high - one.value, 0.0) for one in found][::-1],
            "arrayminus": [max(one.value - one.low, 0.0) for one in found][::-1],
            "color": "#8a8a8a",
        },
        "hovertemplate": "%{y}: %{x:.2f}<extra></extra>",
    }
    layout = {"xaxis": axis("importance", rangemode="tozero"), "yaxis": {"type": "category", "automargin": True}}
    words = ", ".join(f"{one.name} {one.value:.2f}" for one in found)
    return Figure("plot-importance", [data], layout, f"Importances: {words}.", height=120 + 36 * len(found))
