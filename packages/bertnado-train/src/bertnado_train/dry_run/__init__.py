"""Measuring before the first trial what trials cost: steps, an evaluation, a checkpoint, memory."""

from .forecasting import forecast_trials
from .other_process import OtherProcess, ProcessDiedError, UnreachableProcessError

__all__ = ["OtherProcess", "ProcessDiedError", "UnreachableProcessError", "forecast_trials"]
