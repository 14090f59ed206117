"""A storage that is asked again where its database does not answer for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from .limits import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.storages import BaseStorage

PATIENCE = 120.0
"""Seconds without an answer from a database after which the sweep ends."""

_OUTAGES = (StorageInternalError, DBAPIError)


def patient(storage: BaseStorage) -> BaseStorage:
    """Wrap a storage so that each call is made again until it succeeds, for as long as `PATIENCE`.

    A call whose answer was lost is made twice.

    Raises:
        StorageError: By each call, where it did not succeed in time.
    """
    return cast("BaseStorage", _Patient(storage))


class _Patient:
    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._storage, name)

        def call(*arguments: Any, **named: Any) -> Any:
            attempts = Retrying(
                retry=retry_if_exception_type(_OUTAGES),
                wait=wait_random_exponential(max=10),
                stop=stop_after_delay(PATIENCE),
            )
            try:
                return attempts(method, *arguments, **named)
            except RetryError as error:
                reason = error.last_attempt.exception()
                lines = str(reason and (reason.__cause__ or reason)).splitlines()
                raise StorageError(
                    f"the database has not answered for {PATIENCE:g} s ({lines[0] if lines else 'no reason given'}); "
                    "what was trained is in the output directory, --resume goes on with it"
                ) from reason

        return call
