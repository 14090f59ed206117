"""Answering a GraphQL document from plain dictionaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

import graphql
from graphql.language import ast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Arguments: TypeAlias = Mapping[str, Any]
    """The arguments of a field, by name, without those that are null."""

    Resolver: TypeAlias = Callable[[Arguments], Any]

    Fields: TypeAlias = dict[str, Any]
    """The fields of an object: values, and resolvers that take the arguments of the field."""


class GraphQLRequest:
    """One operation of a document, with its variables."""

    def __init__(self, query: str, variables: Mapping[str, Any] | None) -> None:
        definitions = graphql.parse(query).definitions
        fragments = [node for node in definitions if isinstance(node, ast.FragmentDefinitionNode)]
        self._fragments = {node.name.value: node for node in fragments}
        (self._operation,) = [node for node in definitions if isinstance(node, ast.OperationDefinitionNode)]
        defaults = {
            definition.variable.name.value: graphql.value_from_ast_untyped(definition.default_value)
            for definition in self._operation.variable_definitions or ()
            if definition.default_value is not None
        }
        self._variables = defaults | _without_nulls(variables or {})

    @property
    def name(self) -> str:
        """The name of the operation, or of its first field."""
        if self._operation.name is not None:
            return self._operation.name.value
        return cast("ast.FieldNode", self._operation.selection_set.selections[0]).name.value

    def answer(self, source: Fields, unsupported: set[str]) -> Fields:
        """Resolve each field; the paths of those that `source` lacks are added to `unsupported`."""
        return self._select(self._operation.selection_set, source, unsupported, self.name)

    def _select(
        self, selection_set: ast.SelectionSetNode, source: Fields, unsupported: set[str], path: str
    ) -> dict[str, Any]:
        selected: dict[str, Any] = {}
        for node in selection_set.selections:
            if isinstance(node, ast.FieldNode):
                key = (node.alias or node.name).value
                selected[key] = self._resolve(node, source, unsupported, f"{path}.{node.name.value}")
            elif isinstance(node, ast.FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                selected |= self._select(fragment.selection_set, source, unsupported, path)
            elif isinstance(node, ast.InlineFragmentNode):
                selected |= self._select(node.selection_set, source, unsupported, path)
        return selected

    def _resolve(self, node: ast.FieldNode, source: Fields, unsupported: set[str], path: str) -> Any:
        name = node.name.value
        if name == "__typename":
            return source.get(name, "Thing")
        if name not in source:
            unsupported.add(path)
            return None
        value: Any = source[name]
        if callable(value):
            arguments = {argument.name.value: self._value(argument.value) for argument in node.arguments or ()}
            value = value(_without_nulls(arguments))
        if node.selection_set is None or value is None:
            return value
        if isinstance(value, list):
            items = cast("list[Fields]", value)
            return [self._select(node.selection_set, item, unsupported, path) for item in items]
        return self._select(node.selection_set, value, unsupported, path)

    def _value(self, node: ast.ValueNode) -> Any:
        if isinstance(node, ast.VariableNode):
            return self._variables.get(node.name.value)
        if isinstance(node, ast.ObjectValueNode):
            return _without_nulls({field.name.value: self._value(field.value) for field in node.fields})
        return graphql.value_from_ast_untyped(node)


def _without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
