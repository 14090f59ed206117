"""The private names of other libraries that the package lists in its doc string exist in the installed versions."""

import bertnado_sweep
import wandb
from bertnado_sweep.backends.local.journal_reading import FINISHED, Operation
from optuna.storages import BaseStorage
from optuna.storages.journal._storage import JournalOperation
from optuna.trial import TrialState
from wandb.agents.pyagent import Agent


def test_optunas_storages_have_the_methods():
    named = {name for name in dir(BaseStorage) if f"`{name}`" in bertnado_sweep.__doc__}
    assert len(named) == 6


def test_the_lines_of_a_journal_are_numbered_as_optuna_numbers_them():
    assert {operation.name: operation.value for operation in Operation} == {
        name: JournalOperation[name].value for name in Operation.__members__
    }
    assert {state.value for state in TrialState if state.is_finished()} == FINISHED


def test_wandbs_client_has_the_constants():
    assert hasattr(wandb.Api, "_HTTP_TIMEOUT")
    assert hasattr(Agent, "HEARTBEAT_SLEEP_SECONDS")
