"""The modes of files that libraries write for their owner alone, whatever the umask."""

from __future__ import annotations

from stat import S_IMODE
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from pathlib import Path


def apply_umask(directory: Path) -> None:
    """Give each file in a directory the mode that new files get there; safetensors writes weights with mode 0600.

    Raises:
        OSError: A file cannot be created there, or a mode cannot be changed.
    """
    usual = _usual_mode(directory)
    for file in directory.iterdir():
        if file.is_file() and not file.is_symlink() and S_IMODE(file.stat().st_mode) != usual:
            file.chmod(usual)


def give_usual_mode(file: Path) -> None:
    """Give a file the mode that new files get in its directory.

    Raises:
        OSError: A file cannot be created there, or the mode cannot be changed.
    """
    file.chmod(_usual_mode(file.parent))


def _usual_mode(directory: Path) -> int:
    """Return the mode of a new file, because a process cannot read its umask without changing it for all threads."""
    new = directory / f".{uuid4().hex}.tmp"
    new.touch(exist_ok=False)
    try:
        return S_IMODE(new.stat().st_mode)
    finally:
        new.unlink()
