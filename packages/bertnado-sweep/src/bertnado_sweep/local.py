"""The local backend: no server, no account. Its record is an Optuna journal in the output directory."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from .best import choose_best, settle, with_kept_checkpoint
from .events import Note, Observer, TrialEnded, TrialStarted
from .hyperband import EarlyTermination
from .journal import open_journal
from .plan import Plan, new_sweep_id
from .quiet import quiet_optuna
from .record import claim, make_trial_directory, now, write_trial
from .runner import TrialReport, end_trial, run_trial
from .search import propose
from .stopping import StopRequest, run_shielded
from .tracking import Tracker, run_name
from .trial import Trial
from .workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bertnado_config import Session

_RECORD = "trial"
"""The user attribute of an entry that holds what `trial.json` holds."""
_WORKER = "worker"
"""The user attribute of an entry that names the process which made it."""

_PAUSE = 0.005
"""Seconds between two looks at whether the earlier entries are decided."""


class LocalBackend:
    """One sweep in an Optuna study, worked on by any number of processes. See `Backend`.

    An entry of the study is a trial: its number comes from the study, which gives each number once; its parameters,
    id and directory are its record, a user attribute; the n-th evaluation is its n-th intermediate value. A trial that
    was stopped early is complete to Optuna: its value means the same.

    An entry is undecided until it has a record or is withdrawn. Entries are decided in the order of their numbers, so
    that each sees all that came before it, whichever process made them: no budget is exceeded, nothing is tried twice.
    """

    def __init__(self, plan: Plan, sweep_id: str) -> None:
        self._plan = plan
        section = plan.config.early_terminate
        self._early = None if section is None else EarlyTermination.from_section(section, plan.objective.goal)
        self._storage = open_journal(plan.output_dir)
        self._study = self._storage.get_study_id_from_name(sweep_id)
        self._me = _worker_name(os.getpid())
        self.sweep_id = sweep_id

    @classmethod
    def create(cls, plan: Plan) -> LocalBackend:
        """Claim the output directory and begin a new sweep there.

        Raises:
            FileExistsError: Another sweep was begun there in the meantime.
            OSError: The record cannot be written.
        """
        sweep_id = new_sweep_id()
        claim(plan.output_dir, plan.to_record(sweep_id, "local"))
        direction = StudyDirection[plan.objective.goal.upper()]
        with quiet_optuna():
            open_journal(plan.output_dir).create_new_study([direction], sweep_id)
        return cls(plan, sweep_id)

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing: what there is to see is in the output directory."""
        return ()

    def conclude(self, trials: Sequence[Trial], best: Trial) -> tuple[str, ...]:
        """Nobody else has an opinion."""
        return ()

    def trials(self) -> tuple[Trial, ...]:
        """All trials as the journal has them, by number."""
        records = [entry.user_attrs.get(_RECORD) for entry in self._entries()]
        return tuple(Trial.from_record(record, self._plan.output_dir) for record in records if record)

    def work(self, observer: Observer) -> None:
        """Run trials until the budget is met, the target is reached or the space is spent."""
        if self._plan.workers == 1:
            self.work_alone(observer)
            return
        work = partial(_work, self._plan, self.sweep_id)
        run_workers([work] * self._plan.workers, observer, partial(self._bury, observer))

    def work_alone(self, observer: Observer) -> None:
        """Run trials in this process, one at a time, until the sweep has no more."""
        stop = StopRequest()
        run_shielded(lambda: self._run_all(observer, stop), stop)
        if stop.is_made:
            raise KeyboardInterrupt

    def _run_all(self, observer: Observer, stop: StopRequest) -> None:
        session = self._plan.trainer.open()
        while not stop.is_made and (ticket := self._next(stop)) is not None:
            self._run(session, *ticket, observer, stop)

    def _entries(self) -> list[FrozenTrial]:
        return self._storage.get_all_trials(self._study, deepcopy=False)

    def _next(self, stop: StopRequest) -> tuple[Trial, int] | None:
        """Start the record of the next trial, and name its entry; `None` where there is none to run."""
        template = create_trial(state=TrialState.RUNNING, user_attrs={_WORKER: self._me})
        entry = self._storage.create_new_trial(self._study, template)
        number = self._storage.get_trial_number_from_id(entry)
        while not stop.is_made and any(_is_undecided(other) for other in self._entries()[:number]):
            time.sleep(_PAUSE)
        parameters = None if stop.is_made else self._propose(number)
        if parameters is None:
            self._withdraw(entry)
            return None
        trial = Trial(
            number=number,
            id=f"{self.sweep_id}-{number}",
            state="running",
            parameters=parameters,
            directory=make_trial_directory(self._plan.output_dir),
            started=now(),
        )
        self._storage.set_trial_user_attr(entry, _RECORD, write_trial(trial))
        return trial, entry

    def _propose(self, number: int) -> dict[str, object] | None:
        trials = self.trials()
        if sum(trial.is_counted or trial.state == "running" for trial in trials) >= self._plan.budget:
            return None
        if self._target_is_reached(trials):
            return None
        return propose(self._plan.config, self._plan.objective.goal, trials, number, self._plan.seed)

    def _target_is_reached(self, trials: tuple[Trial, ...]) -> bool:
        metric, best = self._plan.config.metric, choose_best(trials, self._plan.objective)
        if metric is None or metric.target is None or best is None:
            return False
        return not self._plan.objective.is_better(metric.target, best.value)

    def _run(self, session: Session, trial: Trial, entry: int, observer: Observer, stop: StopRequest) -> None:
        report = TrialReport(
            trial, self._plan.objective, Tracker(None), observer, self._judge(entry), is_stopped=lambda: stop.is_made
        )
        try:
            observer(TrialStarted(trial.number, trial.id, trial.parameters, trial.directory))
            report.tracker = self._tracker(trial)
            ended = run_trial(session.run, report)
            if stop.is_made and ended.state == "stopped":
                ended = replace(ended, state="interrupted", value=None)
        except BaseException:
            self._finish(end_trial(report, "interrupted"), entry, report)
            raise
        best = self._finish(ended, entry, report)
        observer(TrialEnded(ended, best))

    def _judge(self, entry: int) -> Callable[[float], bool]:
        history: list[float] = []

        def judge(value: float) -> bool:
            history.append(value)
            self._storage.set_trial_intermediate_value(entry, len(history), value)
            return self._early is not None and self._early.should_stop(history, self._rivals(entry))

        return judge

    def _rivals(self, entry: int) -> list[list[float]]:
        """The evaluations of every trial but one, running ones included."""
        others = [other for other in self._entries() if other._trial_id != entry]
        return [[value for _, value in sorted(other.intermediate_values.items())] for other in others]

    def _tracker(self, trial: Trial) -> Tracker:
        plan = self._plan
        return Tracker.start(
            online=False,
            directory=plan.output_dir,
            project=plan.project,
            entity=plan.config.entity,
            group=plan.group,
            job_type="sweep",
            run_id=trial.id,
            name=run_name(plan.config.name, trial.id),
            config=trial.parameters,
            details={"sweep_id": self.sweep_id, "trial": trial.number, "directory": trial.directory.name},
        )

    def _finish(self, ended: Trial, entry: int, report: TrialReport) -> Trial | None:
        """Record what became of a trial, then export it if it is the best; the best comes back."""
        best = self._record(ended, entry)
        report.finish_tracking(ended)
        return best

    def _record(self, ended: Trial, entry: int) -> Trial | None:
        keep = self._plan.keep_checkpoints
        ended = with_kept_checkpoint(ended, keep)
        self._storage.set_trial_user_attr(entry, _RECORD, write_trial(ended))
        if ended.value is None:
            self._storage.set_trial_state_values(entry, TrialState.FAIL)
        else:
            self._storage.set_trial_state_values(entry, TrialState.COMPLETE, [ended.value])
        return settle(self.trials, self._plan.objective, self._plan.output_dir, self.sweep_id, keep)

    def _withdraw(self, entry: int) -> None:
        self._storage.set_trial_state_values(entry, TrialState.FAIL)

    def _bury(self, observer: Observer, process: int, death: str) -> bool:
        """Settle what a worker that died has left; whether it had a trial, and so is worth starting again."""
        had_trial = False
        for entry in self._entries():
            if entry.state.is_finished() or entry.user_attrs.get(_WORKER) != _worker_name(process):
                continue
            record = entry.user_attrs.get(_RECORD)
            if record is None:
                self._withdraw(entry._trial_id)
                continue
            had_trial = True
            error = f"its worker process died: {death}"
            trial = Trial.from_record(record, self._plan.output_dir)
            ended = replace(trial, state="failed", ended=now(), error=error)
            observer(TrialEnded(ended, self._record(ended, entry._trial_id)))
        if not had_trial:
            observer(Note(f"a worker died before it had a trial: {death}"))
        return had_trial


def _work(plan: Plan, sweep_id: str, observer: Observer) -> None:
    """Work on a sweep that another process has begun."""
    LocalBackend(plan, sweep_id).work_alone(observer)


def _worker_name(process: int) -> str:
    return f"{socket.gethostname()}/{process}"


def _is_undecided(entry: FrozenTrial) -> bool:
    return not entry.state.is_finished() and _RECORD not in entry.user_attrs
