"""Files of a model that would make transformers block, run foreign code or fill the memory, found beforehand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import (
    ArgumentProblem,
    InvalidInputError,
    UnfitFileError,
    path_problem,
    read_json,
    require_regular_file,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

TRAINED_RECORD = "trained_weights.json"
"""The file that says which model trained weights belong to."""

ADAPTER_INSTEAD = (
    "has an adapter (adapter_config.json), which would be left out of training; merge it into its base with "
    "merge_and_unload of peft, and save the merged model without it"
)
"""Why the adapter of peft is not a model to train."""

_KERNEL_KEYS = frozenset(
    {"attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation"}
)
_LAYERS = re.compile(r"(layers|\bn_layer|num_layer)$")
_MOST_LAYERS = 10_000
"""Each layer is an object in memory before any weight is loaded."""


def model_name_problem(model_name: str) -> ArgumentProblem | None:
    """Return why no model can have that name, or `None` if one can."""
    problem = path_problem(model_name, "a directory or a model on the hub")
    return ArgumentProblem("model_name", f"{{model_name}} {problem}") if problem else None


def holds_trained_part(directory: Path) -> bool:
    """Return whether a directory holds what a trial trained of a model, and not a whole model."""
    return (directory / TRAINED_RECORD).is_file()


def incomplete_model_problem(directory: Path) -> str | None:
    """Return why a directory does not hold a whole model; `None` if it does, or holds something else."""
    if holds_trained_part(directory):
        return (
            "holds what a trial trained of a model, and not the whole of it; complete it with "
            "`bertnado full-train --from-sweep`"
        )
    if (directory / "adapter_config.json").is_file():
        return ADAPTER_INSTEAD
    return None


def require_readable_files(model_name: str) -> None:
    """Refuse a directory with a file that would block its reader or has no end.

    Raises:
        ValueError: It contains a named pipe, a device, ..., or its `config.json` is damaged.
        OSError: It cannot be listed.
    """
    directory = Path(model_name)
    if not directory.is_dir():
        return
    for file in sorted(directory.iterdir()):
        if file.exists() and not file.is_dir():
            try:
                require_regular_file(file)
            except UnfitFileError as error:
                raise ValueError(f"{file.name} {error}") from None
    config = directory / "config.json"
    if config.is_file() and not isinstance(_read_config(config), dict):
        raise ValueError("config.json must hold an object, got something else")


def _read_config(file: Path) -> Any:
    try:
        return read_json(file)
    except InvalidInputError as error:
        problems = [str(problem) for problem in error.problems if "is declared twice" not in problem.message]
        if not problems:  # transformers accepts a key that is declared twice
            return {}
        raise ValueError(f"{file.name}: {problems[0].split(';')[0]}") from None


def foreign_code_problem(config: dict[str, Any]) -> str | None:
    """Return which value of a `config.json` would download and run code that is not part of transformers."""
    for key, value in _nested_values(config):
        if key in _KERNEL_KEYS:
            named = list(value.values()) if isinstance(value, dict) else [value]
            kernel = next((name for name in named if isinstance(name, str) and "/" in name), None)
            if kernel:
                return f"its {key} in config.json must be part of transformers, got the kernel {kernel!r} on the hub"
    return None


def oversize_problem(config: dict[str, Any]) -> str | None:
    """Return which number of a `config.json` would fill the memory with layers."""
    for key, value in _nested_values(config):
        if _LAYERS.search(key) and isinstance(value, int) and value > _MOST_LAYERS:
            return f"its {key} in config.json must be at most {_MOST_LAYERS:,}, got {value:,}"
    return None


def _nested_values(content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield str(key), value
            yield from _nested_values(value)
    elif isinstance(content, list):
        for item in content:
            yield from _nested_values(item)
