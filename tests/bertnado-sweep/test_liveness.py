"""Who lives is judged right: whatever the clock shows, and though containers and machines share names and numbers."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bertnado_sweep import recorded_status, run_sweep
from bertnado_sweep.backends.local import process_identity as processes
from bertnado_sweep.backends.local.backend import LocalBackend
from bertnado_sweep.backends.local.journal import open_journal
from bertnado_sweep.backends.local.ledger import Ledger
from optuna.trial import TrialState
from support.machines import end, hear
from support.trainers import CurveTrainer

CONFIG = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sweep"


def attempts(output):
    return [(trial.number, trial.attempt, trial.state) for trial in recorded_status(output).trials]


def namespaces_can_be_made():
    tool = shutil.which("unshare")
    command = [tool, "--pid", "--fork", "--mount-proc", "true"]
    return tool is not None and subprocess.run(command, check=False, capture_output=True).returncode == 0


needs_namespaces = pytest.mark.skipif(not namespaces_can_be_made(), reason="needs the right to make a pid namespace")
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux")


@needs_proc
class TestNames:
    """What a process is called."""

    def test_it_holds_the_ticks_since_boot_and_nothing_that_a_clock_moves(self):
        ticks = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
        assert processes.process_name(os.getpid()).endswith(f"/{os.getpid()}/{ticks}")

    def test_the_host_is_told_by_boot_namespace_and_machine_as_well(self):
        host = processes.host()
        assert Path("/proc/sys/kernel/random/boot_id").read_text().strip() in host
        assert str(Path("/proc/self/ns/pid").readlink()) in host
        assert host.split()[0] == os.uname().nodename

    def test_another_host_of_that_name_is_another_host(self):
        name = processes.process_name(os.getpid())
        assert processes.is_here(name)
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert not processes.is_here(name.replace(boot, "0" * len(boot)))

    def test_a_name_is_shown_as_a_person_looks_for_it(self):
        shown = processes.describe(processes.process_name(os.getpid()))
        assert shown == f"process {os.getpid()} on {os.uname().nodename}"


class TestLife:
    """Which processes live."""

    @pytest.fixture
    def child(self):
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        yield process
        process.kill()
        process.wait()

    def test_one_that_runs_or_is_suspended_lives(self, child):
        name = processes.process_name(child.pid)
        assert processes.is_alive(name)
        child.send_signal(signal.SIGSTOP)
        assert processes.is_alive(name)

    def test_a_zombie_does_not(self, child):
        name = processes.process_name(child.pid)
        child.kill()
        deadline = time.monotonic() + 10
        while processes.is_alive(name):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert child.returncode is None  # nobody has reaped it

    def test_one_that_was_gone_before_it_was_named_does_not(self, child):
        child.kill()
        child.wait()
        assert not processes.is_alive(processes.process_name(child.pid))

    def test_a_number_that_was_given_out_again_is_another_process(self, child):
        name = processes.process_name(child.pid)
        assert not processes.is_alive(f"{name}1")

    def test_where_there_is_no_proc_psutil_tells(self, child, monkeypatch, tmp_path):
        monkeypatch.setattr(processes, "_PROC", tmp_path / "no")
        name = processes.process_name(child.pid)
        assert processes.is_alive(name)
        child.kill()
        deadline = time.monotonic() + 10
        while processes.is_alive(name):
            assert time.monotonic() < deadline
            time.sleep(0.01)


@needs_namespaces
class TestContainers:
    """Processes of one host name, one boot and one machine that have numbers of their own."""

    CONTAINER = ("unshare", "--pid", "--fork", "--kill-child")

    @pytest.mark.parametrize(
        "wrapper", [(*CONTAINER, "--mount-proc"), CONTAINER], ids=["own /proc", "the host's /proc"]
    )
    def test_a_trial_in_a_container_is_not_taken_away_and_none_is_lost(self, machine, output, wrapper):
        slow = machine(wrapper=wrapper, config=CONFIG, backend="local", sweep_count=3, output_dir=output, pause=4)
        hear(slow, "TrialStarted")
        end(machine(join=True, output_dir=output))
        end(slow)
        assert attempts(output) == [(number, 1, "completed") for number in range(3)]

    def test_two_containers_share_a_sweep(self, machine, output):
        wrapper = (*self.CONTAINER, "--mount-proc")
        first = machine(wrapper=wrapper, config=CONFIG, backend="local", sweep_count=4, output_dir=output, pause=1)
        hear(first, "TrialStarted")
        second = machine(wrapper=wrapper, join=True, output_dir=output, pause=1)
        end(first)
        end(second)
        assert attempts(output) == [(number, 1, "completed") for number in range(4)]

    def test_a_trial_of_a_container_that_is_gone_is_taken_over_after_the_lease(self, machine, output):
        wrapper = (*self.CONTAINER, "--mount-proc")
        lost = machine(wrapper=wrapper, config=CONFIG, backend="local", sweep_count=2, output_dir=output, pause=60)
        hear(lost, "TrialStarted")
        os.killpg(lost.pid, signal.SIGKILL)
        end(machine(join=True, output_dir=output, lease=1.5))
        assert attempts(output) == [(0, 2, "completed"), (1, 1, "completed")]


@pytest.mark.parametrize("when", ["before its turn", "while it is decided"])
def test_a_claim_that_another_machine_took_for_abandoned_is_made_again(output, monkeypatch, when):
    taken = []

    def take_away():
        """End the latest entry as another machine does that has not heard of this one for too long."""
        if taken:
            return
        storage = open_journal(output)
        [study] = storage.get_all_studies()
        entry = storage.get_all_trials(study._study_id)[-1]
        storage.set_trial_state_values(entry._trial_id, TrialState.FAIL)
        taken.append(entry)

    turn, decide = Ledger._is_turn_of, LocalBackend._decide

    def its_turn(self, *arguments):
        if when == "before its turn":
            take_away()
        return turn(self, *arguments)

    def decided(self, trials):
        trial = decide(self, trials)
        take_away()
        return trial

    monkeypatch.setattr(Ledger, "_is_turn_of", its_turn)
    monkeypatch.setattr(LocalBackend, "_decide", decided)
    run_sweep(CurveTrainer(), CONFIG, output_dir=output, backend="local", sweep_count=3)
    assert len(taken) == 1
    assert attempts(output) == [(number, 1, "completed") for number in range(3)]
    assert len(list(output.glob("sweep_*/"))) == 3
