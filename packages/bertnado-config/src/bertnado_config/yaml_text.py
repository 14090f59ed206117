"""YAML with the place of every mistake, duplicate keys included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from .errors import Problem, SweepConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, but a date stays the text that it is: no sweep varies dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str, *, source: str | None = None) -> Any:
    """Read a YAML text.

    Raises:
        SweepConfigError: The syntax is broken or a mapping has a key twice; with line and column.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        problems = [] if node is None else list(_duplicate_keys(node, ""))
        content = None if node is None else _construct(loader, node)
    except yaml.MarkedYAMLError as error:
        raise SweepConfigError([Problem("", _explained(error))], source=source) from None
    except (yaml.YAMLError, ValueError) as error:
        raise SweepConfigError([Problem("", str(error))], source=source) from None
    except RecursionError:
        raise SweepConfigError([Problem("", "is nested too deeply, or contains itself")], source=source) from None
    if problems:
        raise SweepConfigError(problems, source=source)
    return content


def _construct(loader: _Loader, node: yaml.Node) -> Any:
    return loader.construct_document(node)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def _explained(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"{_place(mark)}: " if mark else ""
    message = ", ".join(part for part in (error.context, error.problem) if part)
    cure = "; indent with spaces, not with tabs" if "'\\t'" in message else ""
    return f"{place}{message}{cure}"


def _duplicate_keys(node: yaml.Node, path: str) -> Iterator[Problem]:
    """Yield every key that a mapping below `node` has had before."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _duplicate_keys(item, path)
    if not isinstance(node, yaml.MappingNode):
        return
    declared: dict[str, str] = {}
    for key, value in node.value:
        name, again = str(key.value), _place(key.start_mark)
        path_of_key = f"{path}.{name}" if path else name
        if name in declared:
            yield Problem(path_of_key, f"is declared twice, first in {declared[name]}, then in {again}")
        declared.setdefault(name, again)
        yield from _duplicate_keys(value, path_of_key)


def _place(mark: yaml.Mark) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"
