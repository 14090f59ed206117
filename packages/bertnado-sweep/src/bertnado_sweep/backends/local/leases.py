"""Which process works on which entry of a study, and whether it still does.

Whether a process of the same host is alive, the operating system knows. For all others there are leases: whoever works
on an entry writes a heartbeat into it every few seconds, and a process that has seen no new one for the length of the
lease takes the worker for lost: dead, cut off or suspended. It measures that time by its own monotonic clock, because
the clocks of two machines need not agree, and a clock may be set at any time.

A worker that is wrongly taken for lost does no harm: its entry is finished by then, so whatever it writes is refused,
and it gives its trial up.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from optuna.exceptions import UpdateFinishedTrialError

from .process_identity import describe, is_alive, is_here, is_of, process_name

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

LEASE = 60.0
"""Seconds without a heartbeat after which a worker counts as lost."""

_HEARTBEATS = 6
"""The number of heartbeats in the length of a lease."""

_OWNER, _CLAIM, _LEADER, _POOL, _HEARTBEAT = "owner", "claim", "leader", "pool", "heartbeat"
"""User attributes of an entry: the process that works on it, and the claim that it was made for; the leader of that
process's worker pool, and the pool; the number of heartbeats."""

_OLD_HEARTBEAT = "sign"
"""The name of the heartbeat in version 0.1.0."""

_held: set[str] = set()
"""The claims that threads of this process hold, and the worker pools that they lead."""


@dataclass(frozen=True)
class Pool:
    """A worker pool, as its workers know it."""

    name: str
    leader: str
    """The process that has started the workers, and settles what they leave behind."""


@contextmanager
def leading() -> Generator[Pool]:
    """Lead a worker pool from this process while the block runs."""
    pool = Pool(uuid4().hex, process_name(os.getpid()))
    _held.add(pool.name)
    try:
        yield pool
    finally:
        _held.discard(pool.name)


class Claim:
    """A worker's claim to the entries that it makes, held from before the first one is made until it is given up.

    The process id alone would not do: a later sweep in the same process, or in one that was given the same id, must not
    take the entries of an earlier one for its own.
    """

    def __init__(self, pool: Pool | None) -> None:
        self._name = uuid4().hex
        self._pool = pool
        _held.add(self._name)

    def give_up(self) -> None:
        """Let others settle what was made for the claim and not finished."""
        _held.discard(self._name)

    @property
    def attributes(self) -> dict[str, str]:
        """The user attributes of an entry that was made for the claim."""
        led = {} if self._pool is None else {_LEADER: self._pool.leader, _POOL: self._pool.name}
        return {_OWNER: process_name(os.getpid()), _CLAIM: self._name, **led}

    def has_made(self, entry: FrozenTrial) -> bool:
        """Return True if an entry was made for the claim; several were if the answer of a database was lost."""
        return entry.user_attrs.get(_CLAIM) == self._name


def is_owned_by(entry: FrozenTrial, pid: int) -> bool:
    """Return True if an entry belongs to the process of this host with that id, dead or alive."""
    owner = entry.user_attrs.get(_OWNER)
    return owner is not None and is_of(owner, pid)


def process_of(entry: FrozenTrial) -> str | None:
    """Return the name of the process that an entry belongs to, see `process_name`; None if it is not recorded."""
    return entry.user_attrs.get(_OWNER)


def owner_of(entry: FrozenTrial) -> str:
    """Return the process that an entry belongs to, as a person would look for it."""
    owner = entry.user_attrs.get(_OWNER)
    return "an unknown process" if owner is None else describe(owner)


def is_in(pool: Pool | None, entry: FrozenTrial) -> bool:
    """Return True if an entry belongs to a worker of the pool."""
    return pool is not None and entry.user_attrs.get(_POOL) == pool.name


class Lease:
    """The lease on an entry, renewed by heartbeats in the background until it ends."""

    def __init__(self, storage: BaseStorage, entry: int, claim: Claim) -> None:
        self.entry = entry
        """The id, in the storage, of the entry that the heartbeats go to."""
        self.claim = claim
        self.is_lost = False
        """True once another process has finished the entry, because it took this one for lost."""
        self.is_kept = False
        """True if a trial runs under it."""
        self._storage = storage
        self._over = threading.Event()
        threading.Thread(target=self._renew, name="lease", daemon=True).start()

    def end(self) -> None:
        """Stop renewing the lease, and give the claim up."""
        self._over.set()
        self.claim.give_up()

    def _renew(self) -> None:
        heartbeat = 0
        while not self._over.wait(LEASE / _HEARTBEATS) and not self.is_lost:
            heartbeat += 1
            entry = self.entry
            with suppress(Exception):  # a storage that does not answer may do so the next time
                try:
                    self._storage.set_trial_user_attr(entry, _HEARTBEAT, heartbeat)
                except UpdateFinishedTrialError:  # by others, unless the lease has ended or moved in this very moment
                    self.is_lost = entry == self.entry and not self._over.is_set()


@dataclass
class _Sight:
    """The last heartbeat that was seen of an entry."""

    heartbeat: int
    since: float
    """When it was first seen, by this process's monotonic clock."""


class Leases:
    """The leases of other processes, as this one sees them."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], _Sight] = {}
        self._looked = 0.0

    def abandoned(self, entries: Mapping[tuple[str, int], FrozenTrial]) -> set[tuple[str, int]]:
        """Return which of the unfinished entries are abandoned: nobody works on them any more.

        If the last look was long ago, observation starts anew: the storage may have been unreachable in the meantime,
        and then the others could not renew their leases either.
        """
        now = time.monotonic()
        if now - self._looked > LEASE / 2:
            self._seen.clear()
        self._looked = now
        return {key for key, entry in entries.items() if self._is_abandoned(key, entry, now)}

    def _is_abandoned(self, key: tuple[str, int], entry: FrozenTrial, now: float) -> bool:
        if is_owned_by(entry, os.getpid()):  # by this sweep, an earlier one in this process, or one with the same id
            return entry.user_attrs.get(_CLAIM) not in _held
        if _is_dead(entry.user_attrs):
            return True
        heartbeat = entry.user_attrs.get(_HEARTBEAT, entry.user_attrs.get(_OLD_HEARTBEAT, 0))
        sight = self._seen.setdefault(key, _Sight(heartbeat, now))
        if sight.heartbeat != heartbeat:
            sight.heartbeat, sight.since = heartbeat, now
        return now - sight.since > LEASE


def _is_dead(attributes: Mapping[str, str]) -> bool:
    """Return True if the worker of an entry was of this host and is dead, and no leader will settle the entry."""
    owner = attributes.get(_OWNER)
    return owner is not None and is_here(owner) and not is_alive(owner) and not _is_led(attributes)


def _is_led(attributes: Mapping[str, str]) -> bool:
    """Return True if the leader of the worker's pool is there to settle what the worker has left behind."""
    leader = attributes.get(_LEADER)
    if leader is None:
        return False
    return attributes.get(_POOL) in _held if leader == process_name(os.getpid()) else is_alive(leader)
