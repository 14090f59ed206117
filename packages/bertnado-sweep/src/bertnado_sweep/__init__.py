"""Many training runs: proposing, recording, stopping and choosing the best."""

from .best import BEST_DETAILS_FILE, KeepCheckpoints, NoEligibleTrialError, best_so_far, choose_best
from .events import (
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
from .function_trainer import FunctionTrainer
from .hyperband import EarlyTermination
from .limits import StorageError, TooManyFailuresError
from .plan import Plan, SweepOptions, plan_sweep, require_backend
from .record import output_problems
from .resume import RecordedSweep, find_recorded, require_recorded
from .search import propose
from .secrets import masked_words
from .single import single_run
from .status import SweepStatus, recorded_status, service_status
from .stopping import Interrupted
from .sweep import SweepResult, run_plan, run_sweep
from .sweeper import Sweeper
from .tracking import Tracker
from .trial import Trial, TrialState
from .wandb_environment import BackendName, is_inside_agent, project_problems
from .wandb_service import ServiceError

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
    "EarlyTermination",
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
