"""The forms, by their name in a sweep file."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING

from .categorical import Categorical, CategoricalWithProbabilities, Constant
from .log_uniform import InvLogUniform, InvLogUniformValues, LogUniform, LogUniformValues
from .normal_and_beta import Beta, LogNormal, Normal
from .quantised import QBeta, QLogNormal, QLogUniform, QLogUniformValues, QNormal, QUniform
from .uniform import IntUniform, Uniform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .parameter import Parameter

FORMS: Mapping[str, type[Parameter]] = {
    form.distribution: form
    for form in (
        Constant,
        Categorical,
        CategoricalWithProbabilities,
        IntUniform,
        Uniform,
        QUniform,
        LogUniformValues,
        LogUniform,
        QLogUniformValues,
        QLogUniform,
        InvLogUniformValues,
        InvLogUniform,
        Normal,
        QNormal,
        LogNormal,
        QLogNormal,
        Beta,
        QBeta,
    )
}
"""The class of each distribution."""


def keys_of(form: type[Parameter]) -> tuple[str, ...]:
    """Return the keys of a parameter of this form in a file, except `distribution`."""
    return tuple(field.name for field in fields(form))


def required_keys_of(form: type[Parameter]) -> tuple[str, ...]:
    """Return the keys of the form that have no default."""
    return tuple(field.name for field in fields(form) if field.default is MISSING)
