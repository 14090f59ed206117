"""A methods paragraph to paste into a paper: facts that are recorded, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from bertnado_sweep.report.html import name_of, tag
from bertnado_sweep.report.section import Section, note
from bertnado_sweep.report.sections.baselines import strongest, value_to_compare
from bertnado_sweep.report.sections.confirmation import interval
from bertnado_sweep.report.sections.final_model import interval_text, tested_value
from bertnado_sweep.report.sections.summary import totals
from bertnado_sweep.report.wording import clipped, counted, listed, metric_text, seconds_text, value_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertnado_sweep.records.confirmation import Finalist
    from bertnado_sweep.report.material import Material

_METHODS = {"bayes": "Bayesian optimization", "random": "random search", "grid": "grid search"}

_SOFTWARE = {"torch": "PyTorch", "transformers": "Transformers", "optuna": "Optuna", "scikit-learn": "scikit-learn"}


def paragraph_of(material: Material) -> str:
    """Return the paragraph; each sentence stands only if what it says is recorded."""
    sentences = (_search, _stopping, _selection, _outcome, _confirmation, _baselines, _final_model, _software)
    return " ".join(text for sentence in sentences for text in sentence(material))


def section(material: Material) -> Section:
    """Return the section."""
    hint = "From the record of the sweep; check it before you publish it, and add what the record does not know."
    return Section("methods", "Methods paragraph", (note(hint), tag("blockquote", name_of(paragraph_of(material)))))


def _search(material: Material) -> Iterator[str]:
    names = material.varied or material.parameter_names
    method = material.config.method if material.config else None
    model = cast("dict[str, Any]", material.status.record.get("application") or {}).get("model_name")
    of_model = f" of {clipped(_short(str(model)), 80)}" if model else ""
    by = f" by {_METHODS.get(method, method)}" if method else ""
    seed = material.status.record.get("seed")
    seeded = f" (seed {seed})" if seed is not None else ""
    version = material.status.record.get("versions", {}).get("bertnado")
    software = f" with BertNado {version}" if version else " with BertNado"
    shown = f" ({listed([clipped(name) for name in names])})" if names else ""
    tuned = counted(len(names), "hyperparameter") if names else "hyperparameters"
    yield f"We tuned {tuned}{of_model}{shown}{by}{seeded}{software}."


def _short(name: str) -> str:
    """Return the name of a model; of a directory, the last part of its path."""
    return name.rstrip("/").rpartition("/")[2] if name.startswith("/") else name


def _stopping(material: Material) -> Iterator[str]:
    rule = material.config.early_terminate if material.config else None
    if rule is not None:
        yield f"Unpromising trials were stopped early ({rule.describe()})."


def _selection(material: Material) -> Iterator[str]:
    rows = cast("dict[str, Any]", material.dataset.get("rows") or {})
    on = f" on {rows['train']:,} sequences" if isinstance(rows.get("train"), int) else ""
    validation = rows.get("validation")
    compared = f" on {validation:,} validation sequences" if isinstance(validation, int) else ""
    name, goal = material.objective.name, material.objective.goal
    want = "higher is better" if goal == "maximize" else "lower is better"
    yield f"Each trial was trained{on} and judged by {name}{compared} at its best checkpoint ({want})."
    seeds = sorted({trial.seed for trial in material.trials if trial.seed is not None})
    if len(seeds) == 1:
        yield f"All trials used the training seed {seeds[0]}."


def _outcome(material: Material) -> Iterator[str]:
    found = totals(material.trials, material.made)
    words = {
        "completed": "{} completed",
        "stopped": "{} stopped early",
        "failed": "{} failed",
        "interrupted": "{} interrupted",
        "running": "{} still running",
    }
    states = listed([words[state].format(count) for state, count in found.states.items()])
    count = counted(len(material.trials), "trial")
    time = f" and took {seconds_text(found.trained)} of training in total" if found.trained else ""
    yield f"The search comprised {count} ({states}){time}."
    best = material.best
    if best is None:
        return
    known = material.parameters[best.number]
    values = listed([f"{name} = {clipped(value_text(known.get(name)), 60)}" for name in material.varied])
    having = f", with {values}" if values else ""
    yield f"The best trial reached {material.objective.name} = {metric_text(best.value)}{having}."
    if material.confirmation is None:
        yield "This value is the best of several noisy ones and thus optimistic; it was not confirmed with fresh seeds."


def _confirmation(material: Material) -> Iterator[str]:
    confirmation = material.confirmation
    if confirmation is None:
        return
    count, folds = len(confirmation.finalists), confirmation.folds
    finalists = "The best trial was" if count == 1 else f"The {count} best trials were"
    how = f"with {counted(len(confirmation.seeds), 'fresh seed')}"
    if folds is not None:
        groups = f"{counted(len(folds.groups), 'fold')}, the groups of {clipped(folds.column, 60)}"
        how = f"on {groups}, each with a fresh seed"
    yield f"{finalists} trained anew {how}, and ranked by the mean of the fresh values alone."
    winner = confirmation.winning
    yield f"Trial {winner.trial} was selected, with a mean of {metric_text(winner.mean)}{_spread(winner)}."


def _spread(winner: Finalist) -> str:
    found = interval(winner)
    between = f", 95% confidence interval {metric_text(found[0])} to {metric_text(found[1])}" if found else ""
    error = f"standard error {metric_text(winner.standard_error)}, " if winner.standard_error is not None else ""
    return f" ({error}n = {winner.n}{between})"


def _baselines(material: Material) -> Iterator[str]:
    found = strongest(material.baselines, material.objective) if material.baselines else None
    _, value = value_to_compare(material)
    if found is not None and value is not None:
        baseline, reached = found
        yield (
            f"The strongest baseline ({clipped(baseline.name, 60)}) reached {metric_text(reached)} on the same "
            f"validation sequences, compared with {metric_text(value)}."
        )


def _final_model(material: Material) -> Iterator[str]:
    model, looks = material.finals.model, material.finals.looks_at_split
    found = tested_value(model.metrics) if model else None
    if model is None or found is None:
        return
    value, between = found
    rows = f" ({model.predictions.count:,} sequences)" if model.predictions else ""
    times = f", which was evaluated {'once' if len(looks) == 1 else f'{len(looks)} times'}," if looks else ""
    spread = f" ({interval_text(between, model.metrics.test_interval_over)})" if between else ""
    name = model.metrics.objective.name
    yield f"On the test split{rows}{times} the final model reached {name} = {metric_text(value)}{spread}."


def _software(material: Material) -> Iterator[str]:
    versions = cast("dict[str, Any]", material.status.record.get("versions") or {})
    known = [f"{title} {versions[name]}" for name, title in _SOFTWARE.items() if name in versions]
    if known:
        yield f"Software: {listed(known)}."
