"""Many training runs: proposing, recording, stopping and choosing the best."""

from .best import BEST_DETAILS_FILE, NoEligibleTrialError, choose_best
from .events import Event, Observer, RunStarted, SweepStarted, TrialEnded, TrialEvaluated, TrialProgress, TrialStarted
from .function_trainer import FunctionTrainer
from .hyperband import EarlyTermination
from .plan import BackendName, Plan, plan_sweep
from .record import output_problems
from .search import propose
from .single import single_run
from .sweep import SweepResult, run_plan, run_sweep
from .sweeper import Sweeper
from .tracking import Tracker
from .trial import Trial, TrialState

__all__ = [
    "run_sweep",
    "SweepResult",
    "Sweeper",
    "plan_sweep",
    "run_plan",
    "single_run",
    "output_problems",
    "BackendName",
    "BEST_DETAILS_FILE",
    "Plan",
    "FunctionTrainer",
    "NoEligibleTrialError",
    "choose_best",
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
]
