"""A PostgreSQL server on a free loopback port, from the binaries as Debian lays them."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

USER = "postgres"
"""As whom the server runs where the tests run as root, which it refuses."""


def missing():
    """Why no server can be started here; `None` where one can."""
    if not binaries():
        return "needs PostgreSQL's server: Debian's package postgresql"
    if os.geteuid() == 0 and USER not in {entry.pw_name for entry in pwd.getpwall()}:
        return f"the tests run as root, as which PostgreSQL does not, and there is no user {USER}"
    return None


def binaries():
    """The directory of the newest server; `None` where there is none."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda path: float(path.parent.name), default=None)


class Server:
    """A server that can be stopped, killed and started again, at the same address and with its data."""

    def __init__(self):
        self._as_user = {"user": USER} if os.geteuid() == 0 else {}
        self._place = Path(tempfile.mkdtemp(prefix="postgresql-"))
        if self._as_user:
            shutil.chown(self._place, USER)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._process = None
        self.url = f"postgresql://sweeper@127.0.0.1:{self._port}"
        self._run("initdb", "-U", "sweeper", "--auth=trust", "--no-sync")

    def _run(self, tool, *words):
        command = [binaries() / tool, "-D", self._place / "data", *words]
        subprocess.run(command, check=True, capture_output=True, cwd=self._place, **self._as_user)

    def start(self):
        """Start it; it answers when this returns."""
        settings = ["-h", "127.0.0.1", "-p", str(self._port), "-k", str(self._place)]
        settings += ["-c", "fsync=off", "-c", "max_connections=500"]  # all tests of a process share the server
        command = [binaries() / "postgres", "-D", self._place / "data", *settings]
        self._process = subprocess.Popen(command, cwd=self._place, stderr=subprocess.DEVNULL, **self._as_user)
        wait_for(self._port)

    def stop(self, how=signal.SIGINT):
        """Stop it without waiting for its clients, or, with SIGQUIT, as a crash does."""
        self._process.send_signal(how)
        self._process.wait()

    def remove(self):
        """Stop it and remove its data."""
        if self._process.poll() is None:
            self.stop()
        shutil.rmtree(self._place, ignore_errors=True)


@contextmanager
def started():
    """Run a server; its URL has no database."""
    server = Server()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def wait_for(port):
    """Wait until the server answers."""
    import psycopg

    for _ in range(300):
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="sweeper", dbname="postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("PostgreSQL did not start")
