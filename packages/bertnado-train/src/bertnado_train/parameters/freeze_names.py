"""The parameter namespace of what is not trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from bertnado_metrics import did_you_mean

from .namespace import ParameterNamespace, TrialSettings
from .value_types import show

if TYPE_CHECKING:
    from collections.abc import Mapping

Freeze = Literal["none", "embeddings", "backbone"] | int
"""The part of a model that is not trained: a number is the embeddings and so many of the lowest layers."""

_NAME = "freeze"
_CHOICES: tuple[Literal["none", "embeddings", "backbone"], ...] = ("none", "embeddings", "backbone")
_MISNOMERS = {
    **dict.fromkeys(("false", "off", "no", "nothing"), "none"),
    **dict.fromkeys(("true", "all", "base", "base_model", "body", "encoder", "model"), "backbone"),
}
_OTHER_NAMES = frozenset(
    {f"freeze_{part}" for part in ("backbone", "base", "base_model", "embeddings", "encoder", "layers")}
    | {"frozen", "frozen_layers", "num_frozen_layers", "n_frozen_layers", "unfreeze", "linear_probe"}
)
"""Names that are common elsewhere."""


class FreezeNames(ParameterNamespace):
    """`freeze`, which is `none`, `embeddings`, a number of layers, or `backbone`."""

    names = (_NAME,)

    def convert(self, name: str, value: Any) -> Freeze:
        """Convert a choice or a number of layers. No layers are the embeddings alone; null means `none`.

        Raises:
            ValueError: It is something else.
        """
        if value is None:
            return "none"
        for choice in _CHOICES:
            if value == choice:
                return choice
        layers = _whole_number(value)
        if layers is None:
            hint = did_you_mean(str(value), _CHOICES, suggestion=_MISNOMERS.get(str(value).lower()))
            raise ValueError(f"unknown value {show(value)}; {hint}, or a number of layers")
        if layers < 0:
            raise ValueError(f"the number of layers must be at least 0, got {show(value)}")
        return layers or "embeddings"

    def apply(self, values: Mapping[str, Any], settings: TrialSettings) -> None:
        """Set what the trial does not train."""
        settings.freeze = values[_NAME]

    def equivalent(self, name: str) -> str | None:
        """Return `freeze` for the names of other libraries that have its meaning."""
        return _NAME if name.lower().replace("-", "_") in _OTHER_NAMES else None

    def changes_cost(self, name: str) -> bool:
        """Return True: nothing is computed backwards through what is frozen."""
        return True


def _whole_number(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return int(number) if (number := float(value)).is_integer() else None
    except (ValueError, OverflowError):
        return None
