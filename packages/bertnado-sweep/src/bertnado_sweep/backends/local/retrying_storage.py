"""A storage that repeats its calls while its database does not answer."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, cast

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError
from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception_type, wait_random_exponential

from bertnado_sweep.records.locks import SAY_AFTER
from bertnado_sweep.running.limits import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.storages import BaseStorage

_log = logging.getLogger(__name__)

PATIENCE = 600.0
"""Seconds without an answer from the database after which the sweep ends."""

HURRIED_PATIENCE = 5.0
"""The same once the sweep has been interrupted."""

_PAUSE = 0.5
_OUTAGES = (StorageInternalError, DBAPIError)


def patient(storage: BaseStorage) -> BaseStorage:
    """Wrap a storage so that each call is repeated until it succeeds, for up to `PATIENCE` seconds.

    If only the answer of a call is lost, the call is made twice.

    Raises:
        StorageError: By each call that did not succeed in time.
    """
    return cast("BaseStorage", PatientStorage(storage))


class PatientStorage:
    """See `patient`."""

    hurries: Callable[[], bool] = staticmethod(lambda: False)
    """Returns True once the sweep has been interrupted."""

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the storage's method of that name, with repetition."""
        method: Callable[..., Any] = getattr(self._storage, name)

        def call(*arguments: Any, **named: Any) -> Any:
            is_said = False

            def say(state: RetryCallState) -> None:
                nonlocal is_said
                if not is_said and _waited(state) >= SAY_AFTER:
                    _log.warning("the database does not answer (%s); trying again", _reason(state))
                    is_said = True

            attempts = Retrying(
                retry=retry_if_exception_type(_OUTAGES),
                wait=wait_random_exponential(max=10),
                stop=lambda state: _waited(state) >= self._patience,
                before_sleep=say,
                sleep=self._sleep,
            )
            try:
                return attempts(method, *arguments, **named)
            except RetryError as error:
                raise StorageError(
                    f"the database has not answered for {self._patience:g} s ({_reason(error)}); "
                    "finished trials are in the output directory; continue with --resume"
                ) from error.last_attempt.exception()

        return call

    @property
    def _patience(self) -> float:
        return HURRIED_PATIENCE if self.hurries() else PATIENCE

    def _sleep(self, seconds: float) -> None:
        """Sleep until the time is over or the sweep is interrupted."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.hurries():
            time.sleep(min(left, _PAUSE))


def _waited(state: RetryCallState) -> float:
    return state.seconds_since_start or 0.0


def _reason(state: RetryCallState | RetryError) -> str:
    """Return the first line of the reason why the last attempt failed."""
    last = state.last_attempt if isinstance(state, RetryError) else state.outcome
    error = None if last is None else last.exception()
    lines = str(error and (error.__cause__ or error)).splitlines()
    return lines[0] if lines else "no reason given"
