"""Many training runs: proposing, recording, stopping and choosing the best.

Private names of Optuna and wandb that this package uses for want of public ones:

- Methods of Optuna's storages, which its documentation reserves for Optuna (`backends.local.ledger` and `leases`):
  `set_trial_param`, `set_trial_user_attr`, `set_trial_intermediate_value`, `set_trial_state_values`,
  `get_study_id_from_name` and `get_trial_id_from_study_id_trial_number`. The public way to a running trial is
  `Study.ask`, which cannot say from the trial's first moment on which process it belongs to, nor change another
  process's trial. `Study.tell` reads the trial twice more, and reports a lost race like a wrong call.
- The lines of Optuna's journal (`backends.local.journal_reading` and `journal`): the numbers of its operations and
  states, and `worker_id`. They are read without Optuna where lines are damaged.
- The interface of a lock of `JournalFileBackend` (`backends.local.journal`), whose base class is private.
- `wandb.Api._HTTP_TIMEOUT` (`backends.wandb.service`), raised while a sweep is created: after it, the client repeats
  the request and creates a second sweep.
- `wandb.proto.wandb_internal_pb2.Record` (`running.offline_runs`), to find out if the file of an offline run names
  the run: otherwise `wandb sync` fails for all runs that it is given.
- The bare `Exception` by which W&B's agent stops a trial (`running.stop_request`), and the pause between its requests,
  `wandb.agents.pyagent.Agent.HEARTBEAT_SLEEP_SECONDS` (`testing.fixtures`, to make tests faster).

The bounds of optuna and wandb in `pyproject.toml` cover versions with these names.
"""

from .backends import register_backend
from .backends.wandb.service import ServiceError
from .confirmation.confirm import ConfirmationResult, NotConfirmedError, confirm_sweep
from .options import SweepOptions
from .plan import Plan
from .planning import plan_sweep
from .records.best import NoEligibleTrialError
from .records.trial import Trial
from .running.forecast import SweepForecast
from .running.limits import StorageError, TooManyFailuresError, WorkersLeftError
from .running.stop_request import Interrupted
from .search import SearchMethod, register_method
from .status import SweepStatus, TrialOrder, recorded_status, service_status
from .sweep import SweepResult, run_plan, run_sweep
from .sweeper import Sweeper
from .sync import SyncedRun, sync_runs

__all__ = [
    "run_sweep",
    "SweepResult",
    "Sweeper",
    "SweepOptions",
    "plan_sweep",
    "run_plan",
    "confirm_sweep",
    "ConfirmationResult",
    "NotConfirmedError",
    "Plan",
    "Trial",
    "SweepForecast",
    "recorded_status",
    "service_status",
    "SweepStatus",
    "TrialOrder",
    "sync_runs",
    "SyncedRun",
    "SearchMethod",
    "register_method",
    "register_backend",
    "NoEligibleTrialError",
    "TooManyFailuresError",
    "WorkersLeftError",
    "Interrupted",
    "ServiceError",
    "StorageError",
]
