"""Jobs of a scheduler that work on one sweep: of a real SLURM cluster, and of this machine."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from bertnado_config import InvalidInputError, read_json
from bertnado_sweep import plan_sweep, recorded_status
from bertnado_sweep.cluster import queue
from bertnado_sweep.cluster.cancelling import cancel_all
from bertnado_sweep.cluster.following import JobsFailedError, follow_jobs, result_of
from bertnado_sweep.cluster.options import JobOptions, check_job_options
from bertnado_sweep.cluster.queue import SchedulerError
from bertnado_sweep.cluster.records import JobDirectory, JobRecord, Submission
from bertnado_sweep.cluster.submitting import submit_jobs
from bertnado_sweep.cluster.watching import JobStatus, describe_failures, job_statuses
from bertnado_sweep.records.files import now
from bertnado_sweep.running.events import Note, TrialEnded
from bertnado_sweep.sweep import begin_plan
from support import slurm
from support.slurm import wait
from support.trainers import SavingTrainer

needs_slurm = pytest.mark.skipif(slurm.missing() is not None, reason=str(slurm.missing()))

TESTS = Path(__file__).parents[1]

WORKER = """
import os, sys
sys.path.insert(0, {tests!r})
from bertnado_sweep import Interrupted, NoEligibleTrialError, run_sweep
from support.trainers import SavingTrainer

limit = sys.argv[sys.argv.index("--time-limit") + 1] if "--time-limit" in sys.argv else None
try:
    result = run_sweep(
        {trainer}, None, output_dir={output!r}, join=True, time_limit=limit, storage=os.environ.get("BERTNADO_STORAGE")
    )
except Interrupted as interrupted:
    sys.exit(128 + interrupted.signum)
except NoEligibleTrialError as error:
    sys.exit(3 if error.ended_by else str(error))
print("finished", result.finished, "of", result.budget, "ended by", result.ended_by)
sys.exit(3 if result.ended_by else 0)
"""

NOTE_SIGNALS = """
import pathlib, signal, sys, time
heard = pathlib.Path({heard!r})

def note(text):
    with heard.open("a") as file:
        print(text, file=file)

for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
    signal.signal(signum, lambda signum, frame: note(signal.Signals(signum).name))
heard.touch()
while not heard.read_text():
    time.sleep(0.05)
time.sleep(1)
note("end")
sys.exit(3)
"""


@pytest.fixture(scope="module")
def cluster():
    with slurm.started() as started:
        yield started


@pytest.fixture
def at_slurm(cluster, monkeypatch):
    """The cluster, which commands find; nothing of an earlier test runs there."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    yield cluster
    cluster.run("scancel", "--user=root", check=False)
    wait(lambda: not cluster.jobs(), "the end of the jobs")


class Sweep:
    """A recorded sweep, to which jobs are submitted."""

    def __init__(self, output, trials, pause=0.0, backend="local", **options):
        self.output, self.storage = output, options.get("storage")
        trainer = SavingTrainer(pause=pause)
        values = {"x": {"values": list(range(1, trials + 1))}}
        config = {"method": "grid", "metric": {"name": "score", "goal": "maximize"}, "parameters": values}
        if "sweep_id" in options:
            config = None  # W&B has it
        plan = plan_sweep(trainer, config, output_dir=output, backend=backend, dry_run=False, **options)
        begin_plan(plan)
        script = WORKER.format(tests=str(TESTS), trainer=trainer, output=str(output))
        self.worker = output / "worker.py"
        self.worker.write_text(script)

    def submit(self, jobs=1, time="5:00", storage=None, **given):
        options, problems = check_job_options({"jobs": jobs, "time": time, "gpus_per_job": 0, **given})
        assert not problems
        command = [sys.executable, str(self.worker)]
        return submit_jobs(self.output, command, options, storage=storage)[1].jobs

    @property
    def trials(self):
        return recorded_status(self.output, storage=self.storage).trials

    def numbers_in(self, state):
        return [trial.number for trial in self.trials if trial.state == state]

    @property
    def jobs(self):
        return job_statuses(self.output, self.trials)

    def wait_for_end(self, seconds=120):
        wait(lambda: not any(job.is_alive for job in self.jobs), "the end of the jobs", seconds)

    def wait_for_running(self, count=1):
        def is_training():
            return sum(bool(trial.state == "running") for trial in self.trials) >= count

        wait(is_training, f"{count} running trials")

    def attempts_of(self, number):
        records = [read_json(path) for path in self.output.glob("sweep_*/trial.json")]
        return sorted(record["attempt"] for record in records if record["number"] == number)


