"""A first sweep file: the space around the published settings of a model, for a dataset and a number of trials."""

from .choices import DraftInputs
from .text import SweepDraft, draft_sweep

__all__ = ["draft_sweep", "DraftInputs", "SweepDraft"]
