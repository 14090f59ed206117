"""The forms that a parameter can have: one small class each, found by name in `FORMS`."""

from .base import InvalidParameterError, Mistake, Parameter
from .categorical import Categorical, CategoricalWithProbabilities, Constant
from .equality import repeated, value_key
from .log_uniform import InvLogUniform, InvLogUniformValues, LogUniform, LogUniformValues
from .quantised import QBeta, QLogNormal, QLogUniform, QLogUniformValues, QNormal, QUniform
from .registry import FORMS, keys_of, required_keys_of
from .tailed import Beta, LogNormal, Normal
from .uniform import IntUniform, Uniform

__all__ = [
    "Parameter",
    "Constant",
    "Categorical",
    "CategoricalWithProbabilities",
    "IntUniform",
    "Uniform",
    "QUniform",
    "LogUniform",
    "LogUniformValues",
    "QLogUniform",
    "QLogUniformValues",
    "InvLogUniform",
    "InvLogUniformValues",
    "Normal",
    "QNormal",
    "LogNormal",
    "QLogNormal",
    "Beta",
    "QBeta",
    "FORMS",
    "keys_of",
    "required_keys_of",
    "value_key",
    "repeated",
    "InvalidParameterError",
    "Mistake",
]
