"""HTML that escapes itself: only what `tag` returns is markup, every other text is escaped."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
"""Characters that HTML does not allow."""

_EMPTY = frozenset({"meta", "br"})

_SEPARATED = re.compile(r"(?<=[_/])(?=[^_/])|(?<=\.)(?=[A-Za-z])")
_LONG = 24


class Html(str):
    """Markup, ready to be written."""

    __slots__ = ()


def plain(value: object) -> str:
    """Return a text that can be encoded: control characters and lone surrogates are written as escapes."""
    text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", str(value))
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def escaped(value: object) -> Html:
    """Return a value as markup: markup as it is, anything else escaped."""
    return value if isinstance(value, Html) else Html(html.escape(plain(value)))


def joined(parts: Iterable[object], between: object = "") -> Html:
    """Return the parts as markup, one after the other."""
    return Html(escaped(between).join(map(escaped, parts)))


def tag(element: str, /, *children: object, **attributes: object) -> Html:
    """Return an element.

    Args:
        element: The name of the element.
        children: Its content; what is not markup is escaped.
        attributes: Its attributes; `class_` is `class`, an underscore within a name is a hyphen, and None is left out.
    """
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    opened = "".join(f' {key}="{escaped(value)}"' for key, value in given.items())
    closed = "" if element in _EMPTY else f"{joined(children)}</{element}>"
    return Html(f"<{element}{opened}>{closed}")


def name_of(value: object) -> Html:
    """Return a text from the data: isolated, so that one written from right to left leaves the text around it alone.

    A line may break after a separator, and anywhere in what is long.
    """
    parts = [part for part in _SEPARATED.split(plain(value)) if part]
    return tag("bdi", joined(parts, Html("<wbr>")), class_="long" if max(map(len, parts), default=0) > _LONG else None)


def cell(value: object, shown: object | None = None, *, kind: str = "td", **attributes: object) -> Html:
    """Return a cell of a table; numbers are aligned, and sorted by their value.

    Args:
        value: The value to sort by.
        shown: The content, if that is not the value.
        kind: `td`, or `th` for the head of a row.
        attributes: Further attributes.
    """
    content = "" if value is None and shown is None else value if shown is None else shown
    if isinstance(value, int | float) and not isinstance(value, bool):
        exact = value if isinstance(value, int) else float(value)  # of a number of numpy, repr names the type
        attributes |= {"data_value": repr(exact), "class_": "number"}
    return tag(kind, content, **attributes)


def table(columns: Sequence[object], rows: Iterable[Sequence[object]], *, caption: str, sortable: bool = False) -> Html:
    """Return a table in a frame that scrolls on narrow screens.

    Args:
        columns: The heads of the columns.
        rows: The cells of each row; what is not made by `cell` becomes one.
        caption: What the table shows.
        sortable: Let a click on the head of a column sort by it.
    """
    heads = [tag("button", column, type="button") if sortable else escaped(column) for column in columns]
    head = tag("thead", tag("tr", *(tag("th", text, scope="col") for text in heads)))
    body = tag("tbody", *(tag("tr", *map(_as_cell, row)) for row in rows))
    made = tag("table", tag("caption", caption), head, body, class_="sortable" if sortable else None)
    return tag("div", made, class_="frame", tabindex="0", role="region", aria_label=caption)


def _as_cell(value: object) -> Html:
    return value if isinstance(value, Html) and value.startswith(("<td", "<th")) else cell(value)


def script_json(value: Any) -> Html:
    """Return JSON that can stand in a `script` element: nothing in it ends the element."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return Html(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
