"""Conformance suites for trainers, search methods and backends, and a W&B server for tests.

A test class inherits from a suite and provides its fixtures; it then has all tests of the suite. The fixture
`wandb_server` is in `bertnado_sweep.testing.fixtures`. Installed with `bertnado-sweep[testing]`.
"""

try:
    import pytest

    from .wandb_server import WandbServer
except ModuleNotFoundError as error:
    message = f"bertnado_sweep.testing requires {error.name}; install bertnado-sweep[testing]"
    raise ModuleNotFoundError(message, name=error.name) from error

pytest.register_assert_rewrite("bertnado_sweep.testing.fixtures", "bertnado_sweep.testing.suites")

from .recording_report import RecordingReport  # noqa: E402 (the suites are imported after their registration)
from .suites import BackendSuite, SearchMethodSuite, TrainerSuite  # noqa: E402

__all__ = ["TrainerSuite", "SearchMethodSuite", "BackendSuite", "RecordingReport", "WandbServer"]
