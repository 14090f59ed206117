"""Measuring before the first trial what trials cost: steps, an evaluation, a checkpoint, memory."""

from .forecasting import forecast_trials

__all__ = ["forecast_trials"]
