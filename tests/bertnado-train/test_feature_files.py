"""The files of cached features: whole or missing, shared by processes, bounded in size."""

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
from bertnado_train.feature_files import FeatureFiles, NotCachedError, features_directory, size_limit

FORK = multiprocessing.get_context("fork")
FLOAT = np.dtype(np.float32)
SHAPE = (50, 20)
BYTES = 50 * 20 * 4


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache directory."""
    monkeypatch.setenv("BERTNADO_CACHE", str(tmp_path))
    return tmp_path / "features"


def fill(made):
    made[:] = np.arange(made.size).reshape(made.shape)


def names(cache):
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


def run(target, *given):
    process = FORK.Process(target=target, args=given)
    process.start()
    return process


def test_what_was_written_is_read_by_its_name_shape_and_type():
    files = FeatureFiles("key")

    written = files.write("train", SHAPE, FLOAT, fill)

    assert isinstance(FeatureFiles("key").read("train", SHAPE, FLOAT), np.memmap)
    assert (FeatureFiles("key").read("train", SHAPE, FLOAT) == written).all()
    assert FeatureFiles("key").read("validation", SHAPE, FLOAT) is None
    assert FeatureFiles("key").read("train", (20, 50), FLOAT) is None
    assert FeatureFiles("key").read("train", SHAPE, np.dtype(np.int16)) is None
    assert FeatureFiles("other").read("train", SHAPE, FLOAT) is None


def killed(made):
    made[:10] = 1
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_leaves_nothing_that_is_read_or_kept(cache):
    process = run(FeatureFiles("key").write, "train", SHAPE, FLOAT, killed)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert FeatureFiles("key").read("train", SHAPE, FLOAT) is None

    FeatureFiles("key").write("train", SHAPE, FLOAT, fill)

    assert names(cache) == ["key/train.npy"]


def test_a_computation_that_fails_leaves_nothing(cache):
    def fail(made):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        FeatureFiles("key").write("train", SHAPE, FLOAT, fail)

    assert names(cache) == []


def compute_once(directory, is_begun):
    files = FeatureFiles("key")
    with files.locked(lambda: False):
        if files.read("train", SHAPE, FLOAT) is None:
            is_begun.set()
            time.sleep(0.2)
            files.write("train", SHAPE, FLOAT, fill)
            (directory / f"computed by {os.getpid()}").touch()


def test_of_two_processes_at_once_one_computes_and_the_other_waits(tmp_path):
    is_begun = FORK.Event()
    processes = [run(compute_once, tmp_path, is_begun) for _ in range(2)]
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0]
    assert len(list(tmp_path.glob("computed by *"))) == 1


def hold(is_begun):
    with FeatureFiles("key").locked(lambda: False):
        is_begun.set()
        time.sleep(60)


def test_who_waits_can_be_stopped_and_the_lock_of_a_killed_process_is_free():
    is_begun = FORK.Event()
    process = run(hold, is_begun)
    is_begun.wait()

    with pytest.raises(NotCachedError, match="the trial was stopped"), FeatureFiles("key").locked(lambda: True):
        pass
    process.kill()
    with FeatureFiles("key").locked(lambda: False):
        process.join()


def set_limit(monkeypatch, bytes_):
    monkeypatch.setenv("BERTNADO_FEATURES_GB", str(bytes_ / 10**9))


def test_features_beyond_the_limit_are_refused(monkeypatch):
    set_limit(monkeypatch, BYTES - 1)

    with pytest.raises(NotCachedError, match=r"^4e-06 GB are more than the 4e-06 GB of BERTNADO_FEATURES_GB$"):
        FeatureFiles("key").write("train", SHAPE, FLOAT, fill)


def test_the_features_that_were_used_longest_ago_make_room(monkeypatch, cache):
    set_limit(monkeypatch, 3 * BYTES)
    for age, key in enumerate(["newer", "older"]):
        FeatureFiles(key).write("train", SHAPE, FLOAT, fill)
        os.utime(cache / key, (1000 - age, 1000 - age))
    mapped = FeatureFiles("older").read("train", SHAPE, FLOAT)
    os.utime(cache / "older", (10, 10))

    FeatureFiles("key").write("train", SHAPE, FLOAT, fill)

    assert names(cache) == ["key/train.npy", "newer/train.npy"]
    assert mapped[-1, -1] == 999, "a process that uses removed features keeps them"


def test_using_features_keeps_them_longest(cache):
    FeatureFiles("used").write("train", SHAPE, FLOAT, fill)
    os.utime(cache / "used", (10, 10))

    FeatureFiles("used")

    assert (cache / "used").stat().st_mtime > 1000


def test_a_full_disk_is_said():
    def fail(made):
        raise OSError(28, "No space left on device")

    with pytest.raises(NotCachedError, match="cannot be written: No space left on device"):
        FeatureFiles("key").write("train", SHAPE, FLOAT, fail)


@pytest.mark.parametrize(("given", "limit"), [("", 20 * 10**9), ("0.5", 5 * 10**8), ("0", 0)])
def test_the_limit_is_a_number_of_gigabytes(monkeypatch, given, limit):
    monkeypatch.setenv("BERTNADO_FEATURES_GB", given)
    assert size_limit() == limit


@pytest.mark.parametrize("given", ["many", "-1", "nan", "inf"])
def test_another_limit_is_refused(monkeypatch, given):
    monkeypatch.setenv("BERTNADO_FEATURES_GB", given)
    with pytest.raises(NotCachedError, match=f"must be a number of gigabytes, at least 0, got '{given}'"):
        size_limit()


def test_the_place_follows_the_cache_directory(cache):
    assert features_directory() == cache