@pytest.fixture
def sweep(tmp_path):
    def begin(trials, pause=0.0, **given):
        return Sweep(tmp_path / "sweep", trials, pause, **given)

    return begin


@needs_slurm
class TestAtSlurm:
    def test_an_array_runs_exactly_the_trials_of_the_sweep(self, at_slurm, sweep):
        begun = sweep(12, pause=0.01)
        jobs = begun.submit(3)
        array = jobs[0].partition("_")[0]
        assert jobs == (f"{array}_0", f"{array}_1", f"{array}_2")
        begun.wait_for_end()
        assert begun.numbers_in("completed") == list(range(12))
        assert {job.state for job in begun.jobs} == {"done"}
        assert {trial.job for trial in begun.trials} <= set(jobs)
        assert (begun.output / "best_sweep_config.json").exists()

    def test_jobs_that_are_submitted_later_share_the_trials_or_end_at_once(self, at_slurm, sweep):
        begun = sweep(6, pause=0.05)
        first = begun.submit(1)
        begun.wait_for_running()
        begin_plan(plan_sweep(SavingTrainer(), None, output_dir=begun.output, resume=True, dry_run=False))
        second = begun.submit(2)
        assert not {*first} & {*second}
        begun.wait_for_end()
        late = begun.submit(1)
        begun.wait_for_end()
        assert begun.numbers_in("completed") == list(range(6))
        assert [job.submission for job in begun.jobs] == [1, 2, 2, 3]
        assert "nothing is left to do" in begun.jobs[-1].last_line or begun.jobs[-1].state == "done"
        assert late[0] not in {trial.job for trial in begun.trials}

    def test_status_shows_the_node_the_trial_and_the_time_left_of_each_job(self, at_slurm, sweep):
        begun = sweep(2, pause=0.5)
        begun.submit(4, time="1:00:00")
        begun.wait_for_running(2)
        jobs = begun.jobs
        assert [job.state for job in jobs].count("waiting") == 1  # there are three nodes
        running = [job for job in jobs if job.trials]
        assert sorted(number for job in running for number in job.trials) == [1, 2]
        assert {job.node for job in running} <= set(slurm.NODES)
        assert all(job.time_left.startswith("59:") for job in running)
        waiting = next(job for job in jobs if job.state == "waiting")
        assert waiting.note in ("Resources", "Priority", None)

    def test_a_job_that_is_cancelled_leaves_its_trial_to_the_others(self, at_slurm, sweep):
        begun = sweep(2, pause=0.1)
        jobs = begun.submit(2)
        begun.wait_for_running(2)
        lost = next(trial for trial in begun.trials if trial.job == jobs[0])
        at_slurm.run("scancel", jobs[0])
        begun.wait_for_end()
        assert begun.numbers_in("completed") == list(range(2))
        assert {job.id: job.state for job in begun.jobs} == {jobs[0]: "interrupted", jobs[1]: "done"}
        again = begun.trials[lost.number]
        assert (again.attempt, again.job) == (2, jobs[1])
        assert again.attempts[1]["from_step"] > 0  # it continued from the state that was written at SIGTERM

    def test_a_job_that_is_cancelled_gets_one_sigterm_and_time_to_write_its_state(self, at_slurm, sweep, tmp_path):
        begun = sweep(1)
        heard = tmp_path / "heard"
        begun.worker.write_text(NOTE_SIGNALS.format(heard=str(heard)))
        begun.submit(1)
        wait(heard.exists, "the program")
        cancel_all(begun.output)
        wait(lambda: not begun.jobs[0].is_alive, "the end of the job")
        assert sorted(heard.read_text().split()) == ["SIGTERM", "SIGUSR2", "end"]
        assert (begun.jobs[0].state, begun.jobs[0].note) == ("interrupted", None)

    @pytest.mark.slow
    def test_cancelling_all_jobs_loses_nothing_and_submitting_again_continues(self, at_slurm, sweep):
        begun = sweep(4, pause=0.1)
        jobs = begun.submit(4)
        begun.wait_for_running(3)
        ended, left = cancel_all(begun.output)
        assert (sorted(ended), left) == (sorted(jobs), [])
        assert begun.numbers_in("running") == []
        assert {job.state for job in begun.jobs} == {"interrupted", "cancelled"}
        interrupted = [trial for trial in begun.trials if trial.state == "interrupted"]
        reached = {trial.number: trial.attempts[-1]["to_step"] or 0 for trial in interrupted}
        assert len(reached) == 3
        begun.submit(2)
        begun.wait_for_end()
        assert begun.numbers_in("completed") == list(range(4))
        begins = {trial.number: trial.attempts[-1]["from_step"] for trial in begun.trials if trial.number in reached}
        assert begins == reached
        assert any(begins.values())

    @pytest.mark.slow
    def test_a_node_that_goes_down_loses_its_trial_to_the_others(self, at_slurm, sweep):
        begun = sweep(3, pause=0.3)
        begun.submit(2)
        begun.wait_for_running(2)
        victim = next(job for job in begun.jobs if job.trials)
        at_slurm.kill_node(victim.node)
        try:
            wait(lambda: len(begun.numbers_in("completed")) == 3, "the trials", seconds=150)
        finally:
            at_slurm.start_node(victim.node)
        assert begun.attempts_of(victim.trials[0] - 1) == [1, 2]

    def test_a_job_whose_setup_fails_says_so_and_the_others_go_on(self, at_slurm, sweep):
        begun = sweep(2, pause=0.01)
        begun.submit(1, setup=["true", "module load no/such"])
        begun.submit(1, setup=["export READY=1"])
        begun.wait_for_end()
        assert begun.numbers_in("completed") == [0, 1]
        failed, done = begun.jobs
        assert (failed.state, done.state) == ("failed", "done")
        assert "the setup of the job failed: module load no/such (exit code 127)" in failed.last_line

    def test_if_all_jobs_fail_one_summary_says_why(self, at_slurm, sweep):
        begun = sweep(2)
        begun.worker.write_text("import sys; sys.exit('Error: no GPU here')")
        begun.submit(3)
        heard = []
        with pytest.raises(JobsFailedError, match="all 3 jobs failed:\n  3 of 3: Error: no GPU here"):
            follow_jobs(begun.output, heard.append)
        assert begun.trials == ()

    def test_what_a_node_cannot_read_is_said_by_its_job(self, at_slurm, sweep):
        begun = sweep(1)
        options, _ = check_job_options({"time": "5:00", "gpus_per_job": 0})
        submit_jobs(begun.output, [sys.executable, str(begun.worker)], options, needs=["/no/dataset"])
        begun.wait_for_end()
        (job,) = begun.jobs
        assert job.state == "failed"
        assert job.note.startswith("Error: not readable on n")
        assert job.note.endswith("/no/dataset")

    def test_following_tells_of_trials_and_jobs_until_the_end(self, at_slurm, sweep):
        begun = sweep(3, pause=0.01)
        (job,) = begun.submit(1)
        heard = []
        status = follow_jobs(begun.output, heard.append)
        assert status.finished == 3
        assert sorted(event.trial.number for event in heard if isinstance(event, TrialEnded)) == [0, 1, 2]
        assert any(isinstance(event, Note) and event.text.startswith(f"job {job}: done") for event in heard)

    def test_what_slurm_refuses_is_said_in_its_words(self, at_slurm, sweep):
        begun = sweep(1)
        with pytest.raises(InvalidInputError, match="sbatch refused the jobs: invalid partition specified: nowhere"):
            begun.submit(1, partition="nowhere")
        with pytest.raises(InvalidInputError, match=r"Invalid generic resource .*; gpus_per_job 0 asks for no GPU"):
            begun.submit(1, gpus_per_job=None, slurm=["gres=tpu:1"])

    def test_a_password_is_in_no_script_log_or_description(self, at_slurm, sweep):
        begun = sweep(1, pause=0.1)
        options, _ = check_job_options({"time": "5:00", "gpus_per_job": 0})
        command = [sys.executable, str(begun.worker)]
        secret = "postgresql://me:sesame@127.0.0.1/none"
        submitted = submit_jobs(begun.output, command, options, storage=secret)[1]
        shown = at_slurm.run("scontrol", "show", "job", submitted.jobs[0])
        begun.wait_for_end()
        files = [path for path in (begun.output / "jobs").rglob("*") if path.is_file()]
        assert files
        assert "sesame" not in shown
        assert not any(b"sesame" in path.read_bytes() for path in files)

    def test_what_a_job_asks_for_reaches_slurm(self, at_slurm, sweep):
        begun = sweep(1)
        begun.worker.write_text("")
        asked = {"partition": "gpu", "constraint": "a100", "mem": "100M", "cpus_per_task": 1, "gpus_per_job": 1}
        (job,) = begun.submit(1, **asked, slurm=["comment=mine", "nice=5"])
        shown = at_slurm.run("scontrol", "show", "job", job)
        begun.wait_for_end()
        assert "Partition=gpu" in shown
        assert "Features=a100" in shown
        assert "MinMemoryNode=100M" in shown
        assert "Comment=mine" in shown
        assert "Nice=5" in shown
        assert "gres:gpu:1" in shown
        assert "Requeue=1" in shown
        assert begun.jobs[0].gpus == "0"
        assert begun.jobs[0].node == slurm.NODES[-1]

    def test_gpus_that_are_asked_for_in_slurms_words_are_not_asked_for_twice(self, at_slurm, sweep):
        begun = sweep(1)
        begun.worker.write_text("")
        begun.submit(1, partition="gpu", gpus_per_job=None, slurm=["gres=gpu:2"])
        begun.wait_for_end()
        assert begun.jobs[0].gpus == "0,1"

    def test_paths_may_have_any_characters_but_those_that_slurm_replaces(self, at_slurm, tmp_path):
        begun = Sweep(tmp_path / 'it\'s a "däta" $HOME', 1)
        begun.submit(2, setup=["echo \"it's\" 'set up'"])
        begun.wait_for_end()
        assert begun.numbers_in("completed") == [0]
        assert all(Path(job.log).read_text().startswith("it's set up\n") for job in begun.jobs)
        with pytest.raises(InvalidInputError, match="output_dir must not contain '%', which SLURM replaces"):
            Sweep(tmp_path / "50%j", 1).submit(1)

    def test_a_job_can_be_submitted_from_within_a_job(self, at_slurm, sweep, monkeypatch):
        inside = {"JOB_ID": 99, "ARRAY_JOB_ID": 98, "ARRAY_TASK_ID": 7, "CPUS_PER_TASK": 8, "PROCID": 3, "NTASKS": 9}
        for name, value in inside.items():
            monkeypatch.setenv(f"SLURM_{name}", str(value))
        begun = sweep(1)
        begun.submit(1)
        begun.wait_for_end()
        assert [job.state for job in begun.jobs] == ["done"]

    def test_a_job_that_is_requeued_from_outside_runs_again(self, at_slurm, sweep):
        begun = sweep(1, pause=0.1)
        (job,) = begun.submit(1)
        begun.wait_for_running()
        at_slurm.run("scontrol", "requeue", job)
        wait(lambda: begun.jobs[0].state == "waiting", "the queue")
        assert begun.numbers_in("interrupted") == [0]
        assert begun.jobs[0].note == "BeginTime"
        assert cancel_all(begun.output) == ([job], [])
        assert begun.jobs[0].state == "interrupted"

    def test_a_job_that_slurm_does_not_queue_again_says_what_to_do(self, at_slurm, sweep):
        begun = sweep(1, pause=0.1)
        (job,) = begun.submit(1)
        begun.wait_for_running()
        at_slurm.run("scontrol", "update", f"JobId={job}", "Requeue=0")
        at_slurm.run("scancel", "--signal=USR2", job)
        begun.wait_for_end()
        assert begun.jobs[0].state == "failed"
        assert begun.jobs[0].note.startswith("the scheduler did not queue the job again; submit again, and its trials")
        assert begun.trials[0].attempts[-1]["to_step"] > 0

    @pytest.mark.slow
    def test_trials_of_40_seconds_end_in_jobs_of_a_minute(self, at_slurm, sweep):
        begun = sweep(3, pause=1.0)
        begun.submit(2, time="1:00")
        deadline = time.monotonic() + 600
        while any(job.is_alive for job in begun.jobs):
            assert time.monotonic() < deadline
            at_slurm.start_requeued()
            time.sleep(1)
        assert begun.numbers_in("completed") == [0, 1, 2]
        assert all(job.run >= 2 for job in begun.jobs)
        for trial in begun.trials:
            steps = [(row["from_step"], row["to_step"]) for row in trial.attempts]
            assert [begin for begin, _ in steps[1:]] == [end for _, end in steps[:-1]], "no step is done twice"

    @pytest.mark.slow
    def test_an_array_that_starts_minutes_apart_shares_the_trials(self, at_slurm, sweep):
        begun = sweep(5, pause=0.2)
        begun.submit(1)
        begun.submit(2, slurm=["begin=now+20"])
        begun.wait_for_end(300)
        assert begun.numbers_in("completed") == list(range(5)), begun.jobs
        assert len({trial.job for trial in begun.trials}) >= 2


