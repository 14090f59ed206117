"""What every test of the member gets: W&B shut into the test's own directory, and small trainers."""

import json
import subprocess
from types import SimpleNamespace
from uuid import uuid4

import pytest
from bertnado_sweep.running.offline_runs import read_records
from bertnado_sweep.testing.fixtures import wandb_server as server
from support import postgresql
from support.machines import machine

__all__ = ["machine", "server"]


@pytest.fixture(autouse=True)
def wandb_home(tmp_path, monkeypatch):
    """Keep the real client away from the home directory, the network and a person's settings."""
    home = tmp_path / "wandb-home"
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR"):
        monkeypatch.setenv(name, str(home))
    for name in ("WANDB_DIR", "WANDB_API_KEY", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_SWEEP_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    return home


@pytest.fixture
def tracked(monkeypatch):
    """Let the real client record runs, offline; the process it starts ends with the test."""
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    wandb.teardown()
    yield
    wandb.teardown()


def _items(items):
    """Keys (nested ones joined by a dot) and values of what a record updates, without W&B's own."""
    named = {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}
    return {key: value for key, value in named.items() if not key.startswith("_")}


def _read_run(path):
    from wandb.proto.wandb_internal_pb2 import Record

    read = SimpleNamespace(run=None, config={}, history=[], summary={}, exit_code=None)
    for content in read_records(path):
        record = Record.FromString(content)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            read.run = record.run
            read.config |= _items(record.run.config.update)
        elif kind == "config":
            read.config |= _items(record.config.update)
        elif kind == "history":
            read.history.append({"step": record.history.step.num, **_items(record.history.item)})
        elif kind == "summary":
            read.summary |= _items(record.summary.update)
        elif kind == "exit":
            read.exit_code = record.exit.exit_code
    return read


@pytest.fixture
def read_runs():
    """Read the offline runs below a directory, by run id: what `wandb sync` would upload."""
    import wandb

    def read(directory):
        wandb.teardown()  # the client's process has written everything when it has ended
        runs = [_read_run(path) for path in directory.glob("wandb/offline-run-*/run-*.wandb")]
        return {run.run.run_id: run for run in runs}

    return read


@pytest.fixture(scope="session")
def postgresql_server():
    """A PostgreSQL server of the tests' own."""
    reason = postgresql.missing()
    if reason:
        pytest.skip(reason)
    with postgresql.started() as running:
        yield running


@pytest.fixture
def database(postgresql_server):
    """The URL of a fresh database."""
    import psycopg

    name = f"sweeps_{uuid4().hex}"
    with psycopg.connect(f"{postgresql_server.url}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{postgresql_server.url}/{name}"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 512 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    yield place
    subprocess.run(["umount", "-l", place], check=True)
