"""Many training runs: proposing, recording, stopping and choosing the best."""

from .backends import register_backend
from .backends.wandb.service import ServiceError
from .options import SweepOptions
from .plan import Plan
from .planning import plan_sweep
from .records.best import NoEligibleTrialError
from .records.trial import Trial
from .running.limits import StorageError, TooManyFailuresError
from .running.stop_request import Interrupted
from .search import SearchMethod, register_method
from .status import SweepStatus, recorded_status, service_status
from .sweep import SweepResult, run_plan, run_sweep
from .sweeper import Sweeper

__all__ = [
    "run_sweep",
    "SweepResult",
    "Sweeper",
    "SweepOptions",
    "plan_sweep",
    "run_plan",
    "Plan",
    "Trial",
    "recorded_status",
    "service_status",
    "SweepStatus",
    "SearchMethod",
    "register_method",
    "register_backend",
    "NoEligibleTrialError",
    "TooManyFailuresError",
    "Interrupted",
    "ServiceError",
    "StorageError",
]
