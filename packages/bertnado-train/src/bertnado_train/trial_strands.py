"""The strands that the parameters of a trial ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bertnado_config import ArgumentProblem, InvalidInputError, Problem

from .dataset_splits import TRAIN
from .input_checks import unreadable_rows
from .parameters.namespaces import trial_settings
from .parameters.strand_names import REVERSE_COMPLEMENT
from .strands import BothStrands

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .parameters.strand_names import Strands
    from .training_setup import TrainingSetup

_PLACE = f"parameters.{REVERSE_COMPLEMENT}"


def with_strands(setup: TrainingSetup, parameters: Mapping[str, Any]) -> TrainingSetup:
    """Return the setup with the reverse complements that a trial trains on, and evaluates.

    Raises:
        InvalidInputError: They have more tokens than a row may have.
        ValueError: The rows have none, or a parameter cannot be used.
    """
    strands = trial_settings(parameters).reverse_complement
    if strands == "none":
        return setup
    reverse, splits = setup.dataset.reverse_complements.rows.splits, dict(setup.dataset.splits)
    for name in splits if strands == "average" else (TRAIN,):
        if not isinstance(splits[name], BothStrands):
            splits[name] = BothStrands.of(splits[name], reverse[name])
    return replace(setup, dataset=replace(setup.dataset, splits=splits))


def strand_problems(setup: TrainingSetup, asked: Iterable[Strands]) -> Iterator[Problem]:
    """Report why trials cannot have the strands that they ask for.

    Args:
        setup: The dataset and the model.
        asked: Values of the parameter.
    """
    if not set(asked) - {"none"}:
        return
    known = setup.dataset.reverse_complements
    if known.problem:
        yield Problem(_PLACE, known.problem)
        return
    try:
        splits = known.rows.splits
    except InvalidInputError as error:
        yield from error.problems
        return
    for name, split in splits.items():
        for problem in unreadable_rows(setup, split):
            yield ArgumentProblem("dataset", f"{name}: of the reverse complements, {problem}")
