"""Going on with a sweep that was begun before, here or elsewhere: what is recorded of it, what is otherwise now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import InvalidInputError, Problem
from bertnado_metrics import Objective

from .backends.local.storage import open_storage, read_shared, shared_records, unknown_study
from .records.files import (
    JOURNAL_FILE,
    SWEEP_FILE,
    DamagedRecordError,
    named_directory,
    read_sweep,
    set_aside,
    write_sweep,
)
from .records.secrets import is_masked, masked_url
from .records.sweep_record import complete_sweep_record
from .records.trial import Trial
from .records.trial_files import by_number, merge, read_trial_files, read_trials

if TYPE_CHECKING:
    from bertnado_config import SweepConfig

_ABSENT = "absent"

STUDY_WITHOUT_STORAGE = Problem("study", "names a sweep in a database; say in which, --storage")


@dataclass(frozen=True)
class RecordedSweep:
    """A sweep as its `sweep.json`, or its study in a database, describes it."""

    output_dir: Path
    record: Mapping[str, Any]
    storage: str | None = None
    """The database that it is recorded in, a password included; `None` for one that is recorded in `output_dir`."""
    is_damaged: bool = False
    """Whether its `sweep.json` is damaged, and this is what the journal has of it."""

    def restore(self) -> list[str]:
        """Set a `sweep.json` aside that is still damaged, and write it anew; what was done comes back.

        Raises:
            OSError: It cannot be written.
        """
        path = self.output_dir / SWEEP_FILE
        try:
            read_sweep(path)
        except DamagedRecordError:
            aside = set_aside(path)
            write_sweep(self.output_dir, self.record)
            return [f"{path} was damaged and has been made anew from {JOURNAL_FILE}; the damaged one is {aside.name}"]
        return []

    @property
    def sweep_id(self) -> str:
        """The sweep's."""
        return self.record["sweep_id"]

    @property
    def study(self) -> str | None:
        """Its name in the database, where it has one."""
        return (self.record.get("study") or self.sweep_id) if self.storage else None

    @property
    def backend(self) -> str:
        """Where its trials come from."""
        return self.record["backend"]

    @property
    def path(self) -> str | None:
        """Its address at W&B, `ENTITY/PROJECT/ID`; `None` for a local one."""
        return self.record.get("path")

    @property
    def objective(self) -> Objective:
        """What its trials are compared by."""
        return Objective(**self.record["objective"])

    def objective_of(self, config: SweepConfig) -> Objective:
        """Return what its trials are compared by, unless a sweep file now says otherwise than the recorded one.

        Raises:
            ValueError: The sweep file does not say what.
        """
        return self.objective if self.has_metric_of(config) else config.resolve_objective()

    def has_metric_of(self, config: SweepConfig) -> bool:
        """Return whether a sweep file says the same of the metric as the one that the sweep was begun with."""
        return config.to_wandb().get("metric") == self.record["config"].get("metric")

    @property
    def budget(self) -> int:
        """How many trials it was begun with."""
        return self.record["budget"]

    def read_trials(self) -> tuple[list[Trial], list[str]]:
        """Read all its trials, each in its latest attempt, by number, and say what of their record is damaged.

        Of a local sweep journal and `trial.json` are read, so that what one of them has lost the other still tells.

        Raises:
            InvalidInputError: The database cannot be used.
        """
        if self.storage is not None:
            found = shared_records(open_storage(self.output_dir, self.storage), str(self.study))
            return by_number(Trial.from_record(record, self.output_dir) for record in found), []
        if self.backend == "wandb":
            files = read_trial_files(self.output_dir, self.sweep_id, strict=False)
            return by_number(files.trials), list(files.warnings)
        return self._read_both_records()

    def _read_both_records(self) -> tuple[list[Trial], list[str]]:
        from .backends.local.journal_reading import read_journal

        files = read_trial_files(self.output_dir, self.sweep_id)
        path = self.output_dir / JOURNAL_FILE
        journal = read_journal(path, self.sweep_id)
        recorded = [Trial.from_record(record, self.output_dir) for record in journal.records.values()]
        merged = merge(recorded, files.trials, prefers_files=bool(journal.damages))
        damages = [f"{path} is damaged: {journal.summary}; --resume repairs it"] if journal.damages else []
        if self.is_damaged:
            damages.append(f"{self.output_dir / SWEEP_FILE} is damaged; --resume makes it anew from {JOURNAL_FILE}")
        return by_number(merged), [*files.warnings, *damages]

    def left_of(self, budget: int) -> int:
        """How many trials are still to come to `budget`, by what is recorded here."""
        return max(budget - sum(trial.is_counted for trial in read_trials(self.output_dir, self.sweep_id)), 0)

    def problems_with(
        self,
        config: SweepConfig,
        objective: Objective,
        seed: int,
        application: Mapping[str, Any],
        *,
        is_change_allowed: bool,
    ) -> list[Problem]:
        """Why the sweep cannot go on with these settings; empty where it can."""
        before = self.objective
        if before != objective:
            message = (
                f"the sweep in {self.output_dir} goes by {before.name} ({before.goal}), now it would be "
                f"{objective.name} ({objective.goal}); its values cannot be compared, so begin another --output-dir"
            )
            return [Problem("resume", message)]
        old = {"file": self.record["config"], "seed": self.record["seed"], **self.record["application"]}
        new = json.loads(json.dumps({"file": config.to_wandb(), "seed": seed, **application}, default=str))
        changes = list(_differences(old, new))
        if not changes or is_change_allowed:
            return []
        message = (
            f"the sweep in {self.output_dir} was begun with other settings: {'; '.join(changes)}; "
            f"go back to them, or add --allow-config-change to go on with the new ones"
        )
        return [Problem("resume", message)]


