"""Files: every mistake with its place when they are read, never half of one when they are written."""

import json
import math
import os
import stat
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest
from bertnado_config import SweepConfigError, load_sweep_config, read_document, read_json, write_json


def mistakes_in(path):
    with pytest.raises(SweepConfigError) as caught:
        read_document(path)
    assert caught.value.source == str(path)
    return [str(problem) for problem in caught.value.problems]


BROKEN = [
    ("a.json", '{"a": 1,\n "b" 2}', "line 2, column 6: expecting ':' delimiter"),
    ("a.json", '{"a": 1,\n "b": 2,\n}', "line 2, column 8: trailing comma before the closing bracket; remove it"),
    ("a.json", "{'a': 1}", "line 1, column 2: strings must be in double quotes"),
    (
        "a.json",
        '{\n  // learning rate\n  "a": 1}',
        "line 2, column 3: JSON does not allow comments; remove it, or write the file as YAML",
    ),
    ("a.json", '{"a": 1', "line 1, column 8: expecting ',' delimiter"),
    ("a.json", '{"a": 1} {', "line 1, column 10: extra data"),
    ("a.json", '{\n "a": 1,\n "a": 2}', "a: is declared twice, first in line 2, column 2, then in line 3, column 2"),
    (
        "a.json",
        '{"p": {"x": {"min": 0, "max": 1,\n"min": 2}}, "q": [{"}": 1, "\\"": 3}]}',
        "p.x.min: is declared twice, first in line 1, column 14, then in line 2, column 1",
    ),
    (
        "a.json",
        '{"q": [{"k": 1}, {"k": 1, "k": 2}]}',
        "q.k: is declared twice, first in line 1, column 19, then in line 1, column 27",
    ),
    ("a.json", "[" * 100_000, "must be nested at most 64 levels deep, got more; flatten it"),
    ("a.json", "", "is empty"),
    ("a.json", " \n", "is empty"),
    ("a.yaml", "a: 1\n b: 2\n", "line 2, column 3: mapping values are not allowed here"),
    ("a.yml", "a:\n\tb: 1\n", "line 2, column 1: while scanning for the next token, found character '\\t' that cannot"),
    ("a.yaml", "a: [1, 2\n", "line 2, column 1: while parsing a flow sequence, expected ',' or ']'"),
    ("a.yaml", "a: 1\nb: 2\na: 3\n", "a: is declared twice, first in line 1, column 1, then in line 3, column 1"),
    (
        "a.yaml",
        "p:\n  - {x: 1, x: 2}\n",
        "p.x: is declared twice, first in line 2, column 6, then in line 2, column 12",
    ),
    ("a.yaml", "a: &a\n  b: *a\n", "line 2, column 6: an alias must not be inside its own anchor, got *a;"),
    ("a.yaml", "a: !!python/object:os.system x\n", "line 1, column 4: could not determine a constructor for the tag"),
    ("a.yaml", "a: 1\n---\nb: 2\n", "line 2, column 1: expected a single document in the stream"),
    ("a.yaml", "a: \x00", "unacceptable character #x0000"),
    ("a.toml", "a = 1", "the file name must end in .json, .yaml or .yml, got '.toml'"),
    ("a", "a: 1", "the file name must end in .json, .yaml or .yml, got ''"),
]


@pytest.mark.parametrize(("name", "text", "message"), BROKEN, ids=[message for _, _, message in BROKEN])
def test_a_broken_file_is_named_with_line_and_column(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    [mistake] = mistakes_in(tmp_path / name)
    assert mistake.startswith(message)


def test_a_file_that_does_not_exist_suggests_its_nearest_neighbour(tmp_path):
    (tmp_path / "sweep_config.json").write_text("{}")
    assert mistakes_in(tmp_path / "sweep-config.json") == [
        f"file not found; did you mean {tmp_path / 'sweep_config.json'}?"
    ]
    assert mistakes_in(tmp_path / "zzz.json") == ["file not found"]
    assert mistakes_in(tmp_path / "no" / "zzz.json") == [
        f"file not found; the directory {tmp_path / 'no'} does not exist either"
    ]


@pytest.mark.parametrize("name", ["configs", "configs.json"])
def test_a_directory_is_no_file_and_names_those_inside(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    assert mistakes_in(folder) == ["is a directory; choose a file in it"]
    (folder / "b.yaml").touch()
    (folder / "a.json").touch()
    assert mistakes_in(folder) == ["is a directory; choose a file in it (a.json, b.yaml)"]


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"a": "\xff"}')
    assert mistakes_in(tmp_path / "a.json") == [
        "must be UTF-8 text, got an invalid byte at position 7; save it as UTF-8"
    ]


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": "\xc3\xa4"}')
    assert read_document(tmp_path / "a.json") == {"a": "ä"}


def test_a_date_in_yaml_stays_text(tmp_path):
    (tmp_path / "a.yaml").write_text("name: 2026-11-23\n")
    assert read_document(tmp_path / "a.yaml") == {"name": "2026-11-23"}


def test_yaml_anchors_and_merges_are_read(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a {min: 1, max: 2}\nb: {<<: *a, max: 3}\n")
    assert read_document(tmp_path / "a.yaml")["b"] == {"min": 1, "max": 3}


def test_a_sweep_file_names_itself_in_its_error(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text("method: grid\nparameters: {1: {value: 2}, x: 3}\nyes: 1\n")
    with pytest.raises(SweepConfigError) as caught:
        load_sweep_config(path)
    assert str(caught.value).startswith(f"{path} cannot be used:\n  True: unknown key 'True' in a sweep file; ")


def test_a_json_file_is_read_whatever_its_name(tmp_path):
    (tmp_path / "trial").write_text("[1, null]")
    assert read_json(tmp_path / "trial") == [1, None]


class Colour(StrEnum):
    RED = "red"


def test_what_is_written_is_json_that_every_reader_takes(tmp_path):
    path = tmp_path / "a.json"
    write_json(
        path,
        {
            "nan": math.nan,
            "inf": [math.inf, -math.inf],
            "path": Path("a/b"),
            "numpy": [np.float64(0.5), np.float32("nan"), np.int64(3), np.bool_(True), np.arange(2)],
            "tuple": (1, "ä", None, True),
            "enum": Colour.RED,
            3: 1e-6,
        },
    )
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "nan": None,
        "inf": [None, None],
        "path": "a/b",
        "numpy": [0.5, None, 3, True, [0, 1]],
        "tuple": [1, "ä", None, True],
        "enum": "red",
        "3": 1e-6,
    }


def test_what_is_written_is_indented_by_two_and_ends_in_a_line_break(tmp_path):
    write_json(tmp_path / "a.json", {"a": [1]})
    assert (tmp_path / "a.json").read_text() == '{\n  "a": [\n    1\n  ]\n}\n'


@pytest.mark.parametrize("value", [{1, 2}, object()])
def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path, value):
    path = tmp_path / "a.json"
    write_json(path, "old")
    with pytest.raises(TypeError, match="a record must hold JSON values"):
        write_json(path, {"new": value})
    assert read_json(path) == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, "old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_json(path, "new")
    assert read_json(path) == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_written_file_has_the_permissions_of_any_other(tmp_path):
    """On a cluster others read it; a temporary file's own permissions would lock them out."""
    write_json(tmp_path / "a.json", 1)
    (tmp_path / "b.json").touch()
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == stat.S_IMODE((tmp_path / "b.json").stat().st_mode)
