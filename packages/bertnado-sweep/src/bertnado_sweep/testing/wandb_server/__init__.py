"""A small server for the unmodified wandb client: sweeps, agents, runs, and what the client reads of them.

It listens on loopback, keeps everything in memory, and fails on request. Fields that the client asks for and that the
server does not support are answered with null and kept in `WandbServer.unsupported`.
"""

from .faults import Fault
from .runs import Run
from .server import KEY, WandbServer
from .service import ENTITY
from .sweeps import Sweep

__all__ = ["WandbServer", "Fault", "Run", "Sweep", "KEY", "ENTITY"]
