"""The scale of a parameter in figures: linear, logarithmic or choices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bertnado_config import value_key

from .figure import label
from .wording import value_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .material import Material

_WIDE = 100
"""The ratio of the greatest to the smallest value from which a scale is logarithmic."""


@dataclass(frozen=True)
class Scale:
    """The scale of a parameter."""

    kind: Literal["linear", "log", "choices"]
    choices: tuple[str, ...] = ()
    """The labels of the choices, in order."""
    keys: tuple[str, ...] = ()
    """The key of each choice."""

    def place_of(self, value: Any) -> float:
        """Return the place of a value on an axis: the number, its decimal logarithm, or the index of the choice."""
        if self.kind == "choices":
            return float(self.keys.index(value_key(value)))
        return math.log10(value) if self.kind == "log" else float(value)


def scale_of(material: Material, name: str) -> Scale:
    """Return the scale on which the trials with a value differ in a parameter; not all of them need to have it."""
    values = [material.parameters[trial.number].get(name) for trial in material.eligible]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    form = material.space.get(name)
    is_listed = form is not None and form.choices is not None and len(form.choices) <= 12 and form.bounds is None
    if len(numbers) < len(values) or is_listed:
        return _choices(values)
    is_log = form is not None and "log" in form.distribution
    is_wide = min(numbers) > 0 and max(numbers) / min(numbers) >= _WIDE
    return Scale("log" if min(numbers) > 0 and (is_log or is_wide) else "linear")


def _choices(values: Sequence[Any]) -> Scale:
    found = {value_key(value): value for value in values}
    ordered = sorted(found.items(), key=lambda item: _order(item[1]))
    return Scale(
        "choices", tuple(label(value_text(value), 18) for _, value in ordered), tuple(key for key, _ in ordered)
    )


def _order(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, float(value), ""
    return 1, 0.0, value_text(value)
