"""Which form a parameter has that does not name its distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertnado_metrics import did_you_mean

from .number_parsing import number_in
from .parameters import FORMS, keys_of, required_keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping

INFERRED = frozenset({"constant", "categorical", "categorical_w_probabilities", "int_uniform", "uniform"})
"""The distributions that a parameter's other keys can say."""

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
"""Every key that a parameter can have, the usual ones first."""


def infer_distribution(declared: Mapping[str, Any]) -> str | None:
    """Find the distribution as W&B infers it from the keys; `None` where it does not.

    Bounds that are both integers, quoted or not, make int_uniform, any other bounds uniform.
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
    """List the distributions that have all the keys of `declared` and need no other."""
    keys = declared.keys() - {"distribution"}
    return [name for name, form in FORMS.items() if set(required_keys_of(form)) <= keys <= set(keys_of(form))]


def explain_missing_form(declared: Mapping[str, Any]) -> str:
    """Say what a parameter lacks whose keys name no form."""
    needs = 'needs "value", "values", "min" and "max", or a "distribution"'
    if owners := owners_of(declared) if declared else []:
        return f'"distribution" is missing; {", ".join(declared)} can belong to {", ".join(owners)}'
    unknown = [key for key in declared if key not in PARAMETER_KEYS]
    if unknown:
        return "; ".join(
            [needs, *(f"{key!r} is no key of a parameter, {did_you_mean(key, PARAMETER_KEYS)}" for key in unknown)]
        )
    return needs


def _is_integer(value: Any) -> bool:
    number = number_in(value) if isinstance(value, str) else value
    return isinstance(number, int)
