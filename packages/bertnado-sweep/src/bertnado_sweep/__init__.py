"""Many training runs: proposing, recording, stopping and choosing the best."""

from .backends.wandb.environment import BackendName, is_inside_agent, project_problems
from .backends.wandb.service import ServiceError
from .plan import Plan, SweepOptions, plan_sweep, require_backend
from .records.best import BEST_DETAILS_FILE, KeepCheckpoints, NoEligibleTrialError, best_so_far, choose_best
from .records.files import output_problems
from .records.secrets import masked_words
from .records.trial import Trial, TrialState
from .resume import RecordedSweep, find_recorded, require_recorded
from .running.events import (
    Event,
    Note,
    Observer,
    RunStarted,
    SweepStarted,
    TrialEnded,
    TrialEvaluated,
    TrialProgress,
    TrialStarted,
)
from .running.function_trainer import FunctionTrainer
from .running.limits import StorageError, TooManyFailuresError
from .running.stop_request import Interrupted
from .running.tracker import Tracker
from .search.propose import propose
from .single_run import single_run
from .status import SweepStatus, recorded_status, service_status
from .sweep import SweepResult, run_plan, run_sweep
from .sweeper import Sweeper

__all__ = [
    "run_sweep",
    "SweepResult",
    "Sweeper",
    "plan_sweep",
    "run_plan",
    "require_backend",
    "single_run",
    "output_problems",
    "BackendName",
    "BEST_DETAILS_FILE",
    "Plan",
    "SweepOptions",
    "FunctionTrainer",
    "KeepCheckpoints",
    "NoEligibleTrialError",
    "TooManyFailuresError",
    "Interrupted",
    "RecordedSweep",
    "StorageError",
    "find_recorded",
    "require_recorded",
    "masked_words",
    "choose_best",
    "best_so_far",
    "propose",
    "Trial",
    "TrialState",
    "Tracker",
    "Event",
    "Observer",
    "SweepStarted",
    "RunStarted",
    "TrialStarted",
    "TrialProgress",
    "TrialEvaluated",
    "TrialEnded",
    "Note",
    "SweepStatus",
    "recorded_status",
    "service_status",
    "ServiceError",
    "is_inside_agent",
    "project_problems",
]
