"""A password is written nowhere: not in records, not in W&B's files, not in a message, whatever the end of a run is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bertnado_config import SweepConfigError, read_json
from bertnado_sweep import recorded_status, run_sweep
from bertnado_sweep.records.secrets import is_masked, masked_url, masked_words, without_secrets
from support.trainers import CurveTrainer

SECRET = "tulip-9c1e"
GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 2, 3]}},
}

PROGRAM = """
import argparse, os, signal
from bertnado_sweep import run_sweep
from bertnado_sweep.running.events import TrialEvaluated
from support.trainers import CurveTrainer, FailingTrainer

parser = argparse.ArgumentParser()
parser.add_argument("--storage")
parser.add_argument("--end")
parser.add_argument("--workers", type=int, default=1)
parser.add_argument("--resume", action="store_true")
given = parser.parse_args()

def observe(event):
    print(event)
    if isinstance(event, TrialEvaluated) and event.value == 2:
        if given.end == "interrupted":
            os.kill(os.getpid(), signal.SIGINT)
        if given.end == "killed":
            os.killpg(0, signal.SIGKILL)

if __name__ == "__main__":
    trainer = FailingTrainer() if given.end == "failed" else CurveTrainer(pause=0.3)
    run_sweep(trainer, {config!r}, output_dir="sweep", storage=given.storage, workers=given.workers,
              resume=given.resume, observer=observe)
"""


def with_password(url):
    return url.replace("sweeper@", f"sweeper:{SECRET}@")


def with_query(url):
    return f"{url}?password={SECRET}&connect_timeout=5"


@pytest.fixture
def run(tmp_path):
    """Run a person's script, tracked offline; what it said, and its exit code."""
    (tmp_path / "program.py").write_text(PROGRAM.format(config=GRID))
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "WANDB_MODE": "offline"}

    def start(*words):
        done = subprocess.run(
            [sys.executable, "program.py", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            start_new_session=True,
            timeout=120,
        )
        return done.stdout + done.stderr, done.returncode

    return start


def places_of(secret, directory):
    """Every file below a directory that holds a text, as it is or as UTF-16."""
    forms = (secret.encode(), secret.encode("utf-16-le"))
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if any(form in path.read_bytes() for form in forms)]


@pytest.mark.parametrize(
    ("end", "code", "hide"),
    [
        ("done", 0, with_password),
        ("done", 0, with_query),
        ("interrupted", 1, with_password),
        ("failed", 1, with_query),
        ("killed", -signal.SIGKILL, with_password),
    ],
)
def test_nothing_holds_the_password_after_any_end(run, database, tmp_path, hide, end, code):
    said, returned = run("--storage", hide(database), "--end", end)
    assert (returned == code) or (end == "interrupted" and returned != 0), said
    assert SECRET not in said
    assert places_of(SECRET, tmp_path) == []
    assert list(tmp_path.glob("sweep/wandb/offline-run-*/run-*.wandb"))


@pytest.mark.slow
@pytest.mark.parametrize("hide", [with_password, with_query])
@pytest.mark.parametrize("end", ["done", "interrupted", "failed", "killed"])
def test_nothing_holds_the_password_with_several_workers_and_going_on(run, database, tmp_path, hide, end):
    for words in (["--end", end], ["--end", "done", "--resume"]):
        said, _ = run(f"--storage={hide(database)}", "--workers", "2", *words)
        assert SECRET not in said
        assert places_of(SECRET, tmp_path) == []


def test_the_record_says_that_a_password_is_left_out_and_asks_for_it_again(database, tmp_path):
    for name, hide in (("a", with_password), ("b", with_query)):
        output, url = tmp_path / name, hide(database)
        run_sweep(CurveTrainer(), GRID, output_dir=output, storage=url, sweep_count=1)
        assert "***" in read_json(output / "sweep.json")["storage"]
        with pytest.raises(SweepConfigError, match=r"\*\*\*.*; pass storage with its password"):
            recorded_status(output)
        assert len(recorded_status(output, storage=url).trials) == 1


@pytest.mark.parametrize(
    "url",
    [
        f"postgres//u:{SECRET}@h/db",
        f"postgresql:/u:{SECRET}@h/db",
        f"postgresql://u:a@{SECRET}@h/db",
        f"postgresql://u:{SECRET}@h:port/db",
        f"postgresql://u:{SECRET}@h:99999999/db",
        f"u:{SECRET}@h",
        SECRET,
        f"postgresql+none://u:{SECRET}@h/db",
        f"nodatabase://u:{SECRET}@h/db",
        f"postgresql://u:{SECRET}@127.0.0.1:1/db",
        f"postgresql://u@127.0.0.1:1/db?password={SECRET}",
        f"postgresql://u:x@127.0.0.1:1/db?passwort={SECRET}",
        f"redis://:{SECRET}@127.0.0.1:1/0",
        f"postgresql://u:{SECRET}/with/slash@127.0.0.1:1/db",
        f"postgresql://u:{SECRET}#hash@127.0.0.1:1/db",
    ],
)
def test_a_mistyped_url_is_not_repeated(tmp_path, url):
    with pytest.raises(SweepConfigError) as caught:
        run_sweep(CurveTrainer(), GRID, output_dir=tmp_path / "sweep", storage=url)
    assert SECRET not in str(caught.value)
    assert "storage" in str(caught.value)
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h:5432/db", "postgresql://u:***@h:5432/db"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        (
            "postgresql://h/db?password=p&sslmode=require&user=u",
            "postgresql://h/db?password=***&sslmode=require&user=u",
        ),
        ("sqlite:///place/sweeps.db", "sqlite:///place/sweeps.db"),
        ("nonsense", "***"),
        ("postgresql://u:a@b@h/db", "***"),
    ],
)
def test_what_is_shown_of_an_url(url, shown):
    assert masked_url(url) == shown
    assert is_masked(shown) == (url != shown)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["run-sweep", "--seed", "1"], ["run-sweep", "--seed", "1"]),
        (["--storage", "postgresql://u:p@h/db", "x"], ["--storage", "postgresql://u:***@h/db", "x"]),
        (["--storage=postgresql://u:p@h/db"], ["--storage=postgresql://u:***@h/db"]),
        (["--storage", "secret"], ["--storage", "***"]),
        (["url=postgresql://u:p@h/db?a=b"], ["url=postgresql://***@h/db?a=b"]),
        (["--db=postgresql://u:p=q@h/db?a=b"], ["--db=postgresql://***@h/db?a=b"]),
        (["--db", "postgresql://u:p/q@h/db"], ["--db", "postgresql://***@h/db"]),
        (["postgresql://u:p@q@h/db"], ["postgresql://***@h/db"]),
        (["https://p@example.org/"], ["https://***@example.org/"]),
        (["https://example.org/a?access_token=p&b=c"], ["https://example.org/a?access_token=***&b=c"]),
        (["postgres://h/db?user=u;password=p"], ["postgres://h/db?user=u;password=***"]),
        (["https://example.org/a?page=2"], ["https://example.org/a?page=2"]),
        (["--password", "p", "x"], ["--password", "***", "x"]),
        (["--db-password=p"], ["--db-password=***"]),
        (["host=h password=p user=u"], ["host=h password=*** user=u"]),
        (["user@example.org"], ["user@example.org"]),
    ],
)
def test_what_is_shown_of_a_command_line(words, shown):
    assert masked_words(words) == shown


def test_what_a_driver_says_is_shown_without_the_password():
    url = "postgresql://u:tulip@h/db?token=p%2540"
    assert without_secrets("bad: pass tulip, p%40, p%2540", url) == "bad: pass ***, ***, ***"
