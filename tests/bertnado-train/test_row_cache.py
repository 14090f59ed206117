"""The cache of rows: right whatever happens to it and to the dataset, and the same rows that were stored."""

import json
import os
import resource
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen, run

import datasets
import numpy as np
import pytest
from bertnado_config import InvalidInputError
from bertnado_metrics import get_task
from bertnado_train import dataset_files, row_cache
from bertnado_train.batch_format import BatchFormat
from bertnado_train.prepared_dataset import open_dataset
from bertnado_train.sequence_options import SequenceOptions
from bertnado_train.split_overlap import overlap_problems
from support import tokenizers

BINARY = get_task("binary_classification")
AS_THEY_ARE = SequenceOptions()
RNG = np.random.default_rng(5)
TEXTS = ["".join(RNG.choice(list("ACGT"), RNG.integers(20, 40))) for _ in range(30)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("BERTNADO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def opened(path, task=BINARY, options=AS_THEY_ARE):
    tokenizer = tokenizers.letters()
    return open_dataset(path, task, lambda: tokenizer, 0, options)


def labelled(rows, **columns):
    return {**columns, "labels": [0, 1] * (rows // 2)}


def rows_of(split):
    return [{name: values.tolist() for name, values in split[row].items()} for row in range(len(split))]


def as_stored(ids, masks, labels, types=None):
    """The rows of a split, read in the plainest way: without what the mask leaves out at the end."""
    rows = []
    for number, (row, mask) in enumerate(zip(ids, masks, strict=True)):
        end = max(place + 1 for place, value in enumerate(mask) if value)
        found = {"input_ids": row[:end], "attention_mask": mask[:end], "labels": labels[number]}
        rows.append(found if types is None else {**found, "token_type_ids": types[number][:end]})
    return rows


def simulated(kind, rows=40, width=12):
    """Rows of token ids as people store them: (ids, masks, types or `None`)."""
    lengths = RNG.integers(3, width + 1, rows)
    lengths[7] = width
    ids = [[*RNG.integers(5, 10, length).tolist(), *[0] * (width - length)] for length in lengths]
    masks = [[1] * length + [0] * (width - length) for length in lengths]
    types = None
    if kind == "left":
        ids, masks = ([row[::-1] for row in values] for values in (ids, masks))
    elif kind == "holes":
        for mask in masks[25:]:
            mask[1] = 0
    elif kind == "ragged":
        ids, masks = ([row[:end] for row, end in zip(rows, lengths, strict=True)] for rows in (ids, masks))
    elif kind == "types":
        types = [[0] * width for _ in range(30)] + [[0, 1] * (width // 2) for _ in range(10)]
    elif kind == "high":
        ids[33][1], ids[35][0] = 65_535, 70_000
    return ids, masks, types


LABELS = {
    "binary_classification": [0, 1] * 20,
    "multiclass_classification": [2, 0, 1, 1] * 10,
    "multilabel_classification": [[0, 1, 1], [1, 0, 0]] * 20,
    "regression": [0.5, -1.25] * 20,
}


@pytest.mark.parametrize("kind", ["right", "left", "holes", "ragged", "types", "high"])
def test_rows_are_those_that_were_stored_at_the_first_opening_and_from_the_cache(write_dataset, monkeypatch, kind):
    monkeypatch.setattr(dataset_files, "BATCH", 7)
    ids, masks, types = simulated(kind)
    columns = {"input_ids": ids, "attention_mask": masks} | ({"token_type_ids": types} if types else {})
    split = labelled(40, **columns)
    path = write_dataset(train=split, validation=split)
    expected = as_stored(ids, masks, split["labels"], types)
    for dataset in (opened(path), opened(path)):
        train = dataset.splits["train"]
        assert rows_of(train) == expected
        assert train.tokens.dtype == (np.int32 if kind == "high" else np.uint16)
        assert (train.mask is None) == (kind not in ("left", "holes"))
        assert train.stored_lengths.tolist() == [len(row) for row in ids]
        assert train.highest_token == max(max(row["input_ids"]) for row in expected)
        assert not train.tokens.flags.writeable


@pytest.mark.parametrize("task", LABELS)
def test_labels_are_those_that_were_stored_and_have_the_type_of_the_loss(write_dataset, task):
    ids, masks, _ = simulated("right")
    split = {"input_ids": ids, "attention_mask": masks, "labels": LABELS[task]}
    path = write_dataset(train=split, validation=split)
    first, again = (opened(path, get_task(task)) for _ in range(2))
    for dataset in (first, again):
        labels = dataset.splits["validation"].labels
        assert labels.tolist() == LABELS[task]
        assert labels.dtype == get_task(task).label_dtype
    assert first.summary == again.summary


def test_batches_from_the_cache_can_be_written_to(write_dataset):
    ids, masks, _ = simulated("right")
    split = labelled(40, input_ids=ids, attention_mask=masks)
    train = opened(write_dataset(train=split, validation=split)).splits["train"]
    batch = BatchFormat()(train.__getitems__([3, 7]))
    batch["labels"] += 1
    assert batch["attention_mask"].tolist() == [masks[3], masks[7]]
    assert batch["input_ids"].tolist() == [ids[3], ids[7]]


def test_a_first_opening_and_later_ones_say_the_same_of_sequences_and_pairs(write_dataset):
    split = labelled(30, sequence=[text.lower() for text in TEXTS], sequence2=TEXTS[::-1], chrom=["chr1"] * 30)
    path = write_dataset(train=split, validation=split)
    options = SequenceOptions(uppercase=True, max_length=60, too_long="truncate")
    first, again = (opened(path, options=options) for _ in range(2))
    assert rows_of(first.splits["train"]) == rows_of(again.splits["train"])
    assert first.summary == again.summary
    assert first.first_row == again.first_row
    assert [str(warning) for warning in first.warnings] == [str(warning) for warning in again.warnings]
    assert len(first.warnings) > 2
    tokenizer = tokenizers.letters()
    found = [[str(problem) for problem in overlap_problems(dataset, tokenizer)] for dataset in (first, again)]
    assert found[0] == found[1]
    assert "30 of 30 validation rows are also in train" in found[0][0]


# The fingerprint

FINGERPRINTS = {
    "padded": "854ebe96a37e58b0f75cccf13e55ea7a",
    "types": "6c220e3a9e0b2550920f94246c337ff2",
    "left": "845e751bc7c2cad8d741bd623f0ff5c6",
}


@pytest.mark.parametrize("kind", FINGERPRINTS)
def test_the_fingerprint_does_not_depend_on_how_rows_are_kept(write_dataset, kind):
    """Those of sweeps that were started before there was a cache remain right."""
    ids = [[2, 5, 6, 3, 0], [2, 7, 8, 9, 3]]
    masks = [[1, 1, 1, 1, 0], [1] * 5]
    columns = {"input_ids": ids, "attention_mask": masks}
    if kind == "left":
        columns = {"input_ids": [[0, 2, 5, 6, 3], ids[1]], "attention_mask": [[0, 1, 1, 1, 1], masks[1]]}
    if kind == "types":
        columns |= {"token_type_ids": [[0, 0, 1, 1, 0], [0, 1, 1, 1, 1]]}
    split = labelled(2, **columns)
    path = write_dataset(train=split, validation=split)
    task = get_task("multiclass_classification") if kind == "left" else BINARY
    assert opened(path, task).fingerprint == FINGERPRINTS[kind]
    assert opened(path, task).fingerprint == FINGERPRINTS[kind]


# A dataset that changes


def test_a_dataset_that_was_edited_is_read_anew_even_if_size_and_date_are_the_same(write_dataset, monkeypatch):
    monkeypatch.setattr(dataset_files, "_UNSETTLED", 0)
    split = labelled(30, sequence=TEXTS)
    path = write_dataset(train=split, validation=split)
    before = opened(path)
    [file] = (path / "train").glob("*.arrow")
    state, content = file.stat(), file.read_bytes()
    other = "T" * len(TEXTS[0])
    with file.open("r+b") as stored:
        stored.write(content.replace(TEXTS[0].encode(), other.encode()))
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert file.stat().st_size == state.st_size
    after = opened(path)
    assert after.fingerprint != before.fingerprint
    assert after.splits["train"][0]["input_ids"].tolist() == tokenizers.letters()(other)["input_ids"]


def test_a_file_is_read_for_its_hash_only_once(write_dataset, cache, monkeypatch):
    monkeypatch.setattr(dataset_files, "_UNSETTLED", 0)
    split = labelled(30, sequence=TEXTS)
    path = write_dataset(train=split, validation=split)
    opened(path)
    [memory] = (cache / "files").iterdir()
    known = json.loads(memory.read_text())
    assert sorted(known) == sorted(str(file.resolve()) for file in path.rglob("*.arrow"))
    hashes = {"train": ["t"], "validation": ["v"]}
    memory.write_text(
        json.dumps({file: {**state, "sha256": hashes[Path(file).parent.name][0]} for file, state in known.items()})
    )
    assert dataset_files.content_hashes(datasets.load_from_disk(str(path))) == hashes


def test_a_file_that_has_just_been_written_is_hashed_again(write_dataset, cache):
    split = labelled(30, sequence=TEXTS)
    opened(write_dataset(train=split, validation=split))
    assert not list(cache.glob("files/*"))


# A cache that is damaged

DAMAGE = {
    "a shorter file": lambda place: os.truncate(place / "train.tokens", 10),
    "other bytes": lambda place: flip(place / "train.tokens"),
    "other labels": lambda place: flip(place / "validation.labels"),
    "no file": lambda place: (place / "train.starts").unlink(),
    "no index": lambda place: (place / "index.json").unlink(),
    "half an index": lambda place: os.truncate(place / "index.json", 100),
    "an index of another kind": lambda place: (place / "index.json").write_text("[1, 2]"),
    "an index of other arrays": lambda place: (place / "index.json").write_text('{"arrays": {"a": {"b": 1}}}'),
    "nothing": lambda place: [file.unlink() for file in place.iterdir()],
    "a file in its place": lambda place: (shutil.rmtree(place), place.write_text("in the way")),
}


def flip(file):
    content = bytearray(file.read_bytes())
    content[3] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_is_said_and_made_anew(write_dataset, caplog, damage):
    split = labelled(30, sequence=TEXTS)
    path = write_dataset(train=split, validation=split)
    first = opened(path)
    expected = rows_of(first.splits["train"])
    DAMAGE[damage](first.cache.directory)
    again = opened(path)
    assert (rows_of(again.splits["train"]), again.summary) == (expected, first.summary)
    assert f"the cached dataset in {first.cache.directory} is damaged, so it is made anew: " in caplog.text
    caplog.clear()
    assert opened(path).summary == first.summary
    assert caplog.text == ""


def test_rows_that_are_mapped_outlive_the_cache(write_dataset, cache):
    split = labelled(30, sequence=TEXTS)
    dataset = opened(write_dataset(train=split, validation=split))
    shutil.rmtree(cache)
    assert rows_of(dataset.splits["train"])[3]["input_ids"] == tokenizers.letters()(TEXTS[3])["input_ids"]


# A cache that cannot be written


@contextmanager
def files_of_at_most(count):
    """Let no file grow beyond so many bytes, as if the disk were full."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


@pytest.mark.parametrize("kind", ["holes", "types", "high"])
def test_a_cache_without_room_costs_a_warning_and_the_rows_are_kept_in_memory(write_dataset, cache, caplog, kind):
    ids, masks, types = simulated(kind)
    split = labelled(40, input_ids=ids, attention_mask=masks) | ({"token_type_ids": types} if types else {})
    path = write_dataset(train=split, validation=split)
    with files_of_at_most(300):
        dataset = opened(path)
    assert rows_of(dataset.splits["train"]) == as_stored(ids, masks, split["labels"], types)
    assert dataset.cache is None
    assert "the rows of the dataset cannot be cached: " in caplog.text
    assert "set BERTNADO_CACHE to a directory that can be written" in caplog.text
    assert list((cache / "rows").iterdir()) == []
    assert opened(path).summary == dataset.summary


def test_a_cache_that_cannot_be_made_costs_a_warning_only(write_dataset, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("BERTNADO_CACHE", str(tmp_path / "file"))
    split = labelled(30, sequence=TEXTS)
    path = write_dataset(train=split, validation=split)
    dataset = opened(path)
    assert len(dataset.splits["train"]) == 30
    assert "the rows of the dataset cannot be cached: " in caplog.text
    assert overlap_problems(dataset, tokenizers.letters()) != []


def test_a_dataset_that_is_refused_leaves_nothing_in_the_cache(write_dataset, cache):
    split = labelled(30, sequence=TEXTS)
    path = write_dataset(train=split, validation=split)
    with pytest.raises(InvalidInputError, match="have more tokens than max_length 4"):
        opened(path, options=SequenceOptions(max_length=4))
    assert list((cache / "rows").iterdir()) == []


# Several processes


OPENING = """
import sys
from bertnado_metrics import get_task
from bertnado_train.prepared_dataset import open_dataset
from support import tokenizers

tokenizer = tokenizers.letters()
print("ready", flush=True)
sys.stdin.readline()
dataset = open_dataset(sys.argv[1], get_task("binary_classification"), lambda: tokenizer, 0)
print(dataset.fingerprint, dataset.cache.directory, dataset.splits["train"][5]["input_ids"].tolist())
"""


@pytest.mark.slow
def test_two_processes_that_open_a_dataset_at_once_both_get_it(write_dataset, cache):
    split = labelled(30, sequence=TEXTS)
    path = write_dataset(train=split, validation=split)
    surroundings = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command, pipes = [sys.executable, "-c", OPENING, str(path)], {"stdin": PIPE, "stdout": PIPE, "text": True}
    processes = [Popen(command, env=surroundings, **pipes) for _ in range(2)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    found = [process.communicate()[0] for process in processes]
    [place] = (cache / "rows").iterdir()
    ids = tokenizers.letters()(TEXTS[5])["input_ids"]
    assert found == [f"{opened(path).fingerprint} {place} {ids}\n"] * 2


def test_a_process_that_finishes_second_takes_the_rows_of_the_first(write_dataset, cache, monkeypatch):
    split = labelled(30, sequence=TEXTS)
    path = write_dataset(train=split, validation=split)
    publish, first = row_cache._publish, []

    def publish_second(scratch, directory):
        monkeypatch.setattr(row_cache, "_publish", publish)
        first.append(opened(path))
        return publish(scratch, directory)

    monkeypatch.setattr(row_cache, "_publish", publish_second)
    second = opened(path)
    assert second.cache == first[0].cache
    assert rows_of(second.splits["train"]) == rows_of(first[0].splits["train"])
    assert len(list((cache / "rows").iterdir())) == 1


def test_what_a_killed_process_left_is_removed_after_a_day(write_dataset, cache):
    for name, age in {"old": 25 * 3600, "new": 3600}.items():
        place = cache / "rows" / f".unfinished-{name}"
        place.mkdir(parents=True)
        then = place.stat().st_mtime - age
        os.utime(place, (then, then))
    split = labelled(30, sequence=TEXTS)
    opened(write_dataset(train=split, validation=split))
    assert [place.name for place in (cache / "rows").glob(".unfinished-*")] == [".unfinished-new"]


# Memory

MEASURING = """
import resource, sys
from bertnado_metrics import get_task
from bertnado_train.prepared_dataset import open_dataset
from support import tokenizers

def highest():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

tokenizer, before = tokenizers.letters(), highest()
open_dataset(sys.argv[1], get_task("binary_classification"), lambda: tokenizer, 0)
print(highest() - before)
"""


@pytest.mark.slow
def test_memory_is_taken_for_some_rows_at_a_time(write_dataset):
    """Read at once, 10,000 rows of 512 tokens take 200 MiB."""
    rows, lengths = 10_000, RNG.integers(20, 200, 10_000)
    masks = (np.arange(512) < lengths[:, None]).astype(np.int8)
    split = labelled(rows, input_ids=masks.astype(np.int32) * 7, attention_mask=masks)
    path = write_dataset(train=split, validation={name: values[:100] for name, values in split.items()})
    surroundings = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", MEASURING, str(path)]
    done = run(command, env=surroundings, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100
