"""Trials whose steps cost the same but for their batches."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertnado_train.parameters.namespaces import convert_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from transformers import TrainingArguments

    from .workload import Workload

KindKey = tuple[tuple[str, str], ...]
"""The values that make steps cost what they cost, by name."""

MOST_KINDS = 4
"""No more kinds are measured; the others are taken for the most frequent one."""


@dataclass(frozen=True)
class ExpectedTrial:
    """A trial with its arguments and its work."""

    parameters: Mapping[str, Any]
    arguments: TrainingArguments
    work: Workload

    @property
    def batch(self) -> int:
        """The rows that are trained at once."""
        return self.arguments.per_device_train_batch_size


@dataclass(frozen=True)
class Kind:
    """Trials whose steps cost the same but for their batches, by those that are measured."""

    key: KindKey
    largest: Mapping[str, Any]
    """The parameters of a trial with the largest batches."""
    batches: tuple[int, int]
    """The smallest and the largest number of rows that are trained at once, before memory is known."""
    tokens: float
    """The tokens that a typical trial trains."""

    @property
    def name(self) -> str:
        """The values in words; empty if no parameter changes the cost of a step."""
        return ", ".join(f"{name} {value}" for name, value in self.key)


def kind_key(parameters: Mapping[str, Any]) -> KindKey:
    """Return what the cost of a step depends on, besides its batches."""
    converted = convert_parameters(parameters)
    return tuple(
        sorted((p.target, str(p.value)) for p in converted if p.namespace.changes_cost(p.name) and p.value is not None)
    )


def find_kinds(trials: Sequence[ExpectedTrial]) -> list[Kind]:
    """Return the kinds of trials, the most frequent ones first, and at most `MOST_KINDS`."""
    groups: defaultdict[KindKey, list[ExpectedTrial]] = defaultdict(list)
    for trial in trials:
        groups[kind_key(trial.parameters)].append(trial)
    frequent = sorted(groups.items(), key=lambda group: -len(group[1]))[:MOST_KINDS]
    return [_kind(key, group) for key, group in frequent]


def _kind(key: KindKey, group: Sequence[ExpectedTrial]) -> Kind:
    by_size = sorted(group, key=lambda trial: trial.batch)
    by_work = sorted(trial.work.tokens for trial in group)
    return Kind(key, by_size[-1].parameters, (by_size[0].batch, by_size[-1].batch), tokens=by_work[len(by_work) // 2])
