"""The file of a training state: nested plain values and tensors, replaced atomically, and checked when it is read.

It is a safetensors file with JSON in its metadata, so that reading it runs no code.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from bertnado_config import replaced_atomically
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .file_modes import give_usual_mode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_TEXT, _CHECKSUM = "bertnado", "checksum"
"""The keys of the metadata."""


class StateError(ValueError):
    """A training state cannot be used; the message says why."""


def write_state_file(path: Path, content: Mapping[str, Any]) -> None:
    """Write nested values, tensors among them; a kill at any moment leaves the old file or the new one.

    Raises:
        OSError: It cannot be written; an existing file stays as it was.
        TypeError: `content` holds something that is neither a plain value nor a tensor.
    """
    packing = _Packing()
    text = json.dumps(packing.pack(content))
    metadata = {_TEXT: text, _CHECKSUM: str(_checksum(text, packing.tensors.values()))}
    try:
        with replaced_atomically(path) as scratch:
            save_file(packing.tensors, scratch, metadata)
            give_usual_mode(scratch)
    except SafetensorError as error:
        raise OSError(f"{path} cannot be written: {error}") from error


def read_state_file(path: Path) -> dict[str, Any]:
    """Read what `write_state_file` has written.

    Raises:
        StateError: It cannot be read, is torn, or is something else.
    """
    if not path.is_file():
        raise StateError("is not a file")
    try:
        with safe_open(path, "pt") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
            names = sorted(file.keys(), key=int)
            tensors = {name: file.get_tensor(name).clone() for name in names}  # not a view of the file
    except (OSError, SafetensorError, ValueError) as error:
        raise StateError(f"cannot be read: {error}") from error
    text = metadata.get(_TEXT, "")
    if metadata.get(_CHECKSUM) != str(_checksum(text, tensors.values())):
        raise StateError("is damaged: its checksum differs")
    return cast("dict[str, Any]", _unpack(json.loads(text), tensors))


def _checksum(text: str, tensors: Iterable[torch.Tensor]) -> int:
    checksum = zlib.crc32(text.encode())
    for tensor in tensors:
        checksum = checksum_of(tensor, checksum)
    return checksum


def checksum_of(tensor: torch.Tensor, before: int = 0) -> int:
    """Return the checksum of a tensor's bytes, and of what came before."""
    content: Any = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
    return zlib.crc32(content, before)


class _Packing:
    """Plain values as JSON has them, and tensors by number; tagged lists stand for what JSON lacks."""

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._places: set[int] = set()

    def pack(self, value: Any) -> Any:
        """Return a value as JSON has it, and collect its tensors.

        Raises:
            TypeError: It holds something else.
        """
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, np.ndarray):
            return ["array", self._collect(torch.from_numpy(np.ascontiguousarray(value)))]
        if isinstance(value, torch.Tensor):
            return ["tensor", self._collect(value)]
        if isinstance(value, Mapping):
            items = cast("Mapping[Any, Any]", value).items()
            return ["map", *([self.pack(key), self.pack(item)] for key, item in items)]
        if isinstance(value, list | tuple):
            kind = "tuple" if isinstance(value, tuple) else "list"
            return [kind, *(self.pack(item) for item in cast("list[Any]", value))]
        raise TypeError(f"a training state cannot hold {type(value).__name__}")

    def _collect(self, tensor: torch.Tensor) -> str:
        """Return the number of a tensor; a part of a shared memory, which safetensors refuses, is copied."""
        kept = tensor.detach().cpu().contiguous()
        memory = kept.untyped_storage()
        if memory.data_ptr() in self._places or memory.nbytes() > kept.nbytes:
            kept = kept.clone()
        self._places.add(kept.untyped_storage().data_ptr())
        self.tensors[name := str(len(self.tensors))] = kept
        return name


def _unpack(packed: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if not isinstance(packed, list):
        return packed
    kind, *items = cast("list[Any]", packed)
    if kind == "tensor":
        return tensors[items[0]]
    if kind == "array":
        return tensors[items[0]].numpy()
    if kind == "map":
        return {_unpack(key, tensors): _unpack(item, tensors) for key, item in items}
    unpacked = [_unpack(item, tensors) for item in items]
    return tuple(unpacked) if kind == "tuple" else unpacked
