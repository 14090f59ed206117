"""The tests of another project; a class for each of its trainers and search methods."""

import pytest
import searches
import trainers
from bertnado_config import parse_sweep_config
from bertnado_metrics import Objective
from bertnado_sweep.backends import get_backend_type
from bertnado_sweep.testing import BackendSuite, SearchMethodSuite, TrainerSuite


class SearchSuite(SearchMethodSuite):
    """The suite with a search method."""

    searched = searches.RecurrenceSearch()

    @pytest.fixture
    def method(self):
        return self.searched


class LineSuite(TrainerSuite):
    """The suite with a trainer."""

    trained = trainers.LineTrainer

    @pytest.fixture
    def trainer(self):
        return self.trained()

    @pytest.fixture
    def config(self):
        return parse_sweep_config({"method": "random", "parameters": {"rate": {"min": 0.1, "max": 1.0}}})

    @pytest.fixture
    def objective(self):
        return Objective("score", "maximize")


class TestRecurrenceSearch(SearchSuite):
    """The method conforms."""


class TestLineTrainer(LineSuite):
    """The trainer conforms."""


class TestServedBackend(BackendSuite):
    """A backend that needs the W&B server."""

    @pytest.fixture
    def backend_type(self, wandb_server):
        return get_backend_type("wandb")


class TestUnregisteredSearch(SearchSuite):
    """Nobody registered the method."""

    searched = searches.RecurrenceSearch("unregistered")


class TestWithoutFixtures(TrainerSuite):
    """Nobody provided the fixtures."""


for broken in searches.BROKEN:
    name = f"Test{type(broken).__name__}"
    globals()[name] = type(name, (SearchSuite,), {"searched": broken})
for kind in trainers.BROKEN:
    name = f"Test{kind.__name__}"
    globals()[name] = type(name, (LineSuite,), {"trained": kind})
