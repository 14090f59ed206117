"""A SLURM cluster of this machine alone, from Debian's packages slurm-wlm and munge: three nodes of one core each.

The last one has two GPUs, as far as SLURM knows, and is alone in the partition gpu.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

NODES = ("n1", "n2", "n3")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel")


def missing():
    """Why no cluster can be started here; `None` where one can."""
    absent = [name for name in PROGRAMS if find(name) is None]
    if absent:
        return f"needs Debian's packages slurm-wlm and munge: {', '.join(absent)} not found"
    return None if os.geteuid() == 0 else "SLURM's and munge's daemons are started as root here"


def find(program):
    """The path of a program; daemons lie in /usr/sbin, which is not on every PATH."""
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


def free_ports(count):
    """Ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Slurm:
    """One slurmctld and a slurmd for each node, on loopback, with a munged; all are stopped by their own handle."""

    def __init__(self):
        self.place = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # the socket's path must be short
        self.place.chmod(0o755)
        self._processes = {}
        control, *ports = free_ports(1 + len(NODES))
        (self.place / "munge").mkdir(mode=0o755)
        (self.place / "state").mkdir()
        key = self.place / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self.conf = self.place / "slurm.conf"
        self.conf.write_text(self._configuration(control, ports))
        devices = ("/dev/null", "/dev/zero")  # any two will do
        gpus = [f"NodeName={NODES[-1]} Name=gpu File={device}\n" for device in devices]
        (self.place / "gres.conf").write_text("".join(gpus))
        self.environment = {"SLURM_CONF": str(self.conf)}

    def _configuration(self, control, ports):
        host, place = socket.gethostname(), self.place
        settings = {
            "ClusterName": "test",
            "SlurmctldHost": f"{host}(127.0.0.1)",
            "SlurmctldPort": control,
            "SlurmUser": "root",
            "SlurmdUser": "root",
            "AuthType": "auth/munge",
            "AuthInfo": f"socket={place}/munge/socket",
            "CredType": "cred/munge",
            "StateSaveLocation": place / "state",
            "SlurmdSpoolDir": place / "spool-%n",
            "SlurmctldPidFile": place / "slurmctld.pid",
            "SlurmdPidFile": place / "slurmd-%n.pid",
            "SlurmctldLogFile": place / "slurmctld.log",
            "SlurmdLogFile": place / "slurmd-%n.log",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "JobAcctGatherType": "jobacct_gather/none",
            "AccountingStorageType": "accounting_storage/none",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_CPU",
            "GresTypes": "gpu",
            "SchedulerType": "sched/backfill",
            "SchedulerParameters": "sched_interval=1,batch_sched_delay=0,bf_interval=1",
            "ReturnToService": 2,
            "SlurmdTimeout": 5,
            "KillWait": 15,
            "MpiDefault": "none",
        }
        lines = [f"{name}={value}" for name, value in settings.items()]
        for name, port in zip(NODES, ports, strict=True):
            gpus = "Gres=gpu:2 Feature=a100 " if name == NODES[-1] else ""
            address = f"NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
            lines.append(f"NodeName={name} {address} CPUs=1 RealMemory=1000 {gpus}State=UNKNOWN")
        lines.append(f"PartitionName=gpu Nodes={NODES[-1]} MaxTime=INFINITE State=UP")
        lines.append("PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP")
        return "\n".join(lines) + "\n"

    def _start(self, name, *words):
        log = (self.place / f"{name}.out").open("ab")
        command = [find(words[0]), *map(str, words[1:])]
        environment = os.environ | self.environment
        self._processes[name] = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )

    def start(self):
        """Start all daemons; every node is idle when this returns."""
        munge = self.place / "munge"
        files = [("--socket", munge / "socket"), ("--pid-file", munge / "pid"), ("--log-file", munge / "log")]
        files += [("--seed-file", munge / "seed"), ("--key-file", self.place / "munge.key")]
        self._start("munged", "munged", "--foreground", "--force", *(word for pair in files for word in pair))
        wait(lambda: (munge / "socket").exists(), "munged's socket")
        self._start("slurmctld", "slurmctld", "-D", "-c", "-f", self.conf)
        for node in NODES:
            self.start_node(node)

    def start_node(self, node):
        """Start the daemon of a node, which is idle when this returns."""
        self._start(node, "slurmd", "-D", "-N", node, "-f", self.conf)
        wait(lambda: self.node_state(node) in ("idle", "mixed", "allocated"), f"node {node}")

    def kill_node(self, node):
        """Kill the daemon of a node and all that runs there, as a power cut does."""
        daemon = self._processes.pop(node)
        family = processes_of(self.place, node)
        daemon.kill()
        daemon.wait()
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def node_state(self, node):
        """Return the state of a node, such as `idle`."""
        lines = self.run("sinfo", "--noheader", "-N", "-p", "test", "-n", node, "-o", "%T", check=False)
        return lines.strip().rstrip("*~#$@")

    def run(self, *words, check=True):
        """Return the output of one of SLURM's commands."""
        ended = subprocess.run(
            list(map(str, words)), env=os.environ | self.environment, capture_output=True, text=True, check=False
        )
        assert not check or ended.returncode == 0, ended.stderr
        return ended.stdout

    def jobs(self):
        """Return the jobs in the queue: the state of each by its id."""
        lines = self.run("squeue", "--noheader", "--array", "-o", "%i %T").split("\n")
        return dict(line.split() for line in lines if line)

    def start_requeued(self):
        """Let jobs that were queued again three seconds ago start now; SLURM makes them wait for two minutes.

        It starts none in the same second: "Job credential revoked".
        """
        for line in self.run("squeue", "--noheader", "--array", "--states=PENDING", "-o", "%i %S").splitlines():
            job, begin = line.split()
            left = None if begin == "N/A" else datetime.fromisoformat(begin).astimezone() - datetime.now(UTC)
            if left is not None and left < timedelta(seconds=117):
                self.run("scontrol", "update", f"JobId={job}", "StartTime=now", check=False)

    def stop(self):
        """Cancel all jobs, and stop the daemons, whatever fails; nothing is left of them."""
        try:
            self.run("scancel", "--user=root")
            wait(lambda: not self.jobs(), "the end of the jobs", seconds=60)
        finally:
            steps = [pid for node in NODES for pid in processes_of(self.place, node)]
            for process in reversed(self._processes.values()):
                process.terminate()
            for process in self._processes.values():
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            for pid in steps:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.place, ignore_errors=True)


def processes_of(place, node):
    """Return the processes of a node's jobs in the cluster of this place, and of no other: steps, and what they run."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes()
            environment = (path / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        is_step = b"slurmstepd" in words and f"SLURM_NODE={node}" in environment
        is_here = f"SLURM_CONF={place}/slurm.conf" in environment
        if is_here and (is_step or f"SLURMD_NODENAME={node}" in environment):
            found.append(int(path.name))
    return found


def wait(condition, what, seconds=60):
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)


@contextmanager
def started():
    """A cluster that is stopped, and its files removed, at the end."""
    cluster = Slurm()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def silent():
    """The environment of a cluster whose daemons do not run."""
    cluster = Slurm()
    try:
        yield cluster.environment
    finally:
        shutil.rmtree(cluster.place)
