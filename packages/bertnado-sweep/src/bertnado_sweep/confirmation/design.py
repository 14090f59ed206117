"""The design of a confirmation: what each finalist is trained with, over seeds or over folds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from bertnado_sweep.records.confirmation import CONFIRMATION_DIRECTORY, FOLDS_DIRECTORY, Folds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FINALIST, SEED, FOLD = "finalist", "seed", "fold"
"""The parameters of a run: the number of the finalist's trial, as it is shown, the seed, and over folds the column and
the group that is validated on, `chromosome=chr1`: a sweep file would take the group `1` alone for a number."""

FEWEST = 2
"""A standard error needs two values."""


class Block(NamedTuple):
    """What all finalists are trained with once."""

    seed: int
    fold: str | None = None
    """The group that is validated on; None for the validation split."""

    def __str__(self) -> str:
        return f"seed {self.seed}" if self.fold is None else f"fold {self.fold}, seed {self.seed}"


@dataclass(frozen=True)
class Design:
    """The blocks of a confirmation, in their order: every finalist has a run in each."""

    blocks: tuple[Block, ...]
    folds: Folds | None = None
    """None for a confirmation over seeds."""

    @classmethod
    def of(cls, seeds: Sequence[int], folds: Folds | None = None) -> Design:
        """Return the design with these seeds, one for each block; over folds, the groups take turns.

        So every fold has its own seed, as often as there are seeds for it.
        """
        groups = (None,) if folds is None else folds.groups
        return cls(tuple(Block(seed, groups[number % len(groups)]) for number, seed in enumerate(seeds)), folds)

    @property
    def seeds(self) -> list[int]:
        """The seeds of all blocks."""
        return [block.seed for block in self.blocks]

    @property
    def directory(self) -> str:
        """The directory of the runs in the output directory of the sweep."""
        return CONFIRMATION_DIRECTORY if self.folds is None else FOLDS_DIRECTORY

    @property
    def units(self) -> str:
        """The name of what means are taken over."""
        return "seeds" if self.folds is None else "folds"

    def space(self, finalists: Sequence[int]) -> dict[str, Any]:
        """Return the parameters of a sweep file for the runs."""
        space = {FINALIST: {"values": list(finalists)}, SEED: {"values": self.seeds}}
        if self.folds is None:
            return space
        return {**space, FOLD: {"values": [self._named(group) for group in self.folds.groups]}}

    def run(self, finalist: int, block: Block) -> dict[str, Any]:
        """Return the parameters of a run."""
        run = {FINALIST: finalist, SEED: block.seed}
        return run if block.fold is None else {**run, FOLD: self._named(block.fold)}

    def block_of(self, run: Mapping[str, Any]) -> Block | None:
        """Return the block of a run; None if it belongs to another design."""
        return self._block_by_parameters.get((run[SEED], run.get(FOLD)))

    @cached_property
    def _block_by_parameters(self) -> dict[tuple[int, str | None], Block]:
        return {(block.seed, block.fold and self._named(block.fold)): block for block in self.blocks}

    def _named(self, group: str) -> str:
        return f"{self.folds.column if self.folds else ''}={group}"

    def describe(self) -> str:
        """Return what each finalist is trained with, in words."""
        if self.folds is None:
            return f"with {len(self.blocks)} fresh seeds"
        count = len(self.folds.groups)
        each = len(self.blocks) // count
        seeds = "a fresh seed" if each == 1 else f"{each} fresh seeds"
        return f"on {count} folds by {self.folds.column}, each with {seeds}"
