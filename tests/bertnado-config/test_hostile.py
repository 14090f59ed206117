"""Whatever a path leads to and whatever a document holds, it is read or refused, at once and in one message."""

import errno
import math
import os
import socket
import time
from pathlib import Path

import pytest
from bertnado_config import SweepConfigError, parse_sweep_config, read_document, read_json, to_json_types, write_json


@pytest.fixture(autouse=True)
def at_once():
    """Nothing here takes a second on a machine of its own; some are generous with that."""
    begin = time.process_time()
    yield
    assert time.process_time() - begin < 10


def refusal(read, *arguments):
    with pytest.raises(SweepConfigError) as caught:
        read(*arguments)
    [problem] = caught.value.problems
    return str(problem)


def document(tmp_path, name, text):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path / name


# Paths


class TestWhatIsNoRegularFile:
    """It is refused without being opened, by whoever reads."""

    @pytest.mark.parametrize("read", [read_document, read_json])
    def test_a_named_pipe_does_not_keep_anybody_waiting(self, tmp_path, read):
        os.mkfifo(tmp_path / "a.json")
        assert refusal(read, tmp_path / "a.json") == "must be a regular file, got a named pipe; choose another file"

    def test_a_device_without_an_end_is_not_read(self, tmp_path):
        (tmp_path / "a.json").symlink_to("/dev/zero")
        assert (
            refusal(read_document, tmp_path / "a.json") == "must be a regular file, got a device; choose another file"
        )

    def test_nor_is_a_socket(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)  # the name of a socket is short
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("a.json")
            assert refusal(read_document, "a.json") == "must be a regular file, got a socket; choose another file"

    def test_a_name_that_no_file_has_is_said_so(self, tmp_path):
        assert refusal(read_document, "a\0.json") == (
            "must be a valid file name, got one with an invalid character; choose another file"
        )
        assert refusal(read_document, "a" * 5000 + ".json") == "cannot be read: File name too long"

    def test_a_link_in_a_circle_is_said_so(self, tmp_path):
        (tmp_path / "a.json").symlink_to(tmp_path / "a.json")
        assert refusal(read_json, tmp_path / "a.json").startswith("cannot be read: ")


class TestSize:
    """A document has at most 1 MiB, a record 64 MiB."""

    def test_a_document_of_more_is_refused(self, tmp_path):
        path = document(tmp_path, "a.json", '"' + "a" * (2**20 - 2) + '"')
        assert len(read_document(path)) == 2**20 - 2
        path = document(tmp_path, "a.json", '"' + "a" * (2**20 - 1) + '"')
        assert refusal(read_document, path) == "must be at most 1 MiB, got more; choose another file"

    def test_a_record_has_more_room_and_an_end_too(self, tmp_path):
        assert len(read_json(document(tmp_path, "a.json", '"' + "a" * 2**20 + '"'))) == 2**20
        with (tmp_path / "a.json").open("wb") as file:
            file.truncate(2**40)
        assert refusal(read_json, tmp_path / "a.json") == "must be at most 64 MiB, got more; choose another file"


# What a document holds


@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
def test_a_document_is_nested_64_deep_at_most(tmp_path, name):
    assert read_document(document(tmp_path, name, "[" * 65 + "]" * 65))
    for depth in (66, 300, 900, 5_000):
        path = document(tmp_path, name, "[" * depth + "]" * depth)
        assert "must be nested at most 64 levels deep, got more; flatten it" in refusal(read_document, path)


def test_a_record_is_nested_128_deep_at_most(tmp_path):
    assert read_json(document(tmp_path, "a.json", "[" * 129 + "]" * 129))
    path = document(tmp_path, "a.json", "[" * 900 + "]" * 900)
    assert refusal(read_json, path) == "must be nested at most 128 levels deep, got more; flatten it"


def doubling(line, first="a0: &a0 [x, x]\n", count=30):
    return first + "".join(line.format(i=i, j=i - 1) for i in range(1, count))


BOMBS = {
    "lists": doubling("a{i}: &a{i} [*a{j}, *a{j}]\n"),
    "objects": doubling("a{i}: &a{i} {{x: *a{j}, y: *a{j}}}\n"),
    "merged objects": doubling("a{i}: &a{i} {{<<: [*a{j}, *a{j}]}}\n", "a0: &a0 {x: 1}\n"),
    "keys": doubling("a{i}: &a{i} {{? *a{j} : *a{j}}}\n"),
    "long texts": f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 1_000)}]",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_document_that_expands_without_end_is_refused(tmp_path, bomb):
    assert "must hold at most 100,000 values, got more; remove some" in refusal(
        read_document, document(tmp_path, "a.yaml", bomb)
    )


