"""The form of a parameter that does not name its distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertnado_metrics import did_you_mean

from .number_parsing import number_in
from .parameters import FORMS, keys_of, required_keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping

INFERRED = frozenset({"constant", "categorical", "categorical_w_probabilities", "int_uniform", "uniform"})
"""The distributions that can be inferred from a parameter's other keys."""

PARAMETER_KEYS = (
    "value",
    "values",
    "min",
    "max",
    "distribution",
    "probabilities",
    "q",
    "mu",
    "sigma",
    "a",
    "b",
    "parameters",
)
"""Every key of a parameter, the most common ones first."""


def infer_distribution(declared: Mapping[str, Any]) -> str | None:
    """Return the distribution that W&B infers from the keys; `None` if it infers none.

    Bounds that are both integers, quoted or not, mean int_uniform; any other bounds mean uniform.
    """
    if "values" in declared:
        return "categorical_w_probabilities" if "probabilities" in declared else "categorical"
    if "value" in declared:
        return "constant"
    if declared.keys() & {"min", "max"} and "q" not in declared:
        bounds = [declared[key] for key in ("min", "max") if key in declared]
        return "int_uniform" if all(map(_is_integer, bounds)) else "uniform"
    return None


def owners_of(declared: Mapping[str, Any]) -> list[str]:
    """Return the distributions that have all the keys of `declared` and require no other."""
    keys = declared.keys() - {"distribution"}
    return [name for name, form in FORMS.items() if set(required_keys_of(form)) <= keys <= set(keys_of(form))]


def explain_missing_form(declared: Mapping[str, Any]) -> str:
    """Return the message for a parameter whose form cannot be inferred."""
    needs = 'needs "value", "values", "min" and "max", or a "distribution"'
    if owners := owners_of(declared) if declared else []:
        return f'needs a "distribution"; {", ".join(declared)} fit {", ".join(owners)}'
    unknown = [key for key in declared if key not in PARAMETER_KEYS]
    if unknown:
        return "; ".join([needs, *(f"unknown key {key!r}, {did_you_mean(key, PARAMETER_KEYS)}" for key in unknown)])
    return needs


def _is_integer(value: Any) -> bool:
    number = number_in(value) if isinstance(value, str) else value
    return isinstance(number, int)
