"""A trainer of another project, and what can be wrong with one."""

from pathlib import Path

from bertnado_config import Problem, TrialResult


class LineTrainer:
    """Reports shares of a parameter; the second is the best."""

    def check(self, config, objective):
        """Find nothing wrong."""
        return []

    def open(self):
        """Share nothing."""
        return self

    def run(self, parameters, report):
        """Report three evaluations."""
        report.started(3, {})
        values, stopped = [], False
        for step, share in enumerate((0.5, 1.0, 0.25), start=1):
            stopped = self.must_stop(report.progress(step))
            if not stopped:
                values.append(self.value(parameters["rate"], share))
                stopped = self.must_stop(report(step, values[-1]))
            if stopped:
                break
        return self.result(report, values, stopped)

    def must_stop(self, answer):
        return answer

    def value(self, rate, share):
        return rate * share

    def result(self, report, values, stopped):
        best = max(values, default=None)
        return TrialResult(best, None if best is None else values.index(best) + 1, stopped=stopped)


class DeafTrainer(LineTrainer):
    """Does not obey a stop."""

    def must_stop(self, answer):
        return False


class SilentTrainer(LineTrainer):
    """Does not say that it was stopped."""

    def result(self, report, values, stopped):
        return super().result(report, values, False)


class LastValueTrainer(LineTrainer):
    """Returns its last value."""

    def result(self, report, values, stopped):
        return TrialResult(values[-1] if values else None, len(values) or None, stopped=stopped)


class BackwardTrainer(LineTrainer):
    """Reports a step twice and goes back."""

    def run(self, parameters, report):
        """Report step 2 before step 1."""
        report(2, 0.5)
        report(1, 0.25)
        return TrialResult(0.5, 2)


class LitteringTrainer(LineTrainer):
    """Writes into the working directory."""

    def result(self, report, values, stopped):
        Path("notes.txt").write_text("done")
        return super().result(report, values, stopped)


class LeakingTrainer(LineTrainer):
    """Lets earlier trials change later ones."""

    def __init__(self):
        self.evaluations = 0

    def open(self):
        """Start from the beginning."""
        return LeakingTrainer()

    def value(self, rate, share):
        self.evaluations += 1
        return rate * share + self.evaluations // 4


class UnrecordableTrainer(LineTrainer):
    """Returns what no record can hold."""

    def result(self, report, values, stopped):
        return TrialResult(max(values, default=None), stopped=stopped, details={"model": object()})


class ComplainingTrainer(LineTrainer):
    """Finds an error in a sweep file that has none."""

    def check(self, config, objective):
        """Find something wrong."""
        return [Problem("parameters.rate", "is too high")]


BROKEN = (
    DeafTrainer,
    SilentTrainer,
    LastValueTrainer,
    BackwardTrainer,
    LitteringTrainer,
    LeakingTrainer,
    UnrecordableTrainer,
    ComplainingTrainer,
)
