"""Files read with every mistake located, and written so that a reader never sees half of one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from enum import Enum
from math import isfinite
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from bertnado_metrics import nearest

from .errors import Problem, SweepConfigError
from .json_text import parse_json
from .yaml_text import parse_yaml

PARSERS = {".json": parse_json, ".yaml": parse_yaml, ".yml": parse_yaml}
"""How a file is read, by its suffix."""


def read_document(path: str | Path) -> Any:
    """Read a JSON or YAML file, which of the two by its suffix.

    Raises:
        SweepConfigError: The file cannot be read, or its syntax is broken; with line and column.
    """
    path = Path(path)
    if path.is_dir():
        raise _error(path, f"is a directory{_files_inside(path)}")
    parser = PARSERS.get(path.suffix.lower())
    if parser is None:
        kinds = ", ".join(PARSERS)
        raise _error(path, f"a file name ends in one of {kinds}, not in {path.suffix!r}")
    return parser(read_text(path), source=str(path))


def read_json(path: str | Path) -> Any:
    """Read a JSON file, whatever its name.

    Raises:
        SweepConfigError: The file cannot be read, or its syntax is broken; with line and column.
    """
    return parse_json(read_text(path), source=str(path))


def read_text(path: str | Path) -> str:
    """Read the text of a UTF-8 file that is not empty.

    Raises:
        SweepConfigError: There is no such file, or no text in it.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise _error(path, f"there is no such file{_nearest_sibling(path)}") from None
    except IsADirectoryError:
        raise _error(path, f"is a directory{_files_inside(path)}") from None
    except UnicodeDecodeError as error:
        raise _error(path, f"is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise _error(path, f"cannot be read: {error.strerror}") from None
    if not text.strip():
        raise _error(path, "is empty; write it, or name another file")
    return text


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as JSON, atomically: readers see the old file or the whole new one, also after a crash.

    NaN and infinities become null, paths strings, numpy's numbers and arrays plain ones.

    Raises:
        OSError: The file cannot be written; what was there stays.
        TypeError: `value` holds something that has no place in JSON.
    """
    path = Path(path)
    text = json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    scratch = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with scratch.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Put the new name on the disk too; file systems that cannot are left alone."""
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


def _plain(value: Any) -> Any:
    """Turn `value` into the types that JSON has."""
    if value is None or (isinstance(value, bool | int | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[Any]", value)]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    msg = f"{type(value).__name__} has no place in JSON: {value!r}"
    raise TypeError(msg)


def _error(path: Path, message: str) -> SweepConfigError:
    return SweepConfigError([Problem("", message)], source=str(path))


def _nearest_sibling(path: Path) -> str:
    if not path.parent.is_dir():
        return f"; there is no directory {path.parent} either"
    near = nearest(path.name, sorted(entry.name for entry in path.parent.iterdir()))
    return f"; did you mean {path.with_name(near)}?" if near else ""


def _files_inside(path: Path) -> str:
    names = sorted(entry.name for entry in path.iterdir() if entry.suffix.lower() in PARSERS)
    return f"; name a file in it ({', '.join(names)})" if names else "; name a file in it"
