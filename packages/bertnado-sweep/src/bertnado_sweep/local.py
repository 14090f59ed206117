"""The local backend: no server, no account. Its record is an Optuna journal in the output directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
from optuna.samplers import RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from .best import choose_best, export_best
from .events import Observer, TrialEnded, TrialStarted
from .hyperband import EarlyTermination
from .plan import Plan, new_sweep_id
from .quiet import quiet_optuna
from .record import JOURNAL_FILE, claim, make_trial_directory, now, write_trial
from .runner import TrialReport, end_trial, run_trial
from .search import propose
from .tracking import Tracker, run_name
from .trial import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bertnado_config import Session

_RECORD = "trial"
"""The user attribute of an Optuna trial that holds what `trial.json` holds."""


class LocalBackend:
    """One sweep in an Optuna study. See `Backend`.

    The number of a trial comes from the study; its parameters, id and directory are its record, a user attribute;
    the n-th evaluation is its n-th intermediate value. A trial that was stopped early is complete to Optuna: its
    value means the same.
    """

    def __init__(self, plan: Plan, sweep_id: str, study: optuna.Study) -> None:
        self._plan = plan
        self._study = study
        section = plan.config.early_terminate
        self._early = None if section is None else EarlyTermination.from_section(section, plan.objective.goal)
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
        with quiet_optuna():
            study = optuna.create_study(
                storage=_storage(plan.output_dir),
                study_name=sweep_id,
                direction=plan.objective.goal,
                sampler=RandomSampler(),  # never asked: `propose` decides
            )
        return cls(plan, sweep_id, study)

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing: what there is to see is in the output directory."""
        return ()

    def conclude(self, trials: Sequence[Trial], best: Trial) -> tuple[str, ...]:
        """Nobody else has an opinion."""
        return ()

    def trials(self) -> tuple[Trial, ...]:
        """All trials as the journal has them, by number."""
        records = [frozen.user_attrs.get(_RECORD) for frozen in self._study.get_trials(deepcopy=False)]
        return tuple(Trial.from_record(record, self._plan.output_dir) for record in records if record)

    def work(self, observer: Observer) -> None:
        """Run trials until the budget is met, the target is reached or the space is spent."""
        session = self._plan.trainer.open()
        while (ticket := self._next()) is not None:
            self._run(session, *ticket, observer)

    def _next(self) -> tuple[Trial, optuna.Trial] | None:
        """Start the record of the next trial; `None` where there is none to run.

        Between the reading of what there is and the writing of what comes next nobody else may do the same.
        """
        trials = self.trials()
        if sum(trial.is_counted or trial.state == "running" for trial in trials) >= self._plan.budget:
            return None
        if self._target_is_reached(trials):
            return None
        number = len(self._study.get_trials(deepcopy=False))
        parameters = propose(self._plan.config, self._plan.objective.goal, trials, number, self._plan.seed)
        if parameters is None:
            return None
        entry = self._study.ask()
        trial = Trial(
            number=entry.number,
            id=f"{self.sweep_id}-{entry.number}",
            state="running",
            parameters=parameters,
            directory=make_trial_directory(self._plan.output_dir),
            started=now(),
        )
        entry.set_user_attr(_RECORD, write_trial(trial))
        return trial, entry

    def _target_is_reached(self, trials: tuple[Trial, ...]) -> bool:
        metric, best = self._plan.config.metric, choose_best(trials, self._plan.objective)
        if metric is None or metric.target is None or best is None:
            return False
        return not self._plan.objective.is_better(metric.target, best.value)

    def _run(self, session: Session, trial: Trial, entry: optuna.Trial, observer: Observer) -> None:
        report = TrialReport(trial, self._plan.objective, Tracker(None), observer, self._judge(entry))
        try:
            observer(TrialStarted(trial.number, trial.id, trial.parameters, trial.directory))
            report.tracker = self._tracker(trial)
            ended = run_trial(session.run, report)
        except BaseException:
            self._finish(end_trial(report, "interrupted"), entry, report)
            raise
        best = self._finish(ended, entry, report)
        observer(TrialEnded(ended, best))

    def _judge(self, entry: optuna.Trial) -> Callable[[float], bool]:
        history: list[float] = []

        def judge(value: float) -> bool:
            history.append(value)
            entry.report(value, step=len(history))
            return self._early is not None and self._early.should_stop(history, self._rivals(entry.number))

        return judge

    def _rivals(self, number: int) -> list[list[float]]:
        """The evaluations of every trial but `number`, running ones included."""
        others = [trial for trial in self._study.get_trials(deepcopy=False) if trial.number != number]
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

    def _finish(self, ended: Trial, entry: optuna.Trial, report: TrialReport) -> Trial | None:
        """Record what became of a trial, then export it if it is the best; the best comes back."""
        entry.set_user_attr(_RECORD, write_trial(ended))
        if ended.value is None:
            self._study.tell(ended.number, state=TrialState.FAIL)
        else:
            self._study.tell(ended.number, ended.value)
        best = choose_best(self.trials(), self._plan.objective)
        if best is not None and best.number == ended.number:
            export_best(best, self._plan.objective, self._plan.output_dir, self.sweep_id)
        report.finish_tracking(ended)
        return best


def _storage(output_dir: Path) -> JournalStorage:
    # By absolute path: Optuna's lock never recovers from a dead holder on a relative one.
    return JournalStorage(JournalFileBackend(str(output_dir.resolve() / JOURNAL_FILE)))
