"""Measuring in as many processes at once as will share a device, until what they train fits into memory."""

from __future__ import annotations

import copy
import signal
from contextlib import ExitStack, closing
from dataclasses import replace
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from bertnado_config import VISIBLE_DEVICES

from bertnado_train.batch_size_limit import OutOfMemoryError, single_row_message
from bertnado_train.other_process import OtherProcess, ProcessDiedError

from .combined import combine
from .measuring import Measured, Request, Trying, measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SILENCE = 900.0
"""Seconds without a step or an evaluation after which processes are given up."""


class _KilledError(Exception):
    """A process was killed while it trained batches of a size, by a machine without memory."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        super().__init__(batch)


def measure_at_once(
    processes: Sequence[OtherProcess], request: Request, places: Sequence[Mapping[str, str]]
) -> Measured:
    """Measure in all processes at the same time, and return the result of all of them.

    Args:
        processes: One for each place; they are closed.
        request: What to measure; its place does not matter.
        places: The environment variables of each worker beside which trials will train.

    Raises:
        OutOfMemoryError: Not even a batch of one row fits into memory.
        TimeoutError: They do not answer.
        Exception: What measuring raises.
    """
    limit = copy.copy(request.limit)
    while True:
        try:
            return combine(_measure(processes, replace(request, limit=limit), places))
        except _KilledError as killed:
            if killed.batch == 1:
                raise OutOfMemoryError(single_row_message("training")) from None
            limit.smallest_failed = killed.batch


def _measure(
    processes: Sequence[OtherProcess], request: Request, places: Sequence[Mapping[str, str]]
) -> list[Measured]:
    with ExitStack() as stack:
        for process in processes:
            stack.enter_context(closing(process))
        for process, place in zip(processes, places, strict=True):
            process.ask(measure, replace(request, place=place))
        busy, found = list(processes), list[Measured]()
        batches: dict[OtherProcess, int] = {}
        while busy:
            heard = wait([process.heard for process in busy], timeout=_SILENCE)
            if not heard:
                raise TimeoutError(f"no answer within {_SILENCE:g} s")
            for process in [process for process in busy if process.heard in heard]:
                told = _hear(process, batches.get(process))
                if isinstance(told, Trying):
                    batches[process] = told.batch
                else:
                    found.append(told)
                    busy.remove(process)
        return found


def _hear(process: OtherProcess, batch: int | None) -> Trying | Measured:
    try:
        return process.hear()[1]
    except ProcessDiedError as died:
        if died.signum == signal.SIGKILL and batch is not None:
            raise _KilledError(batch) from None
        raise


def places_on_one_device(places: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return the places that share the device of the first one: all of them on the CPU."""
    return [place for place in places if place.get(VISIBLE_DEVICES) == places[0].get(VISIBLE_DEVICES)]
