"""Files: read with the location of every mistake, and written atomically."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bertnado_metrics import nearest

from .document_limits import content_problems
from .errors import InvalidInputError, Problem
from .json_parsing import parse_json
from .json_types import RECORD_NESTED, to_json_types
from .regular_file import MEBIBYTE, UnfitFileError, read_regular_file
from .value_text import either
from .yaml_parsing import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Generator

DOCUMENT_LIMIT = MEBIBYTE
"""The maximum size, in bytes, of a file that people write."""
RECORD_LIMIT = 64 * MEBIBYTE
"""The maximum size, in bytes, of a file that BertNado writes for itself."""

PARSERS = {".json": parse_json, ".yaml": parse_yaml, ".yml": parse_yaml}
"""The parser of each file type, by suffix."""


def read_document(path: str | Path) -> Any:
    """Read a JSON or YAML file that people write; the suffix decides which of the two it is.

    Raises:
        InvalidInputError: The file cannot be read, is larger than 1 MiB, has a syntax error (with line and column),
            or exceeds a limit: more than 64 levels, half a surrogate pair, ...
    """
    path = Path(path)
    if _is_directory(path):
        raise _error(path, f"is a directory{_files_inside(path)}")
    parser = PARSERS.get(path.suffix.lower())
    if parser is None:
        raise _error(path, f"the file name must end in {either(PARSERS, str)}, got {path.suffix!r}")
    content = parser(read_text(path), source=str(path))
    problems = content_problems(content)
    if problems:
        raise InvalidInputError(problems, source=str(path))
    return content


def read_json(path: str | Path) -> Any:
    """Read a JSON file that BertNado writes for itself, of up to 64 MiB, with any suffix.

    Lone surrogates are accepted: they stand for bytes of file names that are not UTF-8.

    Raises:
        InvalidInputError: The file cannot be read, or has a syntax error; with line and column.
    """
    return parse_json(read_text(path, limit=RECORD_LIMIT), source=str(path), most_nested=RECORD_NESTED)


def read_text(path: str | Path, *, limit: int = DOCUMENT_LIMIT) -> str:
    """Read the text of a UTF-8 file that is not empty and has at most `limit` bytes.

    Raises:
        InvalidInputError: The file does not exist, is not a regular file, is larger or empty, or is not UTF-8.
    """
    path = Path(path)
    try:
        text = read_regular_file(path, limit=limit).decode("utf-8-sig")
    except FileNotFoundError:
        raise _error(path, f"file not found{_nearest_sibling(path)}") from None
    except IsADirectoryError:
        raise _error(path, f"is a directory{_files_inside(path)}") from None
    except UnicodeDecodeError as error:
        raise _error(
            path, f"must be UTF-8 text, got an invalid byte at position {error.start}; save it as UTF-8"
        ) from None
    except UnfitFileError as error:
        raise _error(path, f"{error}; choose another file") from None
    except OSError as error:
        raise _error(path, f"cannot be read: {error.strerror}") from None
    if not text.strip():
        raise _error(path, "is empty; choose another file")
    return text


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as JSON, atomically: readers see the old file or the whole new one, even after a crash.

    NaN and infinities become null, paths become strings, numpy's numbers and arrays become plain ones. `read_json`
    returns what was written, lone surrogates included.

    Raises:
        OSError: The file cannot be written; an existing file is left as it was. The error names `path`.
        TypeError: `value` holds something that is not a JSON value.
        ValueError: `value` contains itself, or exceeds the limits of `read_json`.
    """
    path = Path(path)
    text = json.dumps(to_json_types(value), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    content = text.encode("utf-8", "backslashreplace")  # \udXXX, JSON's own escape of a lone surrogate
    if len(content) > RECORD_LIMIT:
        msg = f"a record must be at most {RECORD_LIMIT // MEBIBYTE} MiB, got more"
        raise ValueError(msg)
    try:
        with replaced_atomically(path) as scratch, scratch.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def replaced_atomically(path: Path) -> Generator[Path]:
    """Yield the name of a file to write beside another one, which it replaces when the block ends without an error.

    After a crash at any moment, `path` is the old file or the whole new one.

    Raises:
        OSError: The new file cannot be written to disk, or cannot be renamed; an existing one stays as it was.
    """
    scratch = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        yield scratch
        with scratch.open("r+b") as file:
            os.fsync(file.fileno())
        scratch.replace(path)
        _sync_directory(path.parent)
    finally:
        scratch.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    """Flush the new name to disk as well, on file systems that can."""
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def _error(path: Path, message: str) -> InvalidInputError:
    return InvalidInputError([Problem("", message)], source=str(path))


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long
        return False


def _names_in(directory: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in directory.iterdir())
    except OSError:  # a directory that may be entered but not listed
        return []


def _nearest_sibling(path: Path) -> str:
    if not path.parent.is_dir():
        return f"; the directory {path.parent} does not exist either"
    near = nearest(path.name, _names_in(path.parent))
    return f"; did you mean {path.with_name(near)}?" if near else ""


def _files_inside(path: Path) -> str:
    names = [name for name in _names_in(path) if Path(name).suffix.lower() in PARSERS]
    return f"; choose a file in it ({', '.join(names)})" if names else "; choose a file in it"