class TestOnThisMachine:
    def test_jobs_are_background_processes_that_share_the_trials(self, sweep):
        begun = sweep(5, pause=0.02)
        jobs = begun.submit(2, time=None, scheduler="local")
        assert len(set(jobs)) == 2
        begun.wait_for_end()
        assert begun.numbers_in("completed") == list(range(5))
        assert {job.state for job in begun.jobs} == {"done"}

    def test_cancelling_interrupts_them_and_their_trials_continue_later(self, sweep):
        begun = sweep(2, pause=0.3)
        begun.submit(1, time=None, scheduler="local")
        begun.wait_for_running()
        assert len(cancel_all(begun.output)[0]) == 1
        assert [job.state for job in begun.jobs] == ["interrupted"]
        assert begun.numbers_in("interrupted") == [0]

    def test_a_killed_one_is_known_to_be_dead(self, sweep):
        begun = sweep(2, pause=0.3)
        (job,) = begun.submit(1, time=None, scheduler="local")
        begun.wait_for_running()
        trial = begun.trials[0]
        for pid in _family(int(job)):
            os.kill(pid, signal.SIGKILL)
        begun.wait_for_end()
        assert begun.jobs[0].state == "killed"
        assert trial.job == job

    @pytest.mark.slow
    def test_a_job_with_a_time_limit_goes_on_where_it_was_warned_as_often_as_it_must(self, sweep):
        begun = sweep(1, pause=0.25)
        begun.submit(1, time="2", scheduler="local")
        begun.wait_for_end()
        assert begun.numbers_in("completed") == [0]
        assert begun.jobs[0].run > 6
        steps = [(row["from_step"], row["to_step"]) for row in begun.trials[0].attempts]
        assert [begin for begin, _ in steps[1:]] == [end for _, end in steps[:-1]], "no step is done twice"

    def test_a_job_whose_trials_never_fit_into_its_time_ends_after_two_runs(self, sweep):
        begun = sweep(1, pause=0.5, save_state_every="never")
        begun.submit(1, time="2", scheduler="local")
        begun.wait_for_end()
        (job,) = begun.jobs
        assert (job.state, job.run) == ("failed", 2)
        assert job.note == "two runs in a row made no progress; raise the time limit (2 s)"

    def test_a_job_whose_process_is_killed_leaves_no_program_behind(self, sweep):
        begun = sweep(2, pause=0.3)
        (job,) = begun.submit(1, time=None, scheduler="local")
        begun.wait_for_running()
        os.kill(int(job), signal.SIGKILL)
        wait(lambda: begun.numbers_in("interrupted") == [0], "the end of the trial")
        assert begun.jobs[0].state == "killed"

    def test_what_starts_jobs_does_not_share_its_terminal_with_them(self, sweep, tmp_path):
        begun = sweep(1, pause=0.05)
        script = (
            "import sys; from pathlib import Path\n"
            "from bertnado_sweep.cluster.options import JobOptions\n"
            "from bertnado_sweep.cluster.submitting import submit_jobs\n"
            "options = JobOptions(scheduler='local', gpus_per_job=0, setup=('echo loading',))\n"
            f"submit_jobs(Path({str(begun.output)!r}), [sys.executable, {str(begun.worker)!r}], options)\n"
        )
        ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert (ended.stdout, ended.stderr) == ("", "")
        assert begun.jobs[0].is_alive, "its output is not waited for"
        begun.wait_for_end()
        assert begun.numbers_in("completed") == [0]
        assert Path(begun.jobs[0].log).read_text().startswith("loading\n")

    def test_a_setup_that_fails_is_said_in_the_log(self, sweep, capfd):
        begun = sweep(1)
        begun.submit(1, time=None, scheduler="local", setup=["echo 'it is' \"quoted\"", "module load 'no such'"])
        begun.wait_for_end()
        (job,) = begun.jobs
        assert Path(job.log).read_text().startswith("it is quoted\n")
        assert job.state == "failed"
        assert "the setup of the job failed: module load 'no such' (exit code 127)" in job.note
        assert capfd.readouterr() == ("", "")

    def test_a_gpu_is_handed_on_by_its_name(self, sweep, monkeypatch):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-8932f937,MIG-1c3f")
        begun = sweep(1)
        begun.worker.write_text("import os; print(os.environ['CUDA_VISIBLE_DEVICES'])")
        begun.submit(2, time=None, scheduler="local", gpus_per_job=1)
        begun.wait_for_end()
        assert [job.gpus for job in begun.jobs] == ["GPU-8932f937", "MIG-1c3f"]
        assert [job.last_line for job in begun.jobs] == ["GPU-8932f937", "MIG-1c3f"]


