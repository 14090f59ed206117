"""The storage of a local sweep's studies: a journal in the output directory, or a database that machines share.

Importing this module loads neither Optuna nor SQLAlchemy; opening a storage does.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import ArgumentProblem, InvalidInputError
from bertnado_metrics import nearest

from bertnado_sweep.records.record_format import FORMAT, require_known_format
from bertnado_sweep.records.secrets import masked_url, url_problem, without_secrets
from bertnado_sweep.records.trial import read_record
from bertnado_sweep.running.limits import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bertnado_metrics import Goal
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import TrialState

    from bertnado_sweep.records.trial import Trial

SWEEP_RECORD = "sweep"
"""The user attribute of a study that holds the content of `sweep.json`."""

TRIAL_RECORD = "trial"
"""The user attribute of an entry that holds the content of `trial.json`."""

STOPPED_EARLY = "stopped_early"
"""The user attribute of an entry whose trial was stopped by early termination.

Its state is COMPLETE all the same: its value means what any other's means, and as PRUNED it could not be Optuna's best.
"""

SUCCESSOR = "successor"
"""The user attribute of a study's last entry that names the study in which the sweep goes on."""

_CONNECT_SECONDS = "10"

_DRIVERS = {"postgresql": "postgresql+psycopg"}
"""Whose database is reached by what, where the URL does not say it."""


def open_storage(output_dir: Path, url: str | None) -> BaseStorage:
    """Open the storage of a sweep; create its tables, or its file, if they are missing.

    Args:
        output_dir: The sweep's, which holds the journal if there is no `url`.
        url: The URL of a database for SQLAlchemy, or of a Redis server, `redis://...`.

    Raises:
        OSError: The journal cannot be created.
        InvalidInputError: The database cannot be used.
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
        message = f"{{storage}} must be the URL of a database, got {masked_url(url)}; write postgresql://USER@HOST:PORT/DATABASE"
    except ImportError as error:
        message = f"{masked_url(url)} needs a driver that is not installed ({_reason(error, url)}); {_cure(url)}"
    except (SQLAlchemyError, StorageInternalError, RuntimeError, OSError) as error:
        message = f"{masked_url(url)} cannot be used: {_reason(error, url)}"
    raise InvalidInputError([ArgumentProblem("storage", message)])


def hurry(storage: BaseStorage, when: Callable[[], bool]) -> None:
    """Shorten the patience with a database that does not answer, as soon as `when` returns True."""
    if hasattr(type(storage), "hurries"):
        cast("Any", storage).hurries = when


def create_study(storage: BaseStorage, name: str, goal: Goal) -> Study:
    """Create a study.

    Raises:
        DuplicatedStudyError: There already is one of that name.
    """
    import optuna

    from bertnado_sweep.search.quiet import quiet_optuna

    with quiet_optuna():
        return optuna.create_study(storage=storage, study_name=name, direction=goal)


def load_study(storage: BaseStorage, name: str) -> Study:
    """Load a study.

    Raises:
        StorageError: There is no study of that name.
    """
    study = find_study(storage, name)
    if study is None:
        raise StorageError(f"the study {name!r} of this sweep is missing; recreate it from the trials with --resume")
    return study


def find_study(storage: BaseStorage, name: str) -> Study | None:
    """Load a study; return None if there is none of that name."""
    import optuna

    try:
        return optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        return None


def together(storage: BaseStorage) -> AbstractContextManager[None]:
    """Write everything in the block at once if the storage can do that, see `SweepJournal.together`."""
    return getattr(storage, "together", nullcontext)()


def state_of(ended: Trial) -> TrialState:
    """Return Optuna's state of an attempt that has ended: one without a value has failed."""
    from optuna.trial import TrialState

    return TrialState.COMPLETE if ended.is_eligible else TrialState.FAIL


def share(study: Study, record: Mapping[str, Any]) -> None:
    """Record a sweep in one of its studies, for other machines to read."""
    study.set_user_attr(SWEEP_RECORD, {"format": FORMAT, **record})


def read_shared(storage: BaseStorage, study: str, url: str) -> Mapping[str, Any] | None:
    """Return the record of the sweep that a study belongs to; None if there is no such study.

    Raises:
        InvalidInputError: The study does not belong to a sweep.
    """
    found = find_study(storage, study)
    if found is None:
        return None
    record = found.user_attrs.get(SWEEP_RECORD)
    if record is None:
        message = f"{study!r} at {masked_url(url)} is not the study of a BertNado sweep; choose another name"
        raise InvalidInputError([ArgumentProblem("study", message)])
    return record


def shared_records(storage: BaseStorage, study: str) -> list[Mapping[str, Any]]:
    """Read the records of a sweep's trials: every attempt, in the order of the start.

    Args:
        storage: Where the sweep's studies are.
        study: The first of them.

    Raises:
        InvalidInputError: One is not the record of a trial, or was written by a newer version.
    """
    records: dict[str, Mapping[str, Any]] = {}
    names = [study]
    for name in names:  # grows in the loop where a study has a successor
        for entry in load_study(storage, name).get_trials(deepcopy=False):
            if TRIAL_RECORD in entry.user_attrs:
                record = _read(entry.user_attrs[TRIAL_RECORD], f"entry {entry.number} of study {name!r}")
                records[record["id"]] = record
            following = entry.user_attrs.get(SUCCESSOR)
            if following is not None and following not in names:
                names.append(following)
    return list(records.values())


def _read(record: object, place: str) -> dict[str, Any]:
    require_known_format(record, place)
    try:
        return read_record(record)
    except ValueError as error:
        raise InvalidInputError(
            [ArgumentProblem("study", f"{place} must hold the record of a trial: {error}")]
        ) from None


def unknown_study(storage: BaseStorage, study: str, url: str) -> ArgumentProblem:
    """Return the problem that there is no such study, with the names of those that there are."""
    import optuna

    names = sorted(optuna.get_all_study_names(storage))
    hint = nearest(study, names)
    choices = f"did you mean {hint!r}?" if hint else f"choose from {', '.join(names)}," if names else "it is empty;"
    start = "or pass {config_path} to start a sweep of that name"
    return ArgumentProblem("study", f"{{study}} {study!r} was not found at {masked_url(url)}; {choices} {start}")


def _with_driver(url: str) -> str:
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    driver = _DRIVERS.get(parsed.drivername)
    if driver is not None:
        parsed = parsed.set(drivername=driver, query={"connect_timeout": _CONNECT_SECONDS, **parsed.query})
    return parsed.render_as_string(hide_password=False)


def _cure(url: str) -> str:
    return "run pip install 'psycopg[binary]'" if url.startswith("postgresql") else "install it"


def _reason(error: BaseException, url: str) -> str:
    lines = str(error.__cause__ or error).splitlines()
    return without_secrets(lines[0], url) if lines else type(error).__name__
