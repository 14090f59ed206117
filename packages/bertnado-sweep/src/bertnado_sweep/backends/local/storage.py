"""Where the record of a local sweep is kept: a journal in the output directory, or a database that machines share.

Importing this module loads neither Optuna nor SQLAlchemy; opening a storage does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from bertnado_config import ArgumentProblem, InvalidInputError, Problem
from bertnado_metrics import nearest

from bertnado_sweep.records.secrets import masked_url, url_problem, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bertnado_metrics import Goal
    from optuna.storages import BaseStorage
    from optuna.trial import TrialState

    from bertnado_sweep.records.trial import Trial

SWEEP_RECORD = "sweep"
"""The user attribute of a study that holds what `sweep.json` holds."""

TRIAL_RECORD = "trial"
"""The user attribute of an entry of a study that holds what `trial.json` holds."""

_CONNECT_SECONDS = "10"

_DRIVERS = {"postgresql": "postgresql+psycopg"}
"""Whose database is reached by what, where the URL does not say it."""


def open_storage(output_dir: Path, url: str | None) -> BaseStorage:
    """Open a sweep's storage; its tables, or its file, are made where there are none.

    Args:
        output_dir: The sweep's, whose journal it is where there is no `url`.
        url: A database, as SQLAlchemy names it, or a Redis server, `redis://...`.

    Raises:
        OSError: The journal cannot be made.
        InvalidInputError: The database cannot be reached, or not by such an URL.
    """
    from optuna.exceptions import StorageInternalError
    from optuna.storages import JournalStorage, RDBStorage, get_storage
    from optuna.storages.journal import JournalRedisBackend
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    from bertnado_sweep.search.quiet import quiet_optuna

    from .journal import open_journal
    from .retrying_storage import patient

    if url is None:
        return open_journal(output_dir)
    problem = url_problem(url)
    if problem is not None:
        raise InvalidInputError([ArgumentProblem("storage", problem)])
    try:
        with quiet_optuna():
            if url.startswith("redis"):
                return JournalStorage(JournalRedisBackend(url))
            return patient(get_storage(RDBStorage(_with_driver(url), engine_kwargs={"pool_pre_ping": True})))
    except (ArgumentError, NoSuchModuleError):
        message = f"{masked_url(url)} is no URL of a database; write postgresql://USER@HOST:PORT/DATABASE"
    except ImportError as error:
        message = f"{masked_url(url)} needs a driver that is not installed ({_reason(error, url)}); {_cure(url)}"
    except (SQLAlchemyError, StorageInternalError, RuntimeError, OSError) as error:
        message = f"{masked_url(url)} cannot be used: {_reason(error, url)}"
    raise InvalidInputError([Problem("storage", message)])


def hurry(storage: BaseStorage, when: Callable[[], bool]) -> None:
    """Have an opened database waited for only shortly from the moment on at which `when` answers so."""
    if hasattr(type(storage), "hurries"):
        cast("Any", storage).hurries = when


def read_shared(storage: BaseStorage, study: str, url: str) -> Mapping[str, Any] | None:
    """What is recorded of the sweep with that study; `None` where there is no such study.

    Raises:
        InvalidInputError: The study is no sweep of BertNado.
    """
    try:
        record = storage.get_study_user_attrs(storage.get_study_id_from_name(study)).get(SWEEP_RECORD)
    except KeyError:
        return None
    if record is None:
        message = f"{study!r} at {masked_url(url)} is a study of something else; choose another name"
        raise InvalidInputError([Problem("study", message)])
    return record


def shared_records(storage: BaseStorage, study: str) -> list[Mapping[str, Any]]:
    """What is recorded of the trials of a study: every attempt, in the order of the start."""
    entries = storage.get_all_trials(storage.get_study_id_from_name(study), deepcopy=False)
    return [entry.user_attrs[TRIAL_RECORD] for entry in entries if TRIAL_RECORD in entry.user_attrs]


def new_study(storage: BaseStorage, name: str, goal: Goal) -> int:
    """Make the study of a sweep; its id in the storage comes back.

    Raises:
        DuplicatedStudyError: There is one of that name.
    """
    from optuna.study import StudyDirection

    from bertnado_sweep.search.quiet import quiet_optuna

    with quiet_optuna():
        return storage.create_new_study([StudyDirection[goal.upper()]], name)


def state_of(ended: Trial) -> TrialState:
    """Return what an attempt that has ended is to Optuna: one without a value has failed."""
    from optuna.trial import TrialState

    return TrialState.FAIL if ended.value is None else TrialState.COMPLETE


def share(storage: BaseStorage, study: int, record: Mapping[str, Any]) -> None:
    """Let other machines read what is recorded of a sweep."""
    storage.set_study_user_attr(study, SWEEP_RECORD, dict(record))


def unknown_study(storage: BaseStorage, study: str, url: str) -> Problem:
    """Say which studies there are where the one that was named is not."""
    names = sorted(found.study_name for found in storage.get_all_studies())
    hint = nearest(study, names)
    choices = f"did you mean {hint!r}?" if hint else f"there are: {', '.join(names) or 'none'}."
    begin = "To begin it, name a sweep file, --config-path"
    return Problem("study", f"there is no study {study!r} at {masked_url(url)}; {choices} {begin}")


def _with_driver(url: str) -> str:
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    driver = _DRIVERS.get(parsed.drivername)
    if driver is not None:
        parsed = parsed.set(drivername=driver, query={"connect_timeout": _CONNECT_SECONDS, **parsed.query})
    return parsed.render_as_string(hide_password=False)


def _cure(url: str) -> str:
    return "pip install 'bertnado-sweep[postgresql]'" if url.startswith("postgresql") else "pip install it"


def _reason(error: BaseException, url: str) -> str:
    lines = str(error.__cause__ or error).splitlines()
    return without_secrets(lines[0], url) if lines else type(error).__name__