class TestConfirmation:
    def test_jobs_share_the_confirmation_of_the_best_trials(self, sweep):
        begun = sweep(2, pause=0.02, confirm_top=2, confirm_seeds=2)
        begun.submit(2, time=None, scheduler="local")
        begun.wait_for_end()
        assert {job.state for job in begun.jobs} == {"done"}
        confirmation = recorded_status(begun.output).confirmation
        assert [len(finalist.runs) for finalist in confirmation.finalists] == [2, 2]
        jobs = [read_json(path)["job"] for path in begun.output.glob("confirmation/sweep_*/trial.json")]
        assert len(jobs) == 4

    def test_a_job_whose_time_ends_in_the_confirmation_goes_on_with_it(self, sweep):
        begun = sweep(1, pause=0.02, confirm_top=1, confirm_seeds=2)
        begun.submit(1, time=None, scheduler="local")
        wait(lambda: len(begun.numbers_in("completed")) == 1, "the trial")
        wait(lambda: recorded_status(begun.output).confirming, "the confirmation")
        cancel_all(begun.output)
        assert result_of(recorded_status(begun.output), begun.output)["ended_by"] == "the end of its jobs"
        begun.submit(1, time=None, scheduler="local")
        begun.wait_for_end()
        assert result_of(recorded_status(begun.output), begun.output)["ended_by"] is None
        assert recorded_status(begun.output).confirmation is not None

    @pytest.mark.slow
    def test_jobs_confirm_a_sweep_in_a_database_in_their_directory(self, sweep, database):
        begun = sweep(2, pause=0.02, confirm_top=1, confirm_seeds=2, storage=database)
        begun.submit(2, time=None, scheduler="local", storage=database)
        begun.wait_for_end()
        assert {job.state for job in begun.jobs} == {"done"}
        assert begun.numbers_in("completed") == [0, 1]
        assert recorded_status(begun.output, storage=database).confirmation is not None


