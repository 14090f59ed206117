"""Names of processes that stay unique when process ids are reused or clocks are set, and whether they are alive."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

_PROC = Path("/proc")
_IDENTITIES = (Path("/etc/machine-id"), _PROC / "sys/kernel/random/boot_id")
"""Files that tell apart machines with the same host name, and a machine before and after a reboot."""

_BEGIN = 19
"""The index of the start time, in clock ticks since boot, in `/proc/PID/stat`, counted from the state (man 5 proc)."""


@dataclass(frozen=True)
class _Sight:
    """A process as the operating system shows it."""

    begin: str
    """When it began, by a clock that cannot be set."""
    is_over: bool
    """True for a zombie: dead, and not yet reaped by its parent."""


@cache
def host() -> str:
    """Return a name for the scope of process ids: this machine since its last boot, or a container on it.

    Containers share host name, machine and boot, and two machines may have the same host name.
    """
    parts = [socket.gethostname(), *(_first_line(path) for path in _IDENTITIES)]
    try:
        parts.append(str((_PROC / "self/ns/pid").readlink()))
    except OSError:  # not on Linux
        parts.append("")
    return " ".join(part or "-" for part in parts)


def process_name(pid: int) -> str:
    """Return the name of a process of this host: host, process id, and when it began (0 if it is dead)."""
    sight = _look_at(pid)
    return f"{host()}/{pid}/{sight.begin if sight else 0}"


def is_here(name: str) -> bool:
    """Return True if a process name is of this host."""
    return name.rsplit("/", 2)[0] == host()


def is_alive(name: str) -> bool:
    """Return True if a process of this host is alive; a zombie is not."""
    if not _proc_is_ours():
        return _takes_signals(_number(name))  # when it began cannot be found out
    sight = _look_at(_number(name))
    return sight is not None and not sight.is_over and name.rsplit("/", 1)[1] == sight.begin


def is_of(name: str, pid: int) -> bool:
    """Return True if `name` is that of this host's process with that id, dead or alive."""
    return is_here(name) and _number(name) == pid


def describe(name: str) -> str:
    """Return a process name as a person would look for the process."""
    return f"process {_number(name)} on {name.split(' ', 1)[0]}"


def _number(name: str) -> int:
    return int(name.rsplit("/", 2)[1])


def _look_at(pid: int) -> _Sight | None:
    """Return how the system shows a process; None if it does not show it."""
    if not _PROC.is_dir():
        return _ask_psutil(pid)
    if pid == os.getpid():
        return _read_stat("self")
    return _read_stat(str(pid)) if _proc_is_ours() else None


def _read_stat(name: str) -> _Sight | None:
    try:
        fields = (_PROC / name / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return _Sight(fields[_BEGIN], fields[0] in "ZX")


def _ask_psutil(pid: int) -> _Sight | None:
    try:
        process = psutil.Process(pid)
        return _Sight(f"{process.create_time():.2f}", process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return None


def _takes_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it belongs to another user
        return True
    return True


def _proc_is_ours() -> bool:
    """Return True unless /proc shows the ids of another namespace (`unshare --pid` without `--mount-proc`)."""
    try:
        return (_PROC / "self").readlink().name == str(os.getpid())
    except OSError:
        return True


def _first_line(path: Path) -> str:
    try:
        return path.read_text().strip().partition("\n")[0]
    except OSError:
        return ""
