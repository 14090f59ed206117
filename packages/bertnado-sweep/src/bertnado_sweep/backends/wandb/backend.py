"""The W&B backend: W&B chooses the parameters of every trial, and its agents on this machine train them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from bertnado_sweep.backends.base import EarlyEnd
from bertnado_sweep.records.files import LOGS, beginning_alone, claim
from bertnado_sweep.records.presence import Presence, beginning
from bertnado_sweep.records.trial_files import read_trials
from bertnado_sweep.running.events import Note
from bertnado_sweep.running.limits import ProcessSpentError, WorkersLeftError
from bertnado_sweep.running.stop_request import INTERRUPTS, NOTICES, Interrupted, StopRequest, interrupt_main
from bertnado_sweep.running.wandb_client import wandb_client
from bertnado_sweep.running.worker_pool import WorkerExit, run_workers
from bertnado_sweep.start import JoinedWandbSweep

from .agent import AgentTrials, settle_killed
from .environment import answers, base_url, reload_settings
from .service import ServiceError, create_sweep, merge_trials, read_service_trials, sweep_state, wandb_best_run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from multiprocessing.sharedctypes import Synchronized
    from types import FrameType

    from bertnado_sweep.plan import Plan
    from bertnado_sweep.records.service_sweep import ServiceSweep
    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.running.events import Observer

PATIENCE = 60.0
"""Seconds without an answer of the server, and without a running trial, after which the sweep ends."""

_PROBE_PAUSE = 2.0


class WandbBackend:
    """One sweep at W&B, worked on by agents of this machine. See `Backend`; it runs inside `quiet_wandb`."""

    def __init__(self, plan: Plan, sweep: ServiceSweep, first_number: int = 0) -> None:
        self._presence = Presence(plan.output_dir)
        with beginning(plan.output_dir):
            if self._presence.is_alone():
                settle_killed(plan.output_dir, sweep.id)
            self._presence.come()
        self._plan = plan
        self._sweep = sweep
        self._first_number = first_number
        self._has_lost_trials = False
        self.sweep_id = sweep.id

    @classmethod
    def create(cls, plan: Plan) -> WandbBackend:
        """Create the sweep at W&B, or join the plan's, and record it in the output directory.

        Raises:
            ServiceError: W&B refused, or did not answer.
            InvalidInputError: Another sweep is recorded there, or starts there at the same time.
            OSError: The record cannot be written.
        """
        plan.output_dir.mkdir(parents=True, exist_ok=True)
        if isinstance(plan.start, JoinedWandbSweep):
            sweep = plan.start.sweep
            first = len(read_service_trials(sweep, plan.config, plan.objective, plan.output_dir))
            cls._claim(plan, sweep)
            return cls(plan, sweep, first)
        with beginning_alone(plan.output_dir):  # otherwise a sweep without a directory would be left at W&B
            sweep = create_sweep(sweep_document(plan), entity=plan.entity, project=plan.project)
            cls._claim(plan, sweep)
        return cls(plan, sweep, 0)

    @classmethod
    def _claim(cls, plan: Plan, sweep: ServiceSweep) -> None:
        claim(plan.output_dir, plan.to_record(sweep.id) | {"path": str(sweep), "url": sweep.url})

    def close(self) -> None:
        """Leave the output directory; whoever leaves last settles the trials of killed workers."""
        try:
            with suppress(OSError), beginning(self._plan.output_dir):
                if self._presence.is_alone():
                    settle_killed(self._plan.output_dir, self.sweep_id)
        finally:
            self._presence.leave()

    @property
    def notes(self) -> tuple[str, ...]:
        """The page of the sweep."""
        return (f"at W&B: {self._sweep.url}",)

    def work(self, observer: Observer) -> EarlyEnd | None:
        """Run agents until they have trained the plan's number of trials, or W&B has no more."""
        stop = StopRequest()
        if self._plan.budget > 0:  # otherwise all trials were finished before
            self._run_agents(observer, stop)
        return self._ended_by(stop)

    def _run_agents(self, observer: Observer, stop: StopRequest) -> None:
        plan = self._plan
        deadline = None if plan.options.time_limit is None else time.monotonic() + plan.options.time_limit
        if plan.workers == 1:
            try:
                run_agent(plan, self._sweep, plan.budget, self._first_number, observer, deadline, stop=stop)
            except ProcessSpentError as error:
                raise WorkersLeftError([f"this process cannot use its GPU after {error}"]) from None
            return
        context = multiprocessing.get_context("spawn")
        left = [context.Value("q", share) for share in shares(plan.budget, plan.workers)]
        works = [partial(_work, plan, self._sweep, share, self._first_number, deadline) for share in left]
        handle_exit = _ExitHandler(left, observer)
        run_workers(works, observer, handle_exit, plan.output_dir / LOGS, stop)
        self._has_lost_trials = handle_exit.has_lost_trials

    def _ended_by(self, stop: StopRequest) -> EarlyEnd | None:
        """Return what ended the sweep before its budget was met; None if nothing did, or its own rules."""
        if self.count_finished() >= self._plan.budget:
            return None
        if stop.notice is not None:
            return EarlyEnd(stop.notice.name)
        state = sweep_state(self._sweep)
        if state == "FINISHED":
            return None
        if state in ("RUNNING", "PAUSED") and self._has_lost_trials:
            return EarlyEnd("the death of a worker")
        if state in ("RUNNING", "PAUSED") and self._plan.options.time_limit is not None:
            return EarlyEnd("the time limit")
        return EarlyEnd("W&B", f"there it is {state or 'deleted or hidden'}")

    def count_finished(self) -> int:
        """Return the number of trials that the agents of this machine have finished since the plan was made."""
        mine = read_trials(self._plan.output_dir, self.sweep_id)
        return sum(trial.is_counted and trial.started >= self._plan.began for trial in mine)

    def trials(self) -> tuple[Trial, ...]:
        """Return all runs of the sweep by creation; the local record of a run takes precedence over W&B's."""
        mine = read_trials(self._plan.output_dir, self.sweep_id)
        return merge_trials(self._sweep, self._plan.config, self._plan.objective, self._plan.output_dir, mine)

    def conclude(self, trials: Sequence[Trial], best: Trial) -> tuple[str, ...]:
        """Return a note if W&B's own choice of the best run differs, with the reason."""
        named = wandb_best_run_id(self._sweep)
        other = next((trial for trial in trials if trial.id == named), None)
        if other is None or other.id == best.id or (other.is_eligible and other.value == best.value):
            return ()
        why = f"is {other.state}" if not other.is_eligible else f"has {other.value}"
        return (f"W&B's own best run is {named}, which {why}; the best one that counts is {best.id}",)


