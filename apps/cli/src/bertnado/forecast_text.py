"""The forecast of a sweep in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertnado_sweep.records.files import describe_bytes

from bertnado.pace import describe_estimate, describe_step

if TYPE_CHECKING:
    from bertnado_config import Forecast
    from bertnado_sweep import SweepForecast


def describe_forecast(forecast: SweepForecast) -> list[str]:
    """Return what a sweep will probably take, in lines like those of the plan."""
    measured = forecast.measured
    rows = {
        "forecast": f"measured in {describe_estimate(measured.took)}: {measured.measured}",
        "a step": _steps(measured),
        "evaluation": _evaluation(forecast),
        "checkpoint": None if measured.checkpoint_bytes is None else describe_bytes(measured.checkpoint_bytes),
        "memory": _memory(measured),
        "a trial": _trial(forecast),
        "the sweep": _sweep(forecast),
        "time limit": _in_time(forecast),
    }
    return [f"{name:13} {text}" for name, text in rows.items() if text is not None]


def summarise_forecast(forecast: SweepForecast) -> str:
    """Return the forecast in one line, for the beginning of a sweep."""
    in_time = _in_time(forecast)
    return f"forecast: a trial {_trial(forecast)}; the sweep {_sweep(forecast)}" + (f"; {in_time}" if in_time else "")


def _steps(measured: Forecast) -> str | None:
    if measured.median_step is None or measured.longest_step is None:
        return None
    of = "" if measured.batch is None else f" of {measured.batch} rows"
    return (
        f"{describe_step(measured.median_step)} with a batch{of} of median length, "
        f"{describe_step(measured.longest_step)} with the longest"
    )


def _evaluation(forecast: SweepForecast) -> str | None:
    each = forecast.measured.evaluation
    return None if each is None else f"{describe_step(each)} each, {forecast.evaluation_share:.0%} of the trials"


def _memory(measured: Forecast) -> str | None:
    if measured.memory_bytes is None:
        return None
    fit = measured.trials_per_gpu
    beside = "" if fit is None else f", so {fit} {'trial fits' if fit == 1 else 'trials fit'} on one GPU"
    return f"{describe_bytes(measured.memory_bytes)} at most{beside}"


def _trial(forecast: SweepForecast) -> str:
    shortest, longest = (
        describe_estimate(trial.seconds) for trial in (forecast.measured.shortest, forecast.measured.longest)
    )
    if shortest == longest:
        return longest
    return f"{shortest} to {longest}, median {describe_estimate(forecast.median_trial)}"


def _sweep(forecast: SweepForecast) -> str:
    count = len(forecast.trials)
    by = f" by {forecast.workers} workers" if forecast.workers > 1 else ""
    text = f"{describe_estimate(forecast.seconds)} for {count} trial{'s' * (count > 1)}{by}"
    if forecast.seconds == forecast.whole_seconds:
        return text
    return f"{text} with early termination, {describe_estimate(forecast.whole_seconds)} at most"


def _in_time(forecast: SweepForecast) -> str | None:
    if forecast.in_time is None or forecast.time_limit is None:
        return None
    return f"{forecast.in_time} of {len(forecast.trials)} trials end within {describe_estimate(forecast.time_limit)}"
