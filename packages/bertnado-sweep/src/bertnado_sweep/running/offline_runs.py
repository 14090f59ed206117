"""The runs that W&B's client has tracked offline, each in a directory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK, _HEADER = 32768, 7
"""Bytes of a block, and of the header of a file or a chunk: https://github.com/google/leveldb/blob/main/doc/log_format.md"""
_FULL, _MIDDLE, _LAST = 1, 3, 4
"""Kinds of a chunk: a whole record, or a part of one."""


@dataclass(frozen=True)
class OfflineRun:
    """One offline run."""

    directory: Path

    @property
    def id(self) -> str:
        """The id of the run: the name of its directory is `offline-run-DATE_TIME-ID`."""
        return self.directory.name.split("-", 3)[3]

    @property
    def file(self) -> Path:
        """The file that the client writes the run to."""
        return self.directory / f"run-{self.id}.wandb"

    @property
    def is_uploaded(self) -> bool:
        """True if `wandb sync` has uploaded all of it; it leaves a file that says so."""
        return self.file.with_name(f"{self.file.name}.synced").exists()

    @property
    def has_begun(self) -> bool:
        """True if its file names the run. If the process was killed sooner, `wandb sync` uploads nothing at all."""
        from wandb.proto import wandb_internal_pb2

        messages: Any = wandb_internal_pb2
        try:
            return any(messages.Record.FromString(content).HasField("run") for content in read_records(self.file))
        except (OSError, ValueError):  # missing, or damaged
            return False


def offline_runs(output_dir: Path, sweep_id: str | None = None) -> list[OfflineRun]:
    """Return the offline runs in the order of their start: those in an output directory, and a sweep's in `WANDB_DIR`.

    Args:
        output_dir: The output directory of a sweep or of a final training.
        sweep_id: The sweep's; None for a final training.
    """
    found = _runs_in(output_dir)
    named = os.environ.get("WANDB_DIR")
    if named and sweep_id is not None and Path(named).absolute() != output_dir.absolute():
        found += [run for run in _runs_in(Path(named)) if run.id.startswith(f"{sweep_id}-")]
    return sorted(found, key=lambda run: run.directory.name)


def _runs_in(place: Path) -> list[OfflineRun]:
    return [OfflineRun(path) for path in place.glob("wandb/offline-run-*-*") if path.is_dir()]


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the complete records of a run's file: LevelDB's log format behind a header of seven bytes.

    Raises:
        OSError: It cannot be read.
    """
    content, position, record = path.read_bytes(), _HEADER, b""
    while position + _HEADER <= len(content):
        room = _BLOCK - position % _BLOCK
        if room < _HEADER:
            position += room
            continue
        length, kind = int.from_bytes(content[position + 4 : position + 6], "little"), content[position + 6]
        begin = position + _HEADER
        position = begin + length
        if position > len(content):
            return
        record = (record if kind in (_MIDDLE, _LAST) else b"") + content[begin:position]
        if kind in (_FULL, _LAST):
            yield record