def shares(budget: int, workers: int) -> list[int]:
    """Split a number of trials as evenly as possible; no share is 0.

    A run exists at W&B as soon as an agent asks for it, so the agents together must not ask for more than are left.
    """
    each, rest = divmod(budget, workers)
    return [share for share in (each + (worker < rest) for worker in range(workers)) if share]


def _work(
    plan: Plan,
    sweep: ServiceSweep,
    left: Synchronized[int],
    first_number: int,
    deadline: float | None,
    observer: Observer,
) -> None:
    """Train what is left of one worker's share, in its process."""

    def count_begun() -> None:
        left.value -= 1

    reload_settings()
    if left.value:
        run_agent(plan, sweep, left.value, first_number, observer, deadline, count_begun)


class _ExitHandler:
    """Reports workers that died, and restarts them for the rest of their share if they had started a trial."""

    def __init__(self, left: Sequence[Synchronized[int]], observer: Observer) -> None:
        self._left = left
        self._observer = observer
        self._before = sum(share.value for share in left)
        self.has_lost_trials = False

    def __call__(self, exited: WorkerExit, is_over: bool) -> bool:
        if is_over or exited.is_clean:
            return False
        self.has_lost_trials = True
        left = sum(share.value for share in self._left)
        had_trial, self._before = left < self._before, left
        last = f" ({exited.last_lines[-1]})" if exited.last_lines else ""
        lost = "its trial is lost" if had_trial else "the rest of its share is lost"
        self._observer(Note(f"a worker died: {exited.how}{last}; {lost}"))
        return had_trial


def sweep_document(plan: Plan) -> dict[str, Any]:
    """Return the sweep file for W&B: as it was written, with the resolved metric and the command for agents."""
    document = plan.config.to_wandb()
    metric: Mapping[str, Any] = document.get("metric") or {}
    document["metric"] = {**metric, "name": plan.objective.name, "goal": plan.objective.goal}
    document.setdefault("name", _name(plan))
    if plan.application.command and "program" not in document and "command" not in document:
        program, *words = plan.application.command
        document |= {"program": program, "command": ["${env}", "${program}", *words]}
    return document


