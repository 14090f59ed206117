"""YAML parsing with the location of every mistake, duplicate keys included."""

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
"""The number of characters that count as one more value, because an alias may repeat a long text."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, restricted to JSON values; a date stays text.

    The values of a document are counted while it is composed, those of an alias as often as it is used.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._open = 0
        self._composed = 0
        self._extents: dict[yaml.Node, tuple[int, int]] = {}
        """The number of values that a node expands to, and their depth."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose the next node, unless it is too deep or there are too many."""
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
                message = f"an alias must not be inside its own anchor, got *{event.anchor}; write its content out"
                raise ConstructorError(None, None, message, event.start_mark)
            self._extents[node] = self._extent(node)
        values, depth = self._extents[node]
        self._limit(values, depth + self._open, event)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Construct the value of a node; a value that does not match its tag is reported with its location."""
        if node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
            message = f"a number must have at most {_LONGEST_NUMBER} characters, got {len(node.value):,}; shorten it"
            raise ConstructorError(None, None, message, node.start_mark)
        try:
            return super().construct_object(node, deep)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        except (ValueError, LookupError, AttributeError, TypeError, OverflowError):
            message = (
                f"must be a valid {node.tag.removeprefix(_TAG)}, got {node.value!r}; correct it, or remove the tag"
            )
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
    """Parse YAML.

    Raises:
        InvalidInputError: There is a syntax error or a duplicate key, or the document expands beyond the limits; with
            line and column.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        problems = [] if node is None else list(_duplicate_keys(node, ()))
        content = None if node is None else _construct(loader, node)
    except yaml.MarkedYAMLError as error:
        raise InvalidInputError([Problem("", _explain(error))], source=source) from None
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
    "'\\t'": "indent with spaces, not tabs",
    "could not determine a constructor": "remove the tag; a document holds only JSON values",
    "unhashable key": "use a string as the key",
    "undefined alias": "define its anchor first, or quote the text",
    "for merging": "write << before an alias of an object",
}
"""The cures for PyYAML's errors, by a part of their message."""


def _explain(error: yaml.MarkedYAMLError) -> str:
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
    """Yield the duplicate keys of the mappings in `node`."""
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
