"""The baselines. Each is one object; to add a baseline, add an object to `BASELINES`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .constant import ConstantBaseline
from .features import COMPOSITION, KMERS, POSITIONS, TOKENS
from .linear import LinearBaseline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .protocol import Baseline

_ALL: tuple[Baseline, ...] = (
    ConstantBaseline(),
    LinearBaseline("composition", COMPOSITION),
    LinearBaseline("k-mers", KMERS),
    LinearBaseline("tokens", TOKENS),
    LinearBaseline("positions", POSITIONS),
)
BASELINES: Mapping[str, Baseline] = {baseline.name: baseline for baseline in _ALL}
"""Every baseline by name, in the order in which they are shown."""