def _name(plan: Plan) -> str:
    parts = [plan.project, plan.application.group, time.strftime("%Y-%m-%d %H:%M")]
    return " ".join(part for part in parts if part)


def run_agent(
    plan: Plan,
    sweep: ServiceSweep,
    count: int,
    first_number: int,
    observer: Observer,
    deadline: float | None,
    count_begun: Callable[[], None] = lambda: None,
    stop: StopRequest | None = None,
) -> None:
    """Run one of W&B's agents in this process for `count` trials, or until the deadline.

    Raises:
        TooManyFailuresError: Too many trials failed.
        WorkersLeftError: The machine fails; the trial is recorded as interrupted.
        ProcessSpentError: Another process must go on.
        KeyboardInterrupt: It was interrupted; the running trial is recorded as such.
        ServiceError: W&B no longer answers.
        InvalidInputError: The trainer cannot be opened.
    """
    wandb = wandb_client()
    session = plan.trainer.open()
    trials = AgentTrials(
        session=session,
        config=plan.config,
        objective=plan.objective,
        output_dir=plan.output_dir,
        sweep_id=sweep.id,
        group=plan.application.group,
        observer=observer,
        first_number=first_number,
        count_begun=count_begun,
        keep_checkpoints=plan.options.keep_checkpoints,
        states_every=plan.options.states_every if plan.keeps_states else None,
        began=plan.began,
        max_failures=plan.options.max_failures,
        deadline=deadline,
        is_cancelled=lambda: sweep_state(sweep) == "CANCELED",
    )
    with _Watch(trials, stop or StopRequest()) as watch:
        wandb.agent(
            sweep.id,
            function=trials.train_assigned,
            entity=sweep.entity,
            project=sweep.project,
            count=count,
        )
    if watch.is_interrupted:
        raise Interrupted(watch.signum)
    if trials.failure is not None:
        raise trials.failure
    if watch.is_lost:
        raise ServiceError(
            f"{watch.url} has not answered for {PATIENCE:g} s, so the sweep ends; what was trained is in "
            f"{plan.output_dir}, and `wandb sync` uploads what W&B has not received"
        )


class _Watch:
    """Ends an agent on a signal, at the deadline, or if the server no longer answers, and remembers the cause.

    An agent itself swallows Ctrl-C, and waits forever for a server that does not answer.
    """

    def __init__(self, trials: AgentTrials, stop: StopRequest) -> None:
        self.url = base_url()
        self.is_interrupted = False
        self.signum: int = signal.SIGINT
        self.is_lost = False
        self._trials = trials
        self._stop = stop
        self._over = threading.Event()
        self._is_main = threading.current_thread() is threading.main_thread()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> _Watch:
        if self._is_main:
            handlers = {**dict.fromkeys(INTERRUPTS, self._interrupt), **dict.fromkeys(NOTICES, self._end_soon)}
            self._before = {name: signal.signal(name, handler) for name, handler in handlers.items()}
            threading.Thread(target=self._look, name="watch", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._is_main:
            for name, handler in self._before.items():
                signal.signal(name, handler)

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        if self.is_interrupted and multiprocessing.parent_process() is not None:
            return  # the parent and a scheduler may both have sent it
        if self.is_interrupted:
            os._exit(128 + signum)  # the second one ends the process at once
        self.is_interrupted = not self.is_lost and (not self._trials.is_last or self._trials.running is not None)
        self.signum = signum
        if self._trials.running is not None:
            self._trials.running.set("interrupted")
        raise KeyboardInterrupt

    def _end_soon(self, signum: int, frame: FrameType | None) -> None:
        self._trials.is_last = True
        self._stop.give_notice(signum)
        if self._trials.running is None:
            raise KeyboardInterrupt
        if self._stop.reason is not None:
            self._trials.running.set(self._stop.reason)

    def _look(self) -> None:
        silent_since: float | None = None
        while not self._over.wait(_PROBE_PAUSE):
            if self._trials.deadline is not None and time.monotonic() > self._trials.deadline:
                self._trials.is_last = True
                if self._trials.running is not None:
                    self._trials.running.set("out of time")
                else:
                    interrupt_main()
                return
            if self._trials.running is not None or answers(self.url):
                silent_since = None
                continue
            silent_since = silent_since or time.monotonic()
            if time.monotonic() - silent_since >= PATIENCE and not self._over.is_set():
                self.is_lost = True
                interrupt_main()
                return
