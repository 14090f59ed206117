"""Every backend: the same sweep file and the same trainer give the same result and the same files.

What W&B's own engine does, and the test server does not, is tested with the local backend alone.
"""

import pytest
from bertnado_sweep.backends import get_backend_type
from bertnado_sweep.testing import BackendSuite


class TestLocalBackend(BackendSuite):
    """The local backend conforms."""

    @pytest.fixture
    def backend_type(self):
        return get_backend_type("local")


class TestWandbBackend(BackendSuite):
    """The W&B backend conforms, with the unmodified client and a server on loopback."""

    stops_early = False
    spends_spaces = False
    uses_search_methods = False

    @pytest.fixture
    def backend_type(self, server):
        return get_backend_type("wandb")