def test_a_chain_of_aliases_counts_as_nesting(tmp_path):
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 2_000))
    assert "must be nested at most 64 levels deep" in refusal(read_document, document(tmp_path, "a.yaml", chain))


def test_an_object_that_merges_itself_is_refused(tmp_path):
    path = document(tmp_path, "a.yaml", "a: &a\n  <<: *a\n")
    assert refusal(read_document, path) == (
        "line 2, column 7: an alias must not be inside its own anchor, got *a; write its content out"
    )


def test_anchors_are_used_as_they_are_meant(tmp_path):
    text = "usual: &usual {min: 0, max: 1}\n" + "".join(f"x{i}: {{<<: *usual, q: {i}}}\n" for i in range(200))
    content = read_document(document(tmp_path, "a.yaml", text))
    assert content["x199"] == {"min": 0, "max": 1, "q": 199}


@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            r'{"a": {"b": "x\ud800"}}',
            r"a.b: must be valid Unicode text, got \ud800, ",
        ),
        (
            r'{"a": {"\udcff": 1}}',
            r"a: a key must be valid Unicode text, got \udcff, ",
        ),
        (f'{{"{"k" * 1001}": 1}}', "a key must have at most 1,000 characters, got 1,001; write a shorter one"),
    ],
)
def test_what_no_file_can_hold_again_is_refused_with_its_path(tmp_path, name, text, message):
    said = refusal(read_document, document(tmp_path, name, text))
    assert said.startswith(message)
    assert said.endswith(("half of a surrogate pair; write the character itself", "write a shorter one"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "1" * 5000, "an integer must have at most 4,300 digits, got 5,000 (111111111111...); write a"),
        ("a.yaml", f"a: {'1' * 5000}", "line 1, column 4: a number must have at most 400 characters, got 5,000; "),
        ("a.yaml", f"a: 1{':59' * 100_000}", "line 1, column 4: a number must have at most 400 characters, got "),
        ("a.yaml", f"a: 0x{'f' * 20_000}", "line 1, column 4: a number must have at most 400 characters, got 20,002; "),
        (
            "a.yaml",
            "a: !!bool maybe",
            "line 1, column 4: must be a valid bool, got 'maybe'; correct it, or remove the tag",
        ),
        ("a.yaml", "a: !!int ''", "line 1, column 4: must be a valid int, got ''; correct it, or remove the tag"),
        ("a.yaml", "a: !!timestamp x", "line 1, column 4: could not determine a constructor for the tag"),
        ("a.yaml", "a: !!set {b, c}", "line 1, column 4: could not determine a constructor for the tag"),
        ("a.yaml", "a: !!binary aGk=", "line 1, column 4: could not determine a constructor for the tag"),
        ("a.yaml", "? [a]\n: 1", "line 1, column 3: while constructing a mapping, found unhashable key"),
        ("a.yaml", "? {a: 1}\n: 1", "line 1, column 3: while constructing a mapping, found unhashable key"),
        ("a.yaml", "a: *b", "line 1, column 4: found undefined alias 'b'"),
        ("a.yaml", "<<: 3", "line 1, column 5: while constructing a mapping, expected a mapping or list of mappings"),
        ("a.json", '{"a": "é'.encode()[:-1], "must be UTF-8 text, got an invalid byte at position 7; save it as UTF-8"),
        (
            "a.json",
            '{"a": 1}'.encode("utf-16"),
            "must be UTF-8 text, got an invalid byte at position 0; save it as UTF-8",
        ),
        ("a.json", b'{"a": "\0"}', "line 1, column 8: invalid control character at"),
        ("a.json", b"\0\0\0\0", "line 1, column 1: expecting value"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path, name, text, message):
    assert refusal(read_document, document(tmp_path, name, text)).startswith(message)


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("a: !!python/object:os.system x", "remove the tag; a document holds only JSON values"),
        ("? [a]\n: 1", "use a string as the key"),
        ("a: *b", "define its anchor first, or quote the text"),
        ("<<: 3", "write << before an alias of an object"),
        ("a:\n\tb: 1", "indent with spaces, not tabs"),
    ],
)
def test_what_to_do_about_it_is_said_in_our_own_words(tmp_path, text, cure):
    assert refusal(read_document, document(tmp_path, "a.yaml", text)).endswith(f"; {cure}")


def test_comments_alone_are_no_sweep(tmp_path):
    assert read_document(document(tmp_path, "a.yaml", "# nothing\n")) is None
    assert refusal(parse_sweep_config, None) == "a sweep file must hold one object, got null"


def test_a_thousand_keys_that_are_there_twice_are_found_at_once(tmp_path):
    path = document(tmp_path, "a.json", "{" + ",".join(f'"{i % 30_000}": 1' for i in range(60_000)) + "}")
    with pytest.raises(SweepConfigError) as caught:
        read_document(path)
    assert len(caught.value.problems) == 30_000


