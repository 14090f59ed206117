"""Which processes live, named so that neither a number that is given out again nor a clock that is set misleads."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

_PROC = Path("/proc")
_IDENTITIES = (Path("/etc/machine-id"), _PROC / "sys/kernel/random/boot_id")
"""What tells two machines with one host name apart, and a machine from itself before it was started again."""

_BEGIN = 19
"""Where `/proc/PID/stat` has the start time, in clock ticks since boot, counted from the state (man 5 proc)."""


@dataclass(frozen=True)
class _Sight:
    """A process as the system shows it."""

    begin: str
    """When it began, by a clock that nobody sets."""
    is_over: bool
    """Whether it is a zombie: dead, and not yet reaped by whoever started it."""


@cache
def host() -> str:
    """Name what gives processes their numbers: this machine since it was started, or a container in it.

    Containers share host name, machine and boot with each other, and two machines may share a host name.
    """
    parts = [socket.gethostname(), *(_first_line(path) for path in _IDENTITIES)]
    try:
        parts.append(str((_PROC / "self/ns/pid").readlink()))
    except OSError:  # no Linux
        parts.append("")
    return " ".join(part or "-" for part in parts)


def process_name(pid: int) -> str:
    """Name a process of this host: host, number, and when it began (0 where it lives no more)."""
    sight = _look_at(pid)
    return f"{host()}/{pid}/{sight.begin if sight else 0}"


def is_here(name: str) -> bool:
    """Return whether the process that `process_name` named is, or was, one of this host."""
    return name.rsplit("/", 2)[0] == host()


def is_alive(name: str) -> bool:
    """Return whether a process of this host lives. A zombie does not."""
    if not _proc_is_ours():
        return _takes_signals(_number(name))  # nothing tells when it began
    sight = _look_at(_number(name))
    return sight is not None and not sight.is_over and name.rsplit("/", 1)[1] == sight.begin


def is_of(name: str, pid: int) -> bool:
    """Return whether `name` is that of this host's process with that number, living or not."""
    return is_here(name) and _number(name) == pid


def describe(name: str) -> str:
    """Say which process `process_name` named, as a person looks for it."""
    return f"process {_number(name)} on {name.split(' ', 1)[0]}"


def _number(name: str) -> int:
    return int(name.rsplit("/", 2)[1])


def _look_at(pid: int) -> _Sight | None:
    """Return what is seen of a process; `None` where there is none, or none can be seen."""
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
    except PermissionError:  # somebody else's
        return True
    return True


def _proc_is_ours() -> bool:
    """Return whether /proc, where there is one, shows the numbers of this process's namespace (unshare --pid)."""
    try:
        return (_PROC / "self").readlink().name == str(os.getpid())
    except OSError:
        return True


def _first_line(path: Path) -> str:
    try:
        return path.read_text().strip().partition("\n")[0]
    except OSError:
        return ""
