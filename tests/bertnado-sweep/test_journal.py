"""A journal that survives the death of whoever writes it."""

import fcntl
import json
import os
import signal
import subprocess
import sys

import pytest
from bertnado_sweep.backends.local.journal import open_journal
from optuna.study import StudyDirection


def numbers(storage):
    return [entry.number for entry in storage.get_all_trials(storage.get_study_id_from_name("study"))]


@pytest.fixture
def journal(tmp_path):
    """A journal with one study and one trial."""
    storage = open_journal(tmp_path)
    storage.create_new_trial(storage.create_new_study([StudyDirection.MAXIMIZE], "study"))
    return tmp_path / "journal.log"


@pytest.mark.parametrize("torn", [b'{"op_code":4,"wor', b"x" * 200_000, b"\x00"])
def test_a_line_that_was_not_written_to_its_end_is_cut_off_before_the_next(journal, torn):
    whole = journal.read_bytes()
    journal.write_bytes(whole + torn)
    storage = open_journal(journal.parent)
    assert numbers(storage) == [0]
    storage.create_new_trial(storage.get_study_id_from_name("study"))
    assert numbers(storage) == [0, 1]
    assert numbers(open_journal(journal.parent)) == [0, 1]
    assert journal.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in journal.read_bytes().splitlines())


def test_a_journal_that_holds_nothing_but_a_torn_line_becomes_empty(tmp_path):
    (tmp_path / "journal.log").write_bytes(b"{")
    storage = open_journal(tmp_path)
    storage.create_new_study([StudyDirection.MAXIMIZE], "study")
    assert numbers(open_journal(tmp_path)) == []


HOLDER = """
import sys, time
from pathlib import Path
from bertnado_sweep.backends.local.journal import open_journal
open_journal(Path(sys.argv[1]))._backend._lock.acquire()
print("held", flush=True)
time.sleep(600)
"""


def test_the_lock_of_a_process_that_dies_is_free_at_once(journal, monkeypatch):
    monkeypatch.chdir(journal.parent.parent)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, journal.parent.name], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with journal.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    storage = open_journal(journal.parent)
    storage.create_new_trial(storage.get_study_id_from_name("study"))
    assert numbers(storage) == [0, 1]
    assert sorted(path.name for path in journal.parent.iterdir()) == ["journal.log"]
