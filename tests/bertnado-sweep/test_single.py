"""A run of its own is tracked and watched as a trial is."""

import pytest
from bertnado_metrics import Objective
from bertnado_sweep.running.events import RunStarted, TrialEvaluated, TrialProgress
from bertnado_sweep.single_run import single_run

OBJECTIVE = Objective("eval/roc_auc", "maximize")


@pytest.mark.usefixtures("tracked")
def test_a_run_of_its_own_is_tracked_with_the_value_of_its_best_evaluation(tmp_path, read_runs):
    heard = []
    with single_run(
        directory=tmp_path,
        objective=OBJECTIVE,
        parameters={"x": 1},
        project="dna",
        group="task",
        observer=heard.append,
    ) as report:
        report.started(2, {"arguments": {"bf16": True}})
        assert not report(1, 0.9)
        assert not report(2, 0.4)
    [run] = read_runs(tmp_path).values()
    assert (run.run.project, run.run.run_group, run.run.job_type) == ("dna", "task", "full_train")
    assert run.config == {"x": 1, "bertnado": {"arguments": {"bf16": True}}}
    assert (run.summary["eval/roc_auc"], run.exit_code) == (0.9, 0)
    assert [type(event) for event in heard] == [RunStarted, TrialProgress, TrialEvaluated, TrialEvaluated]


@pytest.mark.usefixtures("tracked")
def test_a_run_that_raises_ends_as_failed(tmp_path, read_runs):
    with (
        pytest.raises(RuntimeError),
        single_run(directory=tmp_path, objective=OBJECTIVE, parameters={}, project="dna"),
    ):
        raise RuntimeError
    assert [run.exit_code for run in read_runs(tmp_path).values()] == [1]
