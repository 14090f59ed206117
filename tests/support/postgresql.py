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


@contextmanager
def started():
    """Run a server; its URL, without a database."""
    as_user = {"user": USER} if os.geteuid() == 0 else {}
    place = Path(tempfile.mkdtemp(prefix="postgresql-"))
    if as_user:
        shutil.chown(place, USER)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    initialise = [binaries() / "initdb", "-D", place / "data", "-U", "sweeper", "--auth=trust", "--no-sync"]
    subprocess.run(initialise, check=True, capture_output=True, cwd=place, **as_user)
    settings = ["-h", "127.0.0.1", "-p", str(port), "-k", str(place), "-c", "fsync=off"]
    server = subprocess.Popen(
        [binaries() / "postgres", "-D", place / "data", *settings], cwd=place, stderr=subprocess.DEVNULL, **as_user
    )
    try:
        wait_for(port)
        yield f"postgresql://sweeper@127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)  # it does not wait for its clients
        server.wait()
        shutil.rmtree(place, ignore_errors=True)


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
