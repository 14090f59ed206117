"""The JSON Schema of a sweep file, for editors that complete and check it.

`python -m bertnado_config.json_schema` prints it. It describes the recommended form of the file: quoted numbers, which
are read as well, are not valid in it, and it cannot express rules between keys, such as min below max.
"""

from dataclasses import is_dataclass
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from .early_termination import EARLY_TERMINATION_RULES
from .form_inference import INFERRED
from .parameter_section import NAME
from .parameters import FORMS, Parameter
from .sweep_file import SweepFile

_SECTION = {"$ref": "#/$defs/parameters"}


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, without titles that repeat names and without null, which means absent."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        return {key: value for key, value in described.items() if (key, value) != ("default", None)}


def sweep_config_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a sweep file."""
    schema = SweepFile.model_json_schema(schema_generator=_Generator)
    schema["properties"]["parameters"] = _SECTION
    schema["properties"]["early_terminate"] |= _rule_choice()
    schema["$defs"] |= {
        **{rule.__name__: _describe(rule) for rule in EARLY_TERMINATION_RULES.values()},
        **{name: _form_schema(form) for name, form in FORMS.items()},
        "nested": _nested_schema(),
        "parameters": _section_schema(),
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def _rule_choice() -> dict[str, Any]:
    rules = [{"$ref": f"#/$defs/{rule.__name__}"} for rule in EARLY_TERMINATION_RULES.values()]
    return rules[0] if len(rules) == 1 else {"anyOf": rules}


def _describe(declared: type) -> dict[str, Any]:
    """Describe a dataclass by its doc strings, and inherited fields by those of its bases."""
    schema = TypeAdapter(declared).json_schema(schema_generator=_Generator)
    for base in declared.__bases__:
        inherited: dict[str, Any] = _describe(base).get("properties", {}) if is_dataclass(base) else {}
        for name, field in inherited.items():
            schema["properties"][name] = field | schema["properties"][name]
    return schema


def _section_schema() -> dict[str, Any]:
    """Describe `parameters`."""
    return {
        "description": "The parameters of a trial, by name.",
        "type": "object",
        "propertyNames": {"pattern": f"^{NAME.pattern}$"},
        "additionalProperties": {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in (*FORMS, "nested")]},
        "minProperties": 1,
    }


def _nested_schema() -> dict[str, Any]:
    """Describe a parameter that contains parameters."""
    return {
        "description": "Parameters inside a parameter.",
        "type": "object",
        "properties": {"parameters": _SECTION},
        "required": ["parameters"],
        "additionalProperties": False,
    }


def _form_schema(form: type[Parameter]) -> dict[str, Any]:
    """Describe one form: its fields, and the distribution that names it."""
    schema = _describe(form)
    named = {"distribution": {"const": form.distribution, "description": "Name of the form."}}
    required = [*schema.get("required", []), *([] if form.distribution in INFERRED else ["distribution"])]
    return schema | {"properties": named | schema["properties"], "required": required}


if __name__ == "__main__":
    import json
    import sys

    sys.stdout.write(json.dumps(sweep_config_json_schema(), indent=2) + "\n")
