"""The `parameters` section of a sweep file, read into parameter forms, with the path of every mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

from bertnado_metrics import did_you_mean
from pydantic import TypeAdapter, ValidationError

from .errors import Problem
from .form_inference import PARAMETER_KEYS, explain_missing_form, infer_distribution, owners_of
from .number_parsing import read_words
from .parameter_paths import ParameterPath, parameter_label
from .parameters import FORMS, Parameter, keys_of, repeated, value_key
from .pydantic_errors import Vocabulary, join_path, problems_of
from .value_text import as_json, show

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
"""The parameter names that W&B accepts."""

EXPONENT_FORMS: Mapping[str, str] = {
    "log_uniform": "log_uniform_values",
    "inv_log_uniform": "inv_log_uniform_values",
    "q_log_uniform": "q_log_uniform_values",
}
"""The forms whose bounds are base-e exponents, each with the form whose bounds are values."""


class ParameterSection:
    """A `parameters` section, read completely whatever mistakes it has.

    Attributes:
        space: Every valid parameter by path, in the order of the file.
        document: The section for W&B: numbers as numbers, and every distribution named.
        problems: Every error and warning.
    """

    def __init__(self, declared: Mapping[Any, Any], *, path: str = "parameters") -> None:
        self.space: dict[ParameterPath, Parameter] = {}
        self.problems: list[Problem] = []
        self.document = self._read_section(declared, path, ())
        self._check_collisions(path)

    def _read_section(self, declared: Mapping[Any, Any], path: str, parents: ParameterPath) -> dict[str, Any]:
        if not declared:
            self._error(path, 'is empty; declare a parameter: {"learning_rate": {"min": ..., "max": ...}}')
        document: dict[str, Any] = {}
        for name, content in declared.items():
            place = join_path(path, str(name))
            if isinstance(name, str) and NAME.fullmatch(name):
                document[name] = self._read_parameter(content, place, (*parents, name))
            else:
                rule = "must start with a letter or _ and contain only letters, digits, _, - and ."
                self._error(place, f"a parameter name {rule}, got {show(name)}")
        return document

    def _read_parameter(self, content: Any, path: str, name: ParameterPath) -> dict[str, Any]:
        if not isinstance(content, Mapping):
            key, aim = (
                ("values", "to choose one of these") if isinstance(content, list) else ("value", "for a constant")
            )
            self._error(path, f'must be an object; {aim} write {{"{key}": {as_json(content)}}}')
            return {}
        declared = {str(key): value for key, value in cast("Mapping[Any, Any]", content).items()}
        if "parameters" in declared:
            return self._read_nested(declared, path, name)
        if _looks_nested(declared):
            names = ", ".join(f'"{inner}": ...' for inner in declared)
            self._error(path, f'nested parameters belong under "parameters": {{"parameters": {{{names}}}}}')
            return {}
        return self._read_form(declared, path, name)

    def _read_nested(self, declared: Mapping[str, Any], path: str, name: ParameterPath) -> dict[str, Any]:
        for key in declared:
            if key != "parameters":
                self._error(join_path(path, key), 'must not appear beside "parameters"; remove it')
        inner = declared["parameters"]
        place = join_path(path, "parameters")
        if not isinstance(inner, Mapping):
            self._error(place, f"must be an object of parameters, got {show(inner)}")
            return {}
        return {"parameters": self._read_section(cast("Mapping[Any, Any]", inner), place, name)}

    def _read_form(self, declared: dict[str, Any], path: str, name: ParameterPath) -> dict[str, Any]:
        distribution = self._distribution(declared, path)
        if distribution is None:
            return {}
        declared.pop("distribution", None)
        self._read_listed(declared, path)
        try:
            parameter = _adapter(distribution).validate_python(declared)
        except ValidationError as error:
            self.problems += problems_of(error, path=path, vocabulary=_vocabulary(distribution, declared))
            return {}
        self.space[name] = parameter
        self._warn_of_exponents(parameter, path)
        return {"distribution": distribution} | _to_document(parameter, declared)

    def _distribution(self, declared: Mapping[str, Any], path: str) -> str | None:
        """Return the name of the form; `None` after an error."""
        distribution = declared.get("distribution")
        if distribution is None:
            inferred = infer_distribution(declared)
            if inferred is None:
                self._error(path, explain_missing_form(declared))
            return inferred
        if isinstance(distribution, str) and distribution in FORMS:
            return distribution
        place = join_path(path, "distribution")
        self._error(place, f"unknown distribution {show(distribution)}; {did_you_mean(str(distribution), FORMS)}")
        return None

    def _read_listed(self, declared: dict[str, Any], path: str) -> None:
        """Convert strings in `value` and `values` that spell numbers, with warnings about what may be unintended."""
        for key in [key for key in ("value", "values") if key in declared]:
            declared[key], remarks = read_words(declared[key])
            for remark in remarks:
                self._warn(join_path(path, key), remark)
        value, values = declared.get("value"), declared.get("values")
        if isinstance(value, list) and values is None:
            whole = f"every trial gets the whole list {as_json(value)}"
            self._warn(join_path(path, "value"), f'{whole}; to choose from it write "values"')
        if isinstance(values, list) and "probabilities" not in declared:
            declared["values"] = self._without_repeated(cast("list[Any]", values), join_path(path, "values"))

    def _without_repeated(self, values: list[Any], path: str) -> list[Any]:
        for value in repeated(values):
            self._warn(path, f'{show(value)} is listed twice and counts once; use "probabilities" to weight values')
        unique: dict[str, Any] = {}
        for value in values:
            unique.setdefault(value_key(value), value)
        return list(unique.values())

    def _warn_of_exponents(self, parameter: Parameter, path: str) -> None:
        instead = EXPONENT_FORMS.get(parameter.distribution)
        if instead and parameter.bounds:
            lowest, highest = parameter.bounds
            self._warn(
                path,
                f"min and max of {parameter.distribution} are base-e exponents, so values run from {lowest:.6g} to "
                f'{highest:.6g}; for bounds that are values write "distribution": "{instead}"',
            )

    def _check_collisions(self, path: str) -> None:
        labels: set[str] = set()
        for name in self.space:
            label = parameter_label(name)
            if label in labels:
                self._error(join_path(path, label), "is declared twice, nested and with a dot in its name; keep one")
            labels.add(label)

    def _error(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def _warn(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message, "warning"))


@cache
def _adapter(distribution: str) -> TypeAdapter[Parameter]:
    return TypeAdapter(FORMS[distribution])


def _vocabulary(distribution: str, declared: Mapping[str, Any]) -> Vocabulary:
    keys = keys_of(FORMS[distribution])
    misplaced = [key for key in declared if key in PARAMETER_KEYS and key not in keys]
    rule = f"in {distribution}, which takes {' and '.join(keys)}"
    owners = owners_of(declared)
    hint = f"; these keys together belong to {', '.join(owners)}" if owners else ""
    return Vocabulary(distribution, {"": keys}, {key: f"unknown key {key!r} {rule}{hint}" for key in misplaced})


def _looks_nested(declared: Mapping[str, Any]) -> bool:
    """Return whether this is an object of parameters rather than a parameter."""
    usual_keys = {"value", "values", "min", "max", "distribution", "probabilities"}
    return bool(declared) and all(
        isinstance(content, Mapping) and key not in usual_keys for key, content in declared.items()
    )


def _to_document(parameter: Parameter, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of the file with the converted values; `min` and `max` have the same type."""
    written = {key: getattr(parameter, key) for key in declared}
    if any(isinstance(written.get(key), float) for key in ("min", "max")):
        written |= {key: float(written[key]) for key in ("min", "max")}
    return {
        key: list(cast("Sequence[Any]", value)) if isinstance(value, tuple) else value for key, value in written.items()
    }
