"""How the server fails on request."""

import threading
from dataclasses import dataclass, field


@dataclass
class Fault:
    """A failure of requests whose name contains `name`: a GraphQL operation, `file_stream`, `upload` or `healthz`."""

    name: str
    status: int | None = None
    """Answer with this HTTP status and no data."""
    errors: str | None = None
    """Answer with this GraphQL error."""
    seconds: float = 0.0
    """Wait this long before anything else."""
    drop: bool = False
    """Close the connection without an answer."""
    after: bool = False
    """Fail after the work is done: the request takes effect and its answer is lost."""
    times: int | None = None
    """Number of requests that fail; None for all."""
    seen: int = 0
    """Number of requests that have failed."""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def applies_to(self, name: str) -> bool:
        """Return True if a request of that name fails, and count it."""
        with self.lock:
            if self.name not in name or (self.times is not None and self.seen >= self.times):
                return False
            self.seen += 1
            return True