class TestAtWandb:
    def test_jobs_are_agents_and_run_exactly_the_trials_of_the_sweep(self, sweep, server):
        begun = sweep(4, pause=0.02, backend="wandb")
        begun.submit(2, time=None, scheduler="local")
        begun.wait_for_end()
        assert sorted(trial.parameters["x"] for trial in begun.trials) == [1, 2, 3, 4]
        assert begun.numbers_in("completed") == list(range(4))
        assert {job.state for job in begun.jobs} == {"done"}

    @pytest.mark.slow
    def test_a_trial_that_a_time_limit_interrupts_is_handed_out_again(self, sweep, server):
        begun = sweep(2, pause=0.2, backend="wandb")
        begun.submit(1, time="5", scheduler="local")
        begun.wait_for_end()
        assert begun.numbers_in("completed") == [0, 1]
        (job,) = begun.jobs
        assert (job.state, job.run > 1) == ("done", True)
        assert any(len(trial.attempts) > 1 and trial.attempts[-1]["from_step"] for trial in begun.trials)

    @pytest.mark.slow
    def test_jobs_join_a_sweep_that_exists_at_wandb(self, sweep, server, tmp_path):
        first = sweep(3, pause=0.02, backend="wandb")
        (tmp_path / "other").mkdir()
        begun = Sweep(tmp_path / "other" / "sweep", 3, backend="wandb", sweep_id=recorded_status(first.output).sweep_id)
        begun.submit(1, time=None, scheduler="local")
        begun.wait_for_end()
        assert begun.numbers_in("completed") == [0, 1, 2]
        assert begun.jobs[0].state == "done"


