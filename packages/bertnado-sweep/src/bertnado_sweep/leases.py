"""Who works on which entry of a study, and whether they still do, as far as others can see.

Of a process of the same host the system knows whether it lives. One of another host has a lease on its entry: it
writes a sign of life there every few seconds, and whoever has not seen a new one for the length of the lease takes it
for gone. That is judged by the observer's own monotonic clock, so it does not matter what other clocks show.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optuna.exceptions import UpdateFinishedTrialError

from .processes import is_alive, is_here, is_of, process_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

LEASE = 60.0
"""Seconds without a new sign of life after which a worker of another host counts as gone."""

_SIGNS = 6
"""How many signs of life a lease is long."""

_OWNER, _LEADER, _SIGN = "owner", "leader", "sign"
"""User attributes of an entry: the process that works on it, the one that buries that, how often it was renewed."""


def ownership() -> dict[str, str]:
    """What makes an entry this process's: the user attributes that say so."""
    parent = multiprocessing.parent_process()
    leader = os.getpid() if parent is None else parent.pid or 0
    return {_OWNER: process_name(os.getpid()), _LEADER: process_name(leader)}


def is_owned_by(entry: FrozenTrial, pid: int) -> bool:
    """Whether a process of this host, living or not, works on an entry."""
    return is_of(entry.user_attrs[_OWNER], pid)


def is_led_by(entry: FrozenTrial, pid: int) -> bool:
    """Whether a process of this host works on an entry, or has begun the worker that does."""
    return is_of(entry.user_attrs[_LEADER], pid)


class Lease:
    """Renews the lease on an entry in the background, from its making until it is ended."""

    def __init__(self, storage: BaseStorage, entry: int) -> None:
        self.is_lost = False
        """Whether somebody else has ended the entry: they took its worker for gone."""
        self._storage = storage
        self._entry = entry
        self._over = threading.Event()
        threading.Thread(target=self._renew, name="lease", daemon=True).start()

    def end(self) -> None:
        """Renew it no more."""
        self._over.set()

    def _renew(self) -> None:
        sign = 0
        while not self._over.wait(LEASE / _SIGNS) and not self.is_lost:
            sign += 1
            with suppress(Exception):  # a storage that does not answer may do so the next time
                try:
                    self._storage.set_trial_user_attr(self._entry, _SIGN, sign)
                except UpdateFinishedTrialError:
                    self.is_lost = not self._over.is_set()


@dataclass
class _Sight:
    """What was seen of an entry's lease."""

    sign: int
    since: float
    """Since when it has been the same, by this process's monotonic clock."""


class Leases:
    """The leases of other processes, as this one sees them."""

    def __init__(self) -> None:
        self._seen: dict[int, _Sight] = {}
        self._looked = 0.0

    def abandoned(self, entries: Mapping[int, FrozenTrial]) -> list[int]:
        """Which entries nobody works on any more, of those that are not finished.

        Nothing is known of the time in which nobody looked: neither side may have reached the storage then.
        """
        now = time.monotonic()
        if now - self._looked > LEASE / 2:
            self._seen.clear()
        self._looked = now
        return [name for name, entry in entries.items() if self._is_abandoned(name, entry, now)]

    def _is_abandoned(self, name: int, entry: FrozenTrial, now: float) -> bool:
        owner, leader = entry.user_attrs[_OWNER], entry.user_attrs[_LEADER]
        if is_here(owner):
            return not is_alive(owner) and not is_alive(leader)
        sign = entry.user_attrs.get(_SIGN, 0)
        sight = self._seen.setdefault(name, _Sight(sign, now))
        if sight.sign != sign:
            sight.sign, sight.since = sign, now
        return now - sight.since > LEASE
