"""The conformance suites in the hands of another project: they pass what is right and fail what is not."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

PROJECT = Path(__file__).parent / "external_project"
README = Path(__file__).parents[2] / "packages" / "bertnado-sweep" / "README.md"
CONFORMING = ("RecurrenceSearch", "LineTrainer")
FAULTS = {
    "UnseededSearch": "test_the_same_state_gives_the_same_candidates",
    "SeedIgnoringSearch": "test_the_same_seed_gives_the_same_trials_and_another_seed_others",
    "NumberIgnoringSearch": "test_workers_that_begin_together_begin_at_different_points",
    "OrderDependentSearch": "test_the_order_of_the_trials_does_not_matter",
    "IncompleteSearch": "test_a_finite_space_is_tried_to_its_last_point",
    "OutsideSearch": "test_candidates_are_points_of_the_space",
    "UnpicklableSearch": "test_a_pickled_copy_gives_the_same_candidates",
    "VagueSearch": "test_a_space_that_it_cannot_search_is_refused_by_path",
    "UnregisteredSearch": "test_it_is_registered_under_its_name",
    "DeafTrainer": "test_a_trial_that_must_stop_at_a_step_does_no_more",
    "SilentTrainer": "test_a_trial_that_must_stop_at_an_evaluation_has_no_more",
    "LastValueTrainer": "test_the_value_is_the_best_that_was_reported",
    "BackwardTrainer": "test_a_trial_reports_its_evaluations_in_order",
    "LitteringTrainer": "test_nothing_is_written_outside_of_the_directory",
    "LeakingTrainer": "test_a_trial_does_not_depend_on_the_one_before",
    "UnrecordableTrainer": "test_what_a_trial_reports_can_be_recorded",
    "ComplainingTrainer": "test_a_check_returns_problems_and_finds_no_error_in_the_config",
}
"""The test that each broken search method and trainer must fail."""


def write_project(directory):
    """Write the project of another author, and the README's example as one of its tests."""
    for file in PROJECT.glob("*.py"):
        name = "test_conformance.py" if file.stem == "conformance" else file.name
        shutil.copy(file, directory / name)
    [example] = re.findall(r"```py\n(.*?)```", README.read_text(), re.DOTALL)
    (directory / "test_readme.py").write_text(example)
    (directory / "my_project.py").write_text("from searches import RecurrenceSearch as MySearch")
    (directory / "conftest.py").write_text('pytest_plugins = ["bertnado_sweep.testing.fixtures"]')


def run_project(directory, tests):
    """Run tests of the project in `directory`; return the failures of each."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=report.xml"]
    command += ["test_readme.py", *(f"test_conformance.py::Test{test}" for test in tests)]
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(directory)}  # none of what this project's tests set
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, env=surroundings)
    assert done.returncode == 1, done.stdout + done.stderr
    failures = {}
    for case in ET.parse(directory / "report.xml").iter("testcase"):
        test = case.get("classname").rpartition("Test")[2] + "::" + case.get("name").partition("[")[0]
        messages = [part.get("message") for part in case if part.tag in ("failure", "error")]
        failures.setdefault(test, []).extend(messages)
    return failures


def test_a_suite_passes_what_conforms_and_fails_what_does_not(tmp_path):
    faults = [f"{name}::{test}" for name, test in FAULTS.items()]
    unprovided = "WithoutFixtures::test_the_value_is_the_best_that_was_reported"
    write_project(tmp_path)
    served = "ServedBackend::test_the_goal_decides_what_is_best"
    failures = run_project(tmp_path, [*CONFORMING, served, *faults, unprovided])
    [shown] = failures["LastValueTrainer::test_the_value_is_the_best_that_was_reported"]
    assert shown.startswith("assert 0.")
    assert "= TrialResult(value=" in shown
    [missing] = failures.pop(unprovided)
    assert "provide the fixture trainer: the trainer to test" in missing
    assert [test for test in faults if not failures.pop(test)] == []
    assert {test.partition("::")[0] for test in failures} == {*CONFORMING, "MySearch", "ServedBackend"}
    assert {test: messages for test, messages in failures.items() if messages} == {}
    assert not list(tmp_path.glob(".*"))  # nothing in the home directory


def test_the_library_does_without_pytest_and_says_what_the_suites_require():
    code = """
import sys
import bertnado_sweep
print(sorted({"pytest", "graphql"} & set(sys.modules)))
sys.modules["graphql"] = None
try:
    import bertnado_sweep.testing
except ModuleNotFoundError as error:
    print(error)
"""
    printed = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()
    assert printed == ["[]", "bertnado_sweep.testing requires graphql; install bertnado-sweep[testing]"]
