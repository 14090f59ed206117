"""How the server fails when it is told to."""

import threading
from dataclasses import dataclass, field


@dataclass
class Fault:
    """What happens to requests whose name contains `name`: a GraphQL operation, `file_stream` or `upload`."""

    name: str
    status: int | None = None
    """Answer with this HTTP status and no data."""
    errors: str | None = None
    """Answer with this GraphQL error."""
    seconds: float = 0.0
    """Wait so long before anything else."""
    drop: bool = False
    """Close the connection without an answer."""
    after: bool = False
    """Do the work first: the request takes effect and its answer is lost."""
    times: int | None = None
    """For so many requests; for all that come where it is None."""
    seen: int = 0
    """How many requests it has met."""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def meets(self, name):
        """Whether it strikes a request of that name; counts it if so."""
        with self.lock:
            if self.name not in name or (self.times is not None and self.seen >= self.times):
                return False
            self.seen += 1
            return True