# What Python hands over


def sweep(**form):
    return {"method": "random", "parameters": {"x": form}}


def inside_itself():
    made = []
    made.append(made)
    return made


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            sweep(value={1, 2}),
            "parameters.x.value: must be a JSON value, got set; write a number, a string, ",
        ),
        (
            sweep(values=[b"a"]),
            "parameters.x.values: must be a JSON value, got bytes; write a number, a string, ",
        ),
        (sweep(value=inside_itself()), "must be nested at most 64 levels deep, got more; flatten it"),
        (
            sweep(value=10**5000),
            "parameters.x.value: an integer must have at most 4,300 digits, got more; write a shorter one",
        ),
        (sweep(value="\ud800"), r"parameters.x.value: must be valid Unicode text, got \ud800, "),
        ({10**5000: 1}, "a key must be a string, got an integer; write a name"),
        (sweep(values=list(range(200_000))), "must hold at most 100,000 values, got more; remove some"),
    ],
    ids=["set", "bytes", "itself", "long integer", "surrogate", "long key", "many"],
)
def test_a_sweep_holds_only_what_a_file_can_hold(mapping, message):
    assert refusal(parse_sweep_config, mapping).startswith(message)


def test_bands_that_lie_too_close_are_refused(tmp_path):
    bands = {"type": "hyperband", "max_iter": 10**300, "s": 10**9, "eta": 1.0000001}
    assert refusal(parse_sweep_config, sweep(value=1) | {"early_terminate": bands}) == (
        "early_terminate.eta: must be at least 1.01, got 1.0000001"
    )


# What is written


@pytest.mark.parametrize("text", ["a\udcff.txt", "\ud800", "ä 😀", "\0"])
def test_any_text_is_written_and_read_again(tmp_path, text):
    write_json(tmp_path / "a.json", {text: [text]})
    assert read_json(tmp_path / "a.json") == {text: [text]}
    assert (tmp_path / "a.json").read_bytes().decode("utf-8")


@pytest.mark.parametrize(
    "value",
    [inside_itself(), 10**5000, {10**5000: 1}, [[None] * 10_000] * 101],
    ids=["itself", "long integer", "long key", "many"],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path, value):
    with pytest.raises(ValueError, match=r"^(a record|an integer in a record) must"):
        write_json(tmp_path / "a.json", value)
    assert list(tmp_path.iterdir()) == []


def test_nor_is_text_of_more_than_64_mib(tmp_path):
    with pytest.raises(ValueError, match="a record must be at most 64 MiB, got more"):
        write_json(tmp_path / "a.json", "a" * 2**26)


def test_a_record_as_deep_as_may_be_is_read_again(tmp_path):
    deep = 0
    for _ in range(128):
        deep = [deep]
    write_json(tmp_path / "a.json", deep)
    assert read_json(tmp_path / "a.json") == deep
    with pytest.raises(ValueError, match="nested at most 128 levels deep"):
        write_json(tmp_path / "a.json", [deep])


class Endless:
    """Something whose `tolist` gives no list."""

    def tolist(self):
        return self


class Unspeakable:
    """Something that cannot even be shown."""

    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize("value", [{1}, object(), 1j, Endless, Unspeakable(), len])
def test_what_json_has_no_place_for_is_no_plain_value(value):
    with pytest.raises(TypeError, match="a record must hold JSON values"):
        to_json_types({"inside": [value]})


def test_what_does_not_end_is_no_plain_value():
    for value in (inside_itself(), Endless()):
        with pytest.raises(ValueError, match="nested at most 128 levels deep, got a deeper or circular one"):
            to_json_types(value)
    shared = ["x"]
    for _ in range(100):
        shared = [shared, shared]
    with pytest.raises(ValueError, match="a record must hold at most 1,000,000 values"):
        to_json_types(shared)


def test_a_plain_value_is_one_that_json_has():
    assert to_json_types({1: (Path("a"), math.nan, None)}) == {"1": ["a", None, None]}


def test_an_error_of_the_disk_names_the_file_that_was_meant(tmp_path):
    with pytest.raises(OSError) as caught:
        write_json(tmp_path / "nowhere" / "a.json", 1)
    assert caught.value.errno == errno.ENOENT
    assert str(caught.value) == f"[Errno 2] No such file or directory: '{tmp_path / 'nowhere' / 'a.json'}'"
    assert isinstance(caught.value, FileNotFoundError)


def test_a_file_with_the_name_of_a_directory_is_named_itself(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_json(tmp_path / "a.json", 1)
    assert caught.value.filename == str(tmp_path / "a.json")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]
