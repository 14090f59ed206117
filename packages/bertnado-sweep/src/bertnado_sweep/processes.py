"""Which processes live, named so that a number that is given out again is not taken for the one that had it."""

from __future__ import annotations

import socket
from functools import cache
from pathlib import Path

import psutil


@cache
def host() -> str:
    """The name of what gives processes their numbers: this machine, or a container in it."""
    try:
        space = Path("/proc/self/ns/pid").readlink()
    except OSError:  # no Linux
        return socket.gethostname()
    return f"{socket.gethostname()} {space}"


def process_name(pid: int) -> str:
    """Name a process of this host: host, number, and when it began (0 where it lives no more)."""
    try:
        began = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        began = 0.0
    return f"{host()}/{pid}/{began:.2f}"


def is_here(name: str) -> bool:
    """Whether the process that `process_name` named is, or was, one of this host."""
    return name.rsplit("/", 2)[0] == host()


def is_alive(name: str) -> bool:
    """Whether a process of this host lives."""
    return process_name(_number(name)) == name


def is_of(name: str, pid: int) -> bool:
    """Whether `name` is that of this host's process with that number, living or not."""
    return is_here(name) and _number(name) == pid


def _number(name: str) -> int:
    return int(name.rsplit("/", 2)[1])
