"""The parameter namespace of adapters: LoRA and its variants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Interval
from pydantic import AfterValidator, BeforeValidator, TypeAdapter

from bertnado_train.adapter import Adapter
from bertnado_train.adapter_targets import ALL_LINEAR, AUTO

from .namespace import Interaction, ParameterNamespace, TrialSettings
from .value_types import ValueType, broken_rule, show, value_type

if TYPE_CHECKING:
    from collections.abc import Mapping

_RANK, _ALPHA, _DROPOUT, _TARGETS = "lora_r", "lora_alpha", "lora_dropout", "lora_target_modules"
_RSLORA, _DORA = "use_rslora", "use_dora"
_ALPHA_PER_RANK = 2
"""The default of `lora_alpha`, in units of `lora_r`: adapters of all ranks are scaled alike."""


def _read_targets(value: Any) -> str | tuple[str, ...]:
    if value in (AUTO, ALL_LINEAR):
        return value
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names or not all(isinstance(n, str) and n.strip() for n in names):
        raise broken_rule(f"must be {AUTO}, {ALL_LINEAR} or a list of names of modules, got {show(value)}")
    return tuple(name.strip() for name in names)


def _read_rank(rank: int) -> int:
    if rank < 0:
        raise broken_rule(f"must be at least 1, or 0 to train the whole model, got {rank}")
    return rank


_TYPES = {
    _RANK: value_type(int, rule=AfterValidator(_read_rank)),
    _ALPHA: value_type(float, bounds=Interval(gt=0)),
    _DROPOUT: value_type(float, bounds=Interval(ge=0, lt=1)),
    _TARGETS: ValueType(TypeAdapter(Annotated[Any, BeforeValidator(_read_targets)]), "names of modules"),
    _RSLORA: value_type(bool),
    _DORA: value_type(bool),
}
_MISNOMERS = {
    **dict.fromkeys(("r", "rank", "lora_rank", "lora", "lora_dim", "use_lora", "use_peft"), _RANK),
    **dict.fromkeys(("alpha", "lora_scaling"), _ALPHA),
    **dict.fromkeys(("target_modules", "lora_modules", "lora_targets", "lora_target"), _TARGETS),
    **dict.fromkeys(("rslora", "lora_use_rslora"), _RSLORA),
    **dict.fromkeys(("dora", "lora_use_dora"), _DORA),
}
_NOT_PARAMETERS = {
    "modules_to_save": "the head of the model is always trained whole and saved; remove it",
    "lora_bias": "biases below the head are not trained; remove it",
    "peft_config": f"write {_RANK}, {_ALPHA}, {_DROPOUT} and {_TARGETS}",
}


class LoraNames(ParameterNamespace):
    """`lora_r`, the rank of adapters, which are trained in place of the weights below the head, and their settings.

    Without `lora_r`, or with 0, the whole model is trained.
    """

    names = tuple(_TYPES)

    def convert(self, name: str, value: Any) -> Any:
        """Convert `value` to the type of the parameter.

        Raises:
            ValueError: The parameter does not accept `value`.
        """
        return _TYPES[name].convert(value)

    def apply(self, values: Mapping[str, Any], settings: TrialSettings) -> None:
        """Set the adapters of the trial.

        Raises:
            ValueError: There are settings of adapters without their rank.
        """
        if _RANK not in values:
            others = ", ".join(name for name in self.names if name in values)
            raise ValueError(f"{_RANK}, the rank of adapters, must be set beside {others}; add it, or remove {others}")
        rank = values[_RANK]
        if rank:
            settings.adapter = Adapter(
                rank,
                _whole_if_possible(values.get(_ALPHA, _ALPHA_PER_RANK * rank)),
                values.get(_DROPOUT, 0.0),
                values.get(_TARGETS, AUTO),
                values.get(_RSLORA, False),
                values.get(_DORA, False),
            )

    def equivalent(self, name: str) -> str | None:
        """Return the name that a name of peft stands for."""
        return _MISNOMERS.get(name.lower())

    def explain(self, name: str) -> str | None:
        """Return what to do instead of setting what peft has and a trial does not."""
        return _NOT_PARAMETERS.get(name.lower())

    def interaction(self, name: str) -> Interaction:
        """Return `combined` for what determines the modules and their weights, of which some cannot be combined."""
        return "none" if name in (_ALPHA, _RSLORA) else "combined"

    def changes_cost(self, name: str) -> bool:
        """Return whether a step trains more weights with some values than with others, or other ones."""
        return name not in (_ALPHA, _RSLORA, _DROPOUT)


def _whole_if_possible(alpha: float) -> float:
    return int(alpha) if alpha == int(alpha) else alpha
