"""YAML with the place of every mistake, duplicate keys included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from .document_limits import MOST_NESTED, MOST_VALUES, TOO_MANY, joined, too_deep
from .errors import InvalidInputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAG = "tag:yaml.org,2002:"
_NOT_IN_JSON = frozenset(f"{_TAG}{name}" for name in ("timestamp", "binary", "omap", "pairs", "set"))
_NUMBERS = frozenset({f"{_TAG}int", f"{_TAG}float"})
_LONGEST_NUMBER = 400

_TEXT_OF_A_VALUE = 100
"""Characters of text that count as one value more: an alias may repeat them."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader for what JSON has too; a date stays the text that it is: no sweep varies dates.

    What a document expands to is counted while it is composed, an alias as often as it is used.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._open = 0
        self._composed = 0
        self._extents: dict[yaml.Node, tuple[int, int]] = {}
        """How many values a node expands to, and how deep."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose the next node, unless it lies too deep or there are too many."""
        event = cast("yaml.Event", self.peek_event())  # pyright: ignore[reportUnknownMemberType]
        self._open += 1
        self._composed += 1
        self._limit(self._composed, self._open - 1, event)
        node = super().compose_node(parent, index)
        self._open -= 1
        if node is None:
            return None
        if node not in self._extents:
            if isinstance(event, yaml.AliasEvent):
                message = f"an alias must not lie inside what it stands for, got *{event.anchor}; write that out"
                raise ConstructorError(None, None, message, event.start_mark)
            self._extents[node] = self._extent(node)
        values, depth = self._extents[node]
        self._limit(values, depth + self._open, event)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Make the value of a node; whatever a tag cannot be made of is named with its place."""
        if node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
            message = (
                f"a number must have at most {_LONGEST_NUMBER} characters, got {len(node.value):,}; write it shorter"
            )
            raise ConstructorError(None, None, message, node.start_mark)
        try:
            return super().construct_object(node, deep)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        except (ValueError, LookupError, AttributeError, TypeError, OverflowError):
            message = f"{node.value!r} is no {node.tag.removeprefix(_TAG)}; write it as one, or take the tag out"
            raise ConstructorError(None, None, message, node.start_mark) from None

    def _extent(self, node: yaml.Node) -> tuple[int, int]:
        inside = [self._extents[inner] for inner in _inner_nodes(node)]
        values = 1 + sum(values for values, _ in inside) + len(node.value) // _TEXT_OF_A_VALUE
        return values, max((depth + 1 for _, depth in inside), default=0)

    def _limit(self, values: int, depth: int, event: yaml.Event) -> None:
        if values > MOST_VALUES or depth > MOST_NESTED:
            message = TOO_MANY if values > MOST_VALUES else too_deep(MOST_NESTED)
            raise ComposerError(None, None, message, event.start_mark)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_constructors = {
    tag: constructor for tag, constructor in yaml.SafeLoader.yaml_constructors.items() if tag not in _NOT_IN_JSON
}


def parse_yaml(text: str, *, source: str | None = None) -> Any:
    """Read a YAML text.

    Raises:
        InvalidInputError: The syntax is broken, a mapping has a key twice, or the document expands to too much; with
            line and column.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        problems = [] if node is None else list(_duplicate_keys(node, ()))
        content = None if node is None else _construct(loader, node)
    except yaml.MarkedYAMLError as error:
        raise InvalidInputError([Problem("", _explained(error))], source=source) from None
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidInputError([Problem("", str(error))], source=source) from None
    except RecursionError:
        raise InvalidInputError([Problem("", too_deep(MOST_NESTED))], source=source) from None
    if problems:
        raise InvalidInputError(problems, source=source)
    return content


def _construct(loader: _Loader, node: yaml.Node) -> Any:
    return loader.construct_document(node)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


_CURES = {
    "'\\t'": "indent with spaces, not with tabs",
    "could not determine a constructor": "take the tag out, a document holds what JSON has",
    "unhashable key": "write a name as the key",
    "undefined alias": "write its anchor before it, or quote the text",
    "for merging": "write << before an alias of an object",
}
"""What to do about PyYAML's mistakes, by a part of its message."""


def _explained(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"{_place(mark)}: " if mark else ""
    message = ", ".join(part for part in (error.context, error.problem) if part)
    cure = next((f"; {cure}" for mistake, cure in _CURES.items() if mistake in message), "")
    return f"{place}{message}{cure}"


def _inner_nodes(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from (key, value)


def _duplicate_keys(node: yaml.Node, path: tuple[str, ...]) -> Iterator[Problem]:
    """Yield every key that a mapping below `node` has had before."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _duplicate_keys(item, path)
    if not isinstance(node, yaml.MappingNode):
        return
    declared: dict[str, str] = {}
    for key, value in node.value:
        name, again = str(key.value), _place(key.start_mark)
        path_of_key = (*path, name)
        if name in declared:
            yield Problem(joined(path_of_key), f"is declared twice, first in {declared[name]}, then in {again}")
        declared.setdefault(name, again)
        yield from _duplicate_keys(value, path_of_key)


def _place(mark: yaml.Mark) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"
