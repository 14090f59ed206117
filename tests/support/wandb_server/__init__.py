"""A small server that speaks to the unmodified wandb client: sweeps, agents, runs and what is read back of them.

It listens on loopback, keeps everything in memory, and can be told to fail. Fields that the client asks for and
that the server does not model are answered with null and kept in `unmodelled`.
"""

from .faults import Fault
from .server import KEY, WandbServer
from .service import ENTITY
from .state import Run, Sweep

__all__ = ["WandbServer", "Fault", "Run", "Sweep", "KEY", "ENTITY"]
