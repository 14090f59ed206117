"""What a sweep relies on in every backend."""

from .budget import BudgetTests
from .checkpoints import CheckpointTests
from .failures import FailureTests
from .interruption import InterruptionTests
from .invalid_input import InvalidInputTests
from .results import ResultTests
from .searching import SearchingTests

__all__ = ["BackendSuite"]


class BackendSuite(
    ResultTests,
    FailureTests,
    BudgetTests,
    SearchingTests,
    InterruptionTests,
    InvalidInputTests,
    CheckpointTests,
):
    """Conformance tests for a backend: a `BackendType` and the `Backend` that it creates.

    A subclass provides the fixture `backend_type`, and says with its attributes what the backend leaves to others. Each
    test runs a sweep of a few trials that take no time, with one worker.
    """
