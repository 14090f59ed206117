"""Who works on which entry of a study, and whether they still do, as far as others can see.

Of a process of the same host the system knows whether it lives. Whoever works on an entry also has a lease on it: it
writes a sign of life there every few seconds, and whoever has not seen a new one for the length of the lease takes it
for gone, be it dead, cut off or suspended. That is judged by the observer's own monotonic clock, so it does not matter
what other clocks show.
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
"""Seconds without a new sign of life after which a worker counts as gone."""

_HEARTBEATS = 6
"""How many signs of life a lease is long."""

_OWNER, _CLAIM, _LEADER, _POOL, _HEARTBEAT = "owner", "claim", "leader", "pool", "heartbeat"
"""User attributes of an entry: the process that works on it and the claim by which it was made; the process that
settles it when that is over, and for which worker pool; how often the lease was renewed."""

_OLD_HEARTBEAT = "sign"
"""What version 0.1.0 called it."""

_held: set[str] = set()
"""The claims that threads of this process work on, and the worker pools that they lead."""


@dataclass(frozen=True)
class Pool:
    """A worker pool, as its workers know it."""

    name: str
    leader: str
    """The process that has started the workers, and settles what they leave."""


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
    """A worker's claim to the next entry that it makes, from before that is made until it is given up."""

    def __init__(self, pool: Pool | None) -> None:
        self._name = uuid4().hex
        self._pool = pool
        _held.add(self._name)

    def give_up(self) -> None:
        """Let others settle what the claim has made and not ended."""
        _held.discard(self._name)

    @property
    def attributes(self) -> dict[str, str]:
        """The user attributes of an entry that say whose it is."""
        led = {} if self._pool is None else {_LEADER: self._pool.leader, _POOL: self._pool.name}
        return {_OWNER: process_name(os.getpid()), _CLAIM: self._name, **led}

    def has_made(self, entry: FrozenTrial) -> bool:
        """Return whether the entry was made by this claim; more than one is where an answer was lost."""
        return entry.user_attrs.get(_CLAIM) == self._name


def is_owned_by(entry: FrozenTrial, pid: int) -> bool:
    """Return whether a process of this host, living or not, works on an entry."""
    owner = entry.user_attrs.get(_OWNER)
    return owner is not None and is_of(owner, pid)


def owner_of(entry: FrozenTrial) -> str:
    """Say who works on an entry, as a person looks for it."""
    owner = entry.user_attrs.get(_OWNER)
    return "an unknown process" if owner is None else describe(owner)


def is_in(pool: Pool | None, entry: FrozenTrial) -> bool:
    """Return whether a worker of a pool works on an entry."""
    return pool is not None and entry.user_attrs.get(_POOL) == pool.name


class Lease:
    """The lease on an entry, renewed in the background from the entry's making on until it is ended."""

    def __init__(self, storage: BaseStorage, entry: int, claim: Claim) -> None:
        self.entry = entry
        """The storage's id of the entry that is renewed."""
        self.claim = claim
        self.is_lost = False
        """Whether another process has ended the entry, having taken this one for dead."""
        self.is_kept = False
        """Whether a trial runs under it."""
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
            with suppress(Exception):  # a storage that does not answer may do so the next time
                try:
                    self._storage.set_trial_user_attr(self.entry, _HEARTBEAT, heartbeat)
                except UpdateFinishedTrialError:
                    self.is_lost = not self._over.is_set()


@dataclass
class _Sight:
    """What was seen of an entry's lease."""

    heartbeat: int
    since: float
    """Since when it has been the same, by this process's monotonic clock."""


class Leases:
    """The leases of others, as this process sees them."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], _Sight] = {}
        self._looked = 0.0

    def abandoned(self, entries: Mapping[tuple[str, int], FrozenTrial]) -> set[tuple[str, int]]:
        """List the entries that nobody works on any more, of those that are not finished.

        Nothing is known of the time in which nobody looked: neither side may have reached the storage then.
        """
        now = time.monotonic()
        if now - self._looked > LEASE / 2:
            self._seen.clear()
        self._looked = now
        return {key for key, entry in entries.items() if self._is_abandoned(key, entry, now)}

    def _is_abandoned(self, key: tuple[str, int], entry: FrozenTrial, now: float) -> bool:
        if is_owned_by(entry, os.getpid()):  # by an earlier call in this process, or one that had this number
            return entry.user_attrs.get(_CLAIM) not in _held
        if _is_dead(entry.user_attrs):
            return True
        heartbeat = entry.user_attrs.get(_HEARTBEAT, entry.user_attrs.get(_OLD_HEARTBEAT, 0))
        sight = self._seen.setdefault(key, _Sight(heartbeat, now))
        if sight.heartbeat != heartbeat:
            sight.heartbeat, sight.since = heartbeat, now
        return now - sight.since > LEASE


def _is_dead(attributes: Mapping[str, str]) -> bool:
    """Return whether it is plain that nobody settles an entry: worker and leader are of this host, and dead."""
    owner = attributes.get(_OWNER)
    return owner is not None and is_here(owner) and not is_alive(owner) and not _is_led(attributes)


def _is_led(attributes: Mapping[str, str]) -> bool:
    """Return whether somebody is there to settle what a worker has left."""
    leader = attributes.get(_LEADER)
    if leader is None:
        return False
    return attributes.get(_POOL) in _held if leader == process_name(os.getpid()) else is_alive(leader)
