"""The forms of parameters: one small class each, by name in `FORMS`."""

from .categorical import Categorical, CategoricalWithProbabilities, Constant
from .log_uniform import InvLogUniform, InvLogUniformValues, LogUniform, LogUniformValues
from .normal_and_beta import Beta, LogNormal, Normal
from .parameter import InvalidParameterError, Mistake, Parameter
from .quantised import QBeta, QLogNormal, QLogUniform, QLogUniformValues, QNormal, QUniform
from .registry import FORMS, keys_of, required_keys_of
from .uniform import IntUniform, Uniform
from .value_equality import repeated, value_key

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
