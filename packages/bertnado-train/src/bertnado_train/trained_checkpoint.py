"""The checkpoint of a trial: the whole model, or, of a model that is trained in part, what is trained of it."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from bertnado_config import ArgumentProblem, InvalidInputError, read_json, write_json
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from .adapter import adapter_config, adapter_weights, merge_adapter
from .custom_code import complete_saved_code
from .file_modes import apply_umask
from .model_files import TRAINED_RECORD
from .stored_model import hide_progress_bars
from .trained_weights import trained_weights

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from transformers import PreTrainedModel

    from .stored_model import StoredModel

BYTES_PER_WEIGHT = 4
"""Checkpoints are written in fp32."""
ADAPTER = "adapter"
"""The directory of the adapter beside a merged model."""
_WEIGHTS = "trained_weights.safetensors"
_ADAPTER_WEIGHTS = "adapter_model.safetensors"
_VALUES_COMPARED = 16
"""Values of a weight that tell models apart."""


def trains_all(model: PreTrainedModel, base: StoredModel) -> bool:
    """Return whether all parameters are trained that the model's own code trains."""
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    return adapter_config(model) is None and frozen <= base.frozen


def checkpoint_weights(model: PreTrainedModel, base: StoredModel) -> dict[str, torch.Tensor]:
    """Return the weights that a checkpoint holds: all, or those that are trained, by their names in its file."""
    if trains_all(model, base):
        return dict(model.state_dict())
    return trained_weights(model) if adapter_config(model) is None else adapter_weights(model)


def save_trained(model: PreTrainedModel, base: StoredModel, directory: Path) -> None:
    """Write the checkpoint of a trial, completely or not at all.

    A model that is trained in part gets no file that plain `from_pretrained` would take for a whole one.

    Raises:
        OSError: It cannot be written.
    """
    with _complete_or_removed(directory):
        if trains_all(model, base):
            _save_model(model, directory)
        else:
            _save_part(model, base, directory)
            write_json(directory / TRAINED_RECORD, {"model_name": base.name, "model_fingerprint": _fingerprint(base)})


def save_whole(model: PreTrainedModel, base: StoredModel, directory: Path) -> None:
    """Write a whole model, completely or not at all; adapters are merged into it and written to `adapter` as well.

    Raises:
        OSError: It cannot be written.
    """
    with _complete_or_removed(directory):
        if adapter_config(model) is not None:
            _save_part(model, base, directory / ADAPTER)
            apply_umask(directory / ADAPTER)
            merge_adapter(model)
        _save_model(model, directory)


def restore_trained(model: PreTrainedModel, base: StoredModel, directory: Path) -> None:
    """Put what a trial trained into a model that was made as the trial made it.

    Raises:
        InvalidInputError: The checkpoint is damaged, or belongs to another model.
    """
    try:
        recorded = read_json(directory / TRAINED_RECORD)
        file = directory / (_WEIGHTS if adapter_config(model) is None else _ADAPTER_WEIGHTS)
        weights = load_file(file)
    except (OSError, SafetensorError, InvalidInputError) as error:
        raise _unusable(f"the checkpoint {directory} is damaged: {error}") from None
    if recorded.get("model_fingerprint") != _fingerprint(base):
        raise _unusable(
            f"the checkpoint {directory} holds what was trained of {recorded.get('model_name')}, and {{model_name}} "
            f"has other weights now"
        )
    expected = checkpoint_weights(model, base)
    if expected.keys() != weights.keys() or any(expected[name].shape != weights[name].shape for name in weights):
        raise _unusable(f"the checkpoint {directory} holds other weights than its parameters train")
    with torch.no_grad():
        for name, weight in weights.items():
            expected[name].copy_(weight)


def _unusable(reason: str) -> InvalidInputError:
    return InvalidInputError([ArgumentProblem("from_sweep", f"{reason}; train anew without {{from_sweep}}")])


def _save_part(model: PreTrainedModel, base: StoredModel, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(directory)
    is_adapter = adapter_config(model) is not None
    if is_adapter:
        _save_adapter_config(model, base, directory)
    weights = {name: weight.cpu() for name, weight in checkpoint_weights(model, base).items()}
    file = directory / (_ADAPTER_WEIGHTS if is_adapter else _WEIGHTS)
    save_file(_separate(weights), file, metadata={"format": "pt"})


def _save_adapter_config(model: PreTrainedModel, base: StoredModel, directory: Path) -> None:
    from peft import TaskType

    written = copy.copy(adapter_config(model))
    assert written is not None  # noqa: S101  (asked by the caller)
    place = Path(base.name)
    written.base_model_name_or_path = str(place.absolute()) if place.is_dir() else base.name
    written.inference_mode = True
    heads = written.modules_to_save or []
    if _match_others(model, heads):
        written.task_type = TaskType.SEQ_CLS
        written.modules_to_save = [f"base_model.model.{name}" for name in heads]
    written.save_pretrained(str(directory))


def _match_others(model: torch.nn.Module, heads: list[str]) -> bool:
    """Return whether modules outside of the head have names that end as those of the head do, which peft looks at."""
    ends = tuple(heads)
    inner = tuple(f"{name}." for name in heads)
    return any(
        name.endswith(ends) and name not in heads and not name.startswith(inner) for name, _ in model.named_modules()
    )


def _save_model(model: PreTrainedModel, directory: Path) -> None:
    with hide_progress_bars():
        # transformers knows the names that its own models share
        weights = _separate(model.state_dict()) if model.is_custom_code() else None
        model.save_pretrained(directory, state_dict=weights)
    complete_saved_code(directory, model)


@contextmanager
def _complete_or_removed(directory: Path) -> Generator[None]:
    try:
        yield
        apply_umask(directory)
    except BaseException as error:
        shutil.rmtree(directory, ignore_errors=True)  # on a full disk, the record of the trial needs the room
        if isinstance(error, SafetensorError):
            raise OSError(f"{directory} cannot be written: {error}") from error
        raise


def _separate(weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Return the weights with a copy for each name of a shared tensor, which safetensors would refuse."""
    seen: set[int] = set()
    separate: dict[str, Any] = {}
    for name, tensor in weights.items():
        separate[name] = tensor.clone() if tensor.data_ptr() in seen else tensor.contiguous()
        seen.add(tensor.data_ptr())
    return separate


def _fingerprint(base: StoredModel) -> str:
    """Return a hash of the names and shapes of all weights of a model, and of some of their values."""
    digest = hashlib.sha256()
    for name, weight in sorted(base.weights.items()):
        flat = weight.reshape(-1)
        sample = flat[:: max(len(flat) // _VALUES_COMPARED, 1)].tolist()
        digest.update(json.dumps([name, list(weight.shape), sample]).encode())
    return digest.hexdigest()