def read_recorded(output_dir: Path) -> RecordedSweep | None:
    """The sweep that is recorded in a directory, be it only a copy of what a database has; `None` where none is."""
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
    """Return what the journal has of the sweep whose `sweep.json` is damaged; `None` where it has not one alone."""
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
    """The sweep that is recorded in a database, if one is named, or the output directory names one; otherwise there.

    Args:
        output_dir: The sweep's on this machine; it need not exist where `study` is named.
        storage: The database.
        study: The sweep's name there.

    Returns:
        The sweep, `None` where there is none.

    Raises:
        InvalidInputError: The database, or what it has by that name, cannot be used.
    """
    output = named_directory(output_dir)
    here = read_recorded(output)
    written = here.record.get("storage") if here else None
    if written is None and (storage is None or (here is not None and study is None)):
        return here  # a database that is named for other sweeps, by the environment for example, is not this one's
    url, name = storage or str(written), study or (here and (here.record.get("study") or here.sweep_id))
    if storage is None and is_masked(url):
        message = f"the sweep in {output} is recorded at {url}; name it with its password, --storage"
        raise InvalidInputError([Problem("storage", message)])
    if not name:
        return None
    record = read_shared(open_storage(output, url), name, url)
    if record is None:
        return None
    try:
        return RecordedSweep(output, complete_sweep_record(record), url)
    except ValueError as error:
        message = f"what {masked_url(url)} holds by the name {name!r} is no record of a sweep: {error}"
        raise InvalidInputError([Problem("study", message)]) from None


def require_recorded(output_dir: str | Path, *, storage: str | None = None, study: str | None = None) -> RecordedSweep:
    """The sweep that `find_recorded` finds.

    Raises:
        InvalidInputError: There is none, or it cannot be read.
    """
    recorded = find_recorded(output_dir, storage=storage, study=study)
    if recorded is None:
        raise InvalidInputError([_nothing_to_join(Path(output_dir), storage, study)])
    return recorded


def _nothing_to_join(output: Path, storage: str | None, study: str | None) -> Problem:
    if study is not None and storage is None:
        return STUDY_WITHOUT_STORAGE
    if storage is None:
        return Problem("join", f"no sweep is recorded in {output}; begin it there, or wait until that has been done")
    if study is None:
        return Problem("study", f"which of the sweeps at {masked_url(storage)} is meant? name it, --study")
    return unknown_study(open_storage(output, storage), study, storage)


def _differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Walk through what differs: `learning_rate.max was 0.1 and is 0.2`."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        old, new = cast("Mapping[str, Any]", before), cast("Mapping[str, Any]", after)
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{path}.{key}" if path else key)
    elif before != after:
        yield f"{path.removeprefix('file.')} was {json.dumps(before)} and is {json.dumps(after)}"
