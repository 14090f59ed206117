"""Finding the record of a sweep that was started before, on this machine or another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bertnado_config import ArgumentProblem, InvalidInputError, Problem

from .records.files import JOURNAL_FILE, SWEEP_FILE, DamagedRecordError, holds_record, named_directory, read_sweep
from .records.recorded_sweep import RecordedSweep
from .records.secrets import is_masked, masked_url
from .records.sweep_record import complete_sweep_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

STUDY_WITHOUT_STORAGE = ArgumentProblem("study", "{study} requires {storage}")


def read_recorded(output_dir: Path) -> RecordedSweep | None:
    """Return the sweep that is recorded in a directory, even as a copy of what a database holds; None if none is."""
    path = output_dir / SWEEP_FILE
    if not path.is_file():
        return None
    try:
        return RecordedSweep(output_dir, read_sweep(path))
    except DamagedRecordError:
        record = _record_in_journal(output_dir)
        if record is None:
            raise
        return RecordedSweep(output_dir, record, is_damaged=True)


def _record_in_journal(output_dir: Path) -> Mapping[str, Any] | None:
    """Return the journal's copy of a damaged `sweep.json`; None if the journal does not hold exactly one."""
    from .backends.local.journal_reading import read_journal

    found = read_journal(output_dir / JOURNAL_FILE, "").sweeps
    if len(found) != 1:
        return None
    try:
        return complete_sweep_record(*found.values())
    except ValueError:
        return None


def find_recorded(
    output_dir: str | Path, *, storage: str | None = None, study: str | None = None
) -> RecordedSweep | None:
    """Return the sweep in the database that is named, or that the output directory names; otherwise the one there.

    Args:
        output_dir: The sweep's on this machine; it need not exist if `study` is named.
        storage: The database.
        study: The name of the sweep there.

    Returns:
        The sweep; None if there is none.

    Raises:
        InvalidInputError: The database, or what it has under that name, cannot be used.
    """
    output = named_directory(output_dir)
    here = read_recorded(output)
    written = here.record.get("storage") if here else None
    if written is None and (storage is None or (here is not None and study is None)):
        return here  # a database that is named for other sweeps, by the environment for example, is not this one's
    url, name = storage or str(written), study or (here and (here.record.get("study") or here.sweep_id))
    if storage is None and is_masked(url):
        message = f"the sweep in {output} is recorded at {url}; pass {{storage}} with its password"
        raise InvalidInputError([ArgumentProblem("storage", message)])
    return _find_in_database(output, url, name) if name else None


def _find_in_database(output: Path, url: str, name: str) -> RecordedSweep | None:
    from .backends.local.storage import open_storage, read_shared

    record = read_shared(open_storage(output, url), name, url)
    if record is None:
        return None
    try:
        return RecordedSweep(output, complete_sweep_record(record), url)
    except ValueError as error:
        message = f"{masked_url(url)} holds something else than a sweep under the name {name!r}: {error}"
        raise InvalidInputError([ArgumentProblem("study", message)]) from None


def require_recorded(output_dir: str | Path, *, storage: str | None = None, study: str | None = None) -> RecordedSweep:
    """Return the sweep that `find_recorded` finds.

    Raises:
        InvalidInputError: There is none, or it cannot be read.
    """
    recorded = find_recorded(output_dir, storage=storage, study=study)
    if recorded is None:
        raise InvalidInputError([_nothing_to_join(Path(output_dir), storage, study)])
    return recorded


def nothing_to_resume(output: Path) -> Problem:
    """Return why no sweep can be resumed in a directory in which none is recorded."""
    if holds_record(output):
        cure = "restore the sweep.json of that sweep, or choose another {output_dir}"
        return ArgumentProblem("resume", f"{output} contains a journal without its sweep.json; {cure}")
    return ArgumentProblem("resume", f"{output} does not contain a sweep; remove {{resume}} to start one there")


def _nothing_to_join(output: Path, storage: str | None, study: str | None) -> Problem:
    if study is not None and storage is None:
        return STUDY_WITHOUT_STORAGE
    if storage is None:
        return ArgumentProblem(
            "join", f"{output} does not contain a sweep; start one there, or wait until it has started"
        )
    if study is None:
        return ArgumentProblem("study", f"{{study}} must name one of the sweeps at {masked_url(storage)}")
    from .backends.local.storage import open_storage, unknown_study

    return unknown_study(open_storage(output, storage), study, storage)
