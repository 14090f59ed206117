"""Answer a GraphQL document from plain dictionaries, and note what they do not hold."""

import graphql
from graphql.language import ast


class Request:
    """One operation of a document, with its variables."""

    def __init__(self, query, variables):
        document = graphql.parse(query)
        self.fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, ast.FragmentDefinitionNode)
        }
        (self.operation,) = [node for node in document.definitions if isinstance(node, ast.OperationDefinitionNode)]
        defaults = {
            definition.variable.name.value: graphql.value_from_ast_untyped(definition.default_value)
            for definition in self.operation.variable_definitions or ()
            if definition.default_value is not None
        }
        self.variables = defaults | {name: value for name, value in (variables or {}).items() if value is not None}

    @property
    def name(self):
        """The operation's name, or that of its first field."""
        if self.operation.name is not None:
            return self.operation.name.value
        return self.operation.selection_set.selections[0].name.value

    def answer(self, resolvers, unmodelled):
        """Resolve each field; `resolvers` maps a field to a value or to a function of its arguments.

        Names of fields that nothing is known of are added to `unmodelled`.
        """
        return self._select(self.operation.selection_set, resolvers, unmodelled, self.name)

    def _select(self, selection_set, source, unmodelled, path):
        chosen = {}
        for node in selection_set.selections:
            if isinstance(node, ast.FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                chosen |= self._select(fragment.selection_set, source, unmodelled, path)
            elif isinstance(node, ast.InlineFragmentNode):
                chosen |= self._select(node.selection_set, source, unmodelled, path)
            else:
                name = node.name.value
                key = node.alias.value if node.alias else name
                chosen[key] = self._field(node, source, unmodelled, f"{path}.{name}")
        return chosen

    def _field(self, node, source, unmodelled, path):
        name = node.name.value
        if name == "__typename":
            return source.get(name, "Thing")
        if name not in source:
            unmodelled.add(path)
            return None
        value = source[name]
        if callable(value):
            given = {argument.name.value: self._value(argument.value) for argument in node.arguments or ()}
            value = value(**{argument: item for argument, item in given.items() if item is not None})
        if node.selection_set is None or value is None:
            return value
        if isinstance(value, list):
            return [self._select(node.selection_set, item, unmodelled, path) for item in value]
        return self._select(node.selection_set, value, unmodelled, path)

    def _value(self, node):
        if isinstance(node, ast.VariableNode):
            return self.variables.get(node.name.value)
        if isinstance(node, ast.ObjectValueNode):
            fields = {field.name.value: self._value(field.value) for field in node.fields}
            return {name: value for name, value in fields.items() if value is not None}
        return graphql.value_from_ast_untyped(node)