class TestOptions:
    def problems(self, **given):
        return [str(problem) for problem in check_job_options(given)[1]]

    def test_each_mistake_names_the_rule_and_what_was_got(self):
        assert self.problems(jobs=0) == ["jobs must be at least 1, got 0"]
        assert "must be a duration" in self.problems(time="soon")[0]
        assert "must be KEY=VALUE, such as gres=gpu:a100:1, got 'gres'" in self.problems(slurm=["gres"])[0]
        assert "unknown scheduler 'pbs'; choose from auto, slurm, local" in self.problems(scheduler="pbs")[0]
        assert "did you mean 'partition'?" in self.problems(partion="gpu")[0]

    def test_options_of_slurm_are_refused_on_this_machine(self):
        assert "requires SLURM" in self.problems(scheduler="local", partition="gpu", gpus_per_job=0)[0]

    def test_what_jobs_decide_themselves_cannot_be_set(self, monkeypatch, tmp_path):
        (tmp_path / "sbatch").touch(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        refused = {
            "signal=USR1@60": "slurm signal cannot be set: jobs are warned and queued again by themselves; remove it",
            "cpus-per-task=4": "slurm cpus-per-task cannot be set: use cpus_per_task",
            "time=5": "slurm time cannot be set: use time",
            "--array=0-3": "slurm array cannot be set: a job is one process; jobs is their number; remove it",
            "wrap=true": "slurm wrap cannot be set: submit does not work with it; remove it",
        }
        assert {given: self.problems(time="1h", slurm=given) for given in refused} == {
            given: [message] for given, message in refused.items()
        }

    def test_more_gpus_than_this_machine_has_are_refused(self, monkeypatch):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
        assert "at most 2, the number of GPUs of this machine, got 3 x 1" in self.problems(scheduler="local", jobs=3)[0]

    def test_defaults(self):
        assert JobOptions().jobs == 1
        assert JobOptions(slurm=["--gres=gpu:1", "mail-type=END"]).slurm_settings == {
            "gres": "gpu:1",
            "mail-type": "END",
        }


class TestFailures:
    def test_no_summary_is_given_while_one_job_did_not_fail(self):
        failed, done = (JobStatus("7_0", 1, "failed", note="no GPU"), JobStatus("7_1", 1, "done"))
        assert describe_failures(()) is None
        assert describe_failures((failed, done)) is None
        assert describe_failures((failed, replace(done, state="waiting"))) is None

    def test_the_last_submission_counts(self):
        done, failed = JobStatus("7", 1, "done"), JobStatus("8", 2, "failed", note="no GPU", log="jobs/2/8_0_log.out")
        assert describe_failures((done, failed)) == "all 1 jobs failed:\n  1 of 1: no GPU\n  see jobs/2/8_0_log.out"
        assert describe_failures((failed, replace(done, submission=3))) is None


class TestWithoutAScheduler:
    @pytest.fixture
    def submitted(self, tmp_path):
        def record(**fields):
            directory = JobDirectory.create(tmp_path)
            given = {"scheduler": "slurm", "jobs": ("7_0",), "submitted": now()} | fields
            directory.write_submission(Submission(**given))
            return directory

        return record

    def job_in(self, tmp_path):
        (job,) = job_statuses(tmp_path, [])
        return job.state, job.note

    def test_the_state_of_jobs_is_unknown_where_slurm_is_not_installed(self, submitted, tmp_path, monkeypatch):
        submitted()
        monkeypatch.setenv("PATH", "/nowhere")
        why = "SLURM's squeue is not installed on this machine; ask on a login node"
        assert self.job_in(tmp_path) == ("unknown", why)
        with pytest.raises(SchedulerError, match=why):
            cancel_all(tmp_path)

    def test_what_a_job_said_itself_is_known_everywhere(self, submitted, tmp_path, monkeypatch):
        job = JobRecord(id="7_0", host="a", node="n1", started=now(), outcome="stopped", message="W&B ended it")
        submitted().write_job(job)
        monkeypatch.setenv("PATH", "/nowhere")
        assert self.job_in(tmp_path) == ("stopped", "W&B ended it")
        assert cancel_all(tmp_path) == ([], [])

    def test_jobs_of_another_machine_are_not_taken_for_dead(self, submitted, tmp_path):
        submitted(scheduler="local", jobs=("123",), processes=("box7 id boot ns/123/456",))
        assert self.job_in(tmp_path) == ("unknown", "its machine alone knows: process 123 on box7")
        with pytest.raises(SchedulerError, match="process 123 on box7"):
            cancel_all(tmp_path)

    @needs_slurm
    def test_a_controller_that_is_down_is_said_in_one_line(self, submitted, tmp_path, monkeypatch):
        submitted()
        monkeypatch.setattr(queue, "SECONDS", 0.5)
        with slurm.silent() as environment:
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            state, why = self.job_in(tmp_path)
        assert (state, why) == ("unknown", "SLURM's squeue did not answer within 0.5 s")


def _family(pid):
    """Return the ids of a process and of its descendants."""
    found, parents = [pid], {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found
