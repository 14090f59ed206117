"""The list of parameter namespaces, and all operations on parameters by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from bertnado_config import ParameterPath, parameter_label
from bertnado_metrics import nearest

from .class_weight_names import ClassWeightNames
from .contradictions import require_consistent
from .freeze_names import FreezeNames
from .learning_rate_names import LearningRateNames
from .lora_names import LoraNames
from .model_config_names import ModelConfigNames
from .namespace import ParameterNamespace, TrialSettings
from .strand_names import StrandNames
from .training_argument_names import TrainingArgumentNames

NAMESPACES: tuple[ParameterNamespace, ...] = (
    TrainingArgumentNames(),
    ClassWeightNames(),
    LearningRateNames(),
    LoraNames(),
    ModelConfigNames(),
    FreezeNames(),
    StrandNames(),
)
"""A name belongs to the first namespace that knows it."""


class ConvertedParameter(NamedTuple):
    """A parameter of a trial with its converted value."""

    namespace: ParameterNamespace
    name: str
    target: str
    value: Any


def namespace_of(name: str) -> ParameterNamespace:
    """Return the namespace that knows `name`.

    Raises:
        ValueError: None does; the message says what to do instead, or suggests the most similar name.
    """
    for namespace in NAMESPACES:
        if namespace.knows(name):
            return namespace
    for explanation in (namespace.explain(name) for namespace in NAMESPACES):
        if explanation:
            raise ValueError(f"{name!r} is not a parameter of a trial: {explanation}")
    for meant in (namespace.equivalent(name) for namespace in NAMESPACES):
        if meant:
            raise ValueError(f"unknown parameter {name!r}; did you mean {meant!r}?")
    suggestions = [suggestion for namespace in NAMESPACES if (suggestion := namespace.suggest(name))]
    if not suggestions:
        raise ValueError(f"unknown parameter {name!r}; see the fields of transformers' TrainingArguments")
    raise ValueError(f"unknown parameter {name!r}; did you mean {nearest(name, suggestions) or suggestions[0]!r}?")


def is_understood(name: str) -> bool:
    """Return whether a namespace can say what an unknown name stands for, beyond similar names."""
    return any(namespace.explain(name) or namespace.equivalent(name) for namespace in NAMESPACES)


def target_of(name: str) -> str:
    """Return what the parameter `name` sets; the target of an unknown parameter is its name."""
    return next((namespace.target(name) for namespace in NAMESPACES if namespace.knows(name)), name)


def named_values(parameters: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each parameter as (name, value), those in an object of parameters as `object.name`."""
    for name, value in parameters.items():
        if isinstance(value, Mapping) and _holds_parameters(name):
            for inner, inner_value in cast("Mapping[str, Any]", value).items():
                yield f"{name}.{inner}", inner_value
        else:
            yield name, value


def object_parameter(path: ParameterPath) -> ParameterPath:
    """Return the part of a path that names a parameter whose value is an object; the whole path if none does.

    `("lr_scheduler_kwargs", "num_cycles")` is an entry of the parameter `("lr_scheduler_kwargs",)`.
    """
    for length in range(1, len(path)):
        name = parameter_label(path[:length])
        if any(namespace.knows(name) and namespace.takes_object(name) for namespace in NAMESPACES):
            return path[:length]
    return path


def convert_parameters(parameters: Mapping[str, Any]) -> list[ConvertedParameter]:
    """Convert each value to the type of its parameter, without the parameters that BertNado sets itself.

    Raises:
        ValueError: A name is unknown, a value is refused, or two parameters have the same target.
    """
    converted: dict[str, ConvertedParameter] = {}
    for name, value in named_values(parameters):
        namespace = namespace_of(name)
        if namespace.is_managed(name):
            continue
        target = namespace.target(name)
        if target in converted:
            raise ValueError(f"{name}: {converted[target].name!r} sets {target!r} as well; keep one of them")
        try:
            converted[target] = ConvertedParameter(namespace, name, target, namespace.convert(name, value))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return list(converted.values())


def trial_settings(parameters: Mapping[str, Any]) -> TrialSettings:
    """Return the settings of a trial that follow from its parameters.

    Raises:
        ValueError: A name is unknown, a value is refused, or parameters contradict each other.
    """
    converted = convert_parameters(parameters)
    settings = TrialSettings()
    for namespace in NAMESPACES:
        values = {parameter.target: parameter.value for parameter in converted if parameter.namespace is namespace}
        if values:
            namespace.apply(values, settings)
    require_consistent(settings)
    return settings


def override_parameters(parameters: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two sets of parameters; one of `overrides` replaces all that have the same target."""
    overridden = {target_of(name) for name, _ in named_values(overrides)}
    kept: dict[str, Any] = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping) and _holds_parameters(name):
            inner = cast("Mapping[str, Any]", value)
            kept[name] = {key: item for key, item in inner.items() if target_of(f"{name}.{key}") not in overridden}
        elif target_of(name) not in overridden:
            kept[name] = value
    return kept | dict(overrides)


def _holds_parameters(name: str) -> bool:
    return any(namespace.holds_parameters(name) for namespace in NAMESPACES)
