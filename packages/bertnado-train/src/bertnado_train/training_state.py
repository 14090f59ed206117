"""The state of a training run after an optimiser step: everything that it needs to go on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import to_json_types

from .state_file import StateError, read_state_file, write_state_file
from .training_arguments import effective_arguments

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from bertnado_metrics import Objective
    from transformers import TrainingArguments

    from .training_setup import TrainingSetup

FORMAT = 1
"""Increased when the content of a state changes its meaning."""

_LIBRARIES = ("torch", "transformers", "accelerate", "numpy")
"""The libraries whose other versions may train differently."""

_OF_MACHINE = ("dataloader_num_workers", "dataloader_pin_memory", "dataloader_prefetch_factor", "eval_batch_size")
"""Arguments, or the ends of their names, that change nothing of the result and may differ between machines."""


@dataclass(frozen=True)
class TrainingState:
    """Everything that a training run needs to go on after an optimiser step."""

    step: int
    trainer: Mapping[str, Any]
    """The fields of the `TrainerState`."""
    weights: Mapping[str, torch.Tensor]
    optimizer: Mapping[str, Any]
    scheduler: Mapping[str, Any]
    scaler: Mapping[str, Any] | None
    """That of the gradient scaler; `None` if training is not in fp16."""
    random: Mapping[str, Any]
    """The random states after the step."""
    epoch_random: Mapping[str, Any]
    """The random states at the beginning of the epoch, from which the order of its rows follows."""
    best: Mapping[str, Any]
    """The weights, value and step of the best evaluation, and the history."""
    batches: tuple[int, int, int]
    """Rows of a training batch, batches of an optimiser step, rows of an evaluation batch."""
    logged: tuple[torch.Tensor, float, int]
    """The sum of the training loss since the last log, that of all before, and the step of the last log."""
    timings: Mapping[str, float]
    """Seconds spent so far, by activity."""

    @property
    def seconds(self) -> float:
        """The time spent so far."""
        return sum(self.timings.values())


def write_state(path: Path, state: TrainingState, identity: Mapping[str, Any]) -> None:
    """Replace a trial's training state atomically.

    Args:
        path: The file.
        state: The state.
        identity: What the state belongs to, see `identity_of`.

    Raises:
        OSError: It cannot be written; the previous one stays.
        TypeError: An optimiser or scheduler keeps something that cannot be saved.
    """
    content = {field.name: getattr(state, field.name) for field in fields(state)}
    write_state_file(path, {"format": FORMAT, "identity": identity, "state": content})


def read_state(path: Path, identity: Mapping[str, Any]) -> TrainingState:
    """Read a training state.

    Args:
        path: The file.
        identity: What it must belong to.

    Raises:
        StateError: It cannot be read, is damaged, or belongs to something else.
    """
    content = read_state_file(path)
    if content.get("format") != FORMAT:
        raise StateError(f"has format {content.get('format')}, not {FORMAT}")
    difference = _difference(content["identity"], identity)
    if difference is not None:
        raise StateError(f"belongs to another training run: {difference}")
    return TrainingState(**content["state"])


def identity_of(
    setup: TrainingSetup,
    parameters: Mapping[str, Any],
    arguments: TrainingArguments,
    objective: Objective,
    further: Mapping[str, Any],
) -> dict[str, Any]:
    """Return everything that the course of a training run depends on, ready for JSON.

    Args:
        setup: The task, dataset and model.
        parameters: The parameters of the trial.
        arguments: Its arguments, before the batches are split to fit into memory.
        objective: The metric that selects the best checkpoint.
        further: Whatever else changes the run.
    """
    dataset = setup.dataset.summary
    effective = effective_arguments(arguments)
    identity = {
        **{name: version(name).partition("+")[0] for name in _LIBRARIES},
        "device": arguments.device.type,
        "dataset": {name: dataset[name] for name in ("fingerprint", "rows", "class_weights")},
        "model": {"weights": setup.model.fingerprint, "head": setup.head},
        "label_scaling": setup.label_scaling,
        "objective": {"name": objective.name, "goal": objective.goal},
        "parameters": parameters,
        "arguments": {name: value for name, value in effective.items() if not name.endswith(_OF_MACHINE)},
        **further,
    }
    return cast("dict[str, Any]", to_json_types(identity))


def _difference(recorded: Any, expected: Any, path: str = "") -> str | None:
    """Return the first place where two identities differ, with both values; `None` if they are the same."""
    if isinstance(recorded, Mapping) and isinstance(expected, Mapping):
        for name in {**recorded, **expected}:
            found = _difference(recorded.get(name), expected.get(name), f"{path}.{name}" if path else str(name))
            if found:
                return found
        return None
    return None if recorded == expected else f"{path} was {recorded!r}, and is {expected!r}"
