"""The commands, as a person types them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import numpy as np
import pytest
from bertnado.cli import main
from click.testing import CliRunner

SCRIPTS = Path(sys.executable).parent


def run(*words, cwd=None):
    """Run a command in a process of its own."""
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, cwd=cwd, check=False)


@pytest.fixture
def flags(material, tmp_path):
    """The flags of run-sweep that these tests need, without a measurement before the first trial."""
    return [
        *("--config-path", material / "sweep.json", "--output-dir", tmp_path / "out"),
        *("--model-name", material / "model", "--dataset", material / "dataset"),
        *("--sweep-count", "2", "--project-name", "tests", "--metric-name", "eval/roc_auc"),
        *("--metric-goal", "maximize", "--task-type", "binary_classification", "--no-dry-run"),
    ]


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom bertnado.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'transformers', 'wandb', 'optuna', 'datasets', 'numpy', 'rich') "
        "if name in sys.modules])"
    )
    shown = run(sys.executable, "-c", code).stdout
    assert "run-sweep" in shown
    assert shown.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_has_a_help_text_with_its_examples_line_by_line(command):
    shown = invoke(command, "--help")
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert len(lines) > 5
    marks = ("\b", "\\b", "\\\\")
    assert [line for line in lines if any(mark in line for mark in marks)] == []
    examples = [line for line in lines if "Example" in line]
    assert all(line in ("  Example:", "  Examples:") for line in examples)


@pytest.mark.parametrize(
    "script", [["bertnado", "run-sweep"], pytest.param(["bertnado-sweep"], marks=pytest.mark.slow)]
)
def test_run_sweep_writes_the_best_configuration(script, flags, tmp_path):
    done = run(SCRIPTS / script[0], *script[1:], *flags)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert json.loads((tmp_path / "out" / "best_sweep_config.json").read_text()) == found["best_config"]
    assert "trial 2 of 2: " in done.stderr
    assert "completed: eval/roc_auc 0." in done.stderr


@pytest.mark.parametrize(
    "script", [["bertnado", "full-train"], pytest.param(["bertnado-train"], marks=pytest.mark.slow)]
)
def test_full_train_writes_the_model(script, material, swept, tmp_path):
    done = run(
        *(SCRIPTS / script[0], *script[1:]),
        *("--output-dir", tmp_path / "train", "--model-name", material / "model", "--dataset", material / "dataset"),
        *("--best-config-path", swept[0] / "best_sweep_config.json", "--task-type", "binary_classification"),
        *("--project-name", "tests", "--early-stopping-patience", "2"),
    )
    assert done.returncode == 0, done.stderr
    assert "taken from best_sweep_details.json: seed=7" in done.stderr
    assert (tmp_path / "train" / "model" / "model.safetensors").is_file()
    assert json.loads(done.stdout)["metric_name"] == "eval/roc_auc"


def test_check_shows_the_plan_and_starts_nothing(flags, tmp_path):
    shown = invoke("check", *flags)
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert "objective     maximize eval/roc_auc, at each trial's best checkpoint" in lines
    assert "trials        2" in lines
    assert "steps         6 per trial, 3 evaluations" in lines
    [first_row] = [line for line in lines if line.startswith("first row")]
    assert re.fullmatch(r"first row     \[CLS\]( [ACGT]+){9,} \.\.\. \[SEP\] \(\d+ tokens\)", first_row)
    [cache] = [line for line in lines if line.startswith("cache")]
    assert re.fullmatch(r"cache         .*/cache/bertnado: 0\.\d MB for this dataset", cache)
    [by_length] = [line for line in lines if line.startswith("by length")]
    assert re.fullmatch(
        r"by length     not grouped; group_by_length: true saves \d+% of the tokens in training", by_length
    )
    assert "  per_device_train_batch_size  16, 32" in lines
    assert "  max_steps = 6" in lines
    assert lines[-1] == "Nothing was started."
    assert not (tmp_path / "out").exists()


def test_a_dry_run_shows_what_trials_will_cost(flags, tmp_path):
    shown = invoke("check", *flags, "--dry-run", "--time-limit", "4h", "--workers", 2)
    assert shown.exit_code == 0, shown.output
    lines = {line[:14].strip(): line[14:] for line in shown.stdout.splitlines()}
    assert re.fullmatch(
        r"measured in \d+ s: \d+ training steps with batches of up to (16|32) rows, an evaluation, a checkpoint, "
        r"in 2 processes at once",
        lines["forecast"],
    )
    time = r"[\d.]+ (ms|s|min)"
    assert re.fullmatch(
        rf"{time} with a batch of (16|32) rows of median length, {time} with the longest", lines["a step"]
    )
    assert re.fullmatch(rf"{time} each, \d+% of the trials", lines["evaluation"])
    assert lines["checkpoint"] == "0.4 MB"
    assert re.fullmatch(r"\d+\.\d MB at most", lines["memory"])
    assert re.fullmatch(rf"{time}( to {time}, median {time})?", lines["a trial"])
    assert re.fullmatch(rf"{time} for 2 trials by 2 workers", lines["the sweep"])
    assert lines["time limit"] == "2 of 2 trials end within 4.0 h"
    assert [path.name for path in tmp_path.iterdir()] == []


def test_the_plan_as_json_has_the_forecast_only_after_a_dry_run(flags):
    plain = json.loads(invoke("check", *flags, "--format", "json").stdout)
    assert (plain["budget"], plain["steps"], plain["forecast"]) == (2, [6, 6], None)
    measured = json.loads(invoke("check", *flags, "--format", "json", "--dry-run").stdout)["forecast"]
    assert (measured["trials"], measured["workers"], measured["trials_within_time_limit"]) == (2, 1, None)
    durations = ("sweep", "median_trial", "shortest_trial", "longest_trial", "evaluation", "median_step", "took")
    assert all(measured[name] > 0 for name in durations)
    assert measured["checkpoint_bytes"] > 100_000


@pytest.mark.slow
def test_a_sweep_begins_with_the_forecast_unless_it_is_switched_off(flags, tmp_path):
    switched_off = [*flags, "--sweep-count", 1, "--backend", "local"]
    switched_on = [word for word in switched_off if word != "--no-dry-run"]
    measured, plain = (
        invoke("run-sweep", *words, "--output-dir", tmp_path / name).stderr
        for name, words in (("on", switched_on), ("off", switched_off))
    )
    assert re.search(r" forecast: a trial [^;]+; the sweep \d+ s for 1 trial\n", measured)
    assert "forecast" not in plain
    for said in (measured, plain):
        assert "training one step with the optimisers and schedulers of the trials" in said
    assert json.loads((tmp_path / "on" / "sweep.json").read_text())["forecast"]["trials"] == 1


def test_check_names_the_positive_class_and_shows_the_class_weights(flags, material, tmp_path):
    shutil.copytree(material / "dataset", tmp_path / "dataset")
    (tmp_path / "dataset" / "label2id.json").write_text('{"background": 0, "promoter": 1}')
    (tmp_path / "dataset" / "class_weights.json").write_text('{"0": 900, "1": 100}')
    shown = invoke("check", *flags, "--dataset", tmp_path / "dataset").output.splitlines()
    assert "labels        positive class 1 (promoter)" in shown
    assert "class weights class_weights.json: 9 for the positive class" in shown
    sweep = json.loads((material / "sweep.json").read_text())
    sweep["parameters"]["class_weight"] = {"values": ["none", "balanced"]}
    (tmp_path / "weighted.json").write_text(json.dumps(sweep))
    (tmp_path / "dataset" / "class_weights.json").write_text('{"weights": {"0": 2, "1": 3}}')
    shown = invoke(
        "check", *flags, "--config-path", tmp_path / "weighted.json", "--dataset", tmp_path / "dataset"
    ).output
    (weights,) = (line for line in shown.splitlines() if line.startswith("class weights "))
    assert re.fullmatch(r"class weights balanced: [01]\.\d+ for the positive class; none: all equal", weights)


def test_check_shows_the_rows_of_each_class_in_80_columns_and_names_copies_and_rare_classes(flags, tmp_path):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("ACGT"), 60)) for _ in range(90)]
    copied = {"sequence": texts[:60], "labels": [0, 1] * 20 + [1] * 20}
    new = {"sequence": texts[60:], "labels": [0] * 25 + [1] * 5}
    splits = {"train": copied, "validation": copied, "test": new}
    made = datasets.DatasetDict({name: datasets.Dataset.from_dict(rows) for name, rows in splits.items()})
    made.save_to_disk(str(tmp_path / "dataset"))
    (tmp_path / "dataset" / "label2id.json").write_text('{"background": 0, "enhancer": 1}')
    lines = invoke("check", *flags, "--dataset", tmp_path / "dataset").output.splitlines()
    start = lines.index("rows of each class                    train validation       test")
    assert lines[start + 1 : start + 3] == [
        "  0 background                           20         20         25",
        "  1 enhancer                             40         40          5",
    ]
    warnings = "\n".join(line for line in lines if line.startswith("Warning: "))
    assert "60 of 60 validation rows are also in train" in warnings
    assert "test has fewer than 20 rows of class 1 ('enhancer'): 5; its metrics are mostly chance" in warnings


def test_a_sweep_and_a_final_training_end_with_what_the_model_is_worth(flags, material, tmp_path):
    sweep = json.loads((material / "sweep.json").read_text())
    sweep["parameters"] |= {"learning_rate": {"value": 0.0}, "max_steps": {"value": 20}}
    (tmp_path / "sweep.json").write_text(json.dumps(sweep))
    done = invoke("run-sweep", *flags, "--config-path", tmp_path / "sweep.json", "--backend", "local")
    assert done.exit_code == 0, done.output
    assert "Warning: the best trial, number 1, was best at step 2 of 20, in the first tenth of training" in done.output
    loss = r"has a loss of [\d.]+, where one prediction for all rows has 0\.\d+"
    interval = r"eval/roc_auc [\d.]+ has an approximate 95% interval of [\d.]+ to [\d.]+ on 60 validation rows"
    assert re.search(rf"Warning: the best trial, number 1, {loss}", done.output)
    assert re.search(rf"{interval}; trials within it: \d of \d", done.output)
    final = invoke(
        *("full-train", "--best-config-path", tmp_path / "out" / "best_sweep_config.json"),
        *("--output-dir", tmp_path / "final", "--model-name", material / "model", "--dataset", material / "dataset"),
    )
    assert final.exit_code == 0, final.output
    assert re.search(rf"Warning: the final model {loss}", final.output)
    assert re.search(rf"{interval}$", final.output, flags=re.MULTILINE)


def test_a_goal_that_is_none_is_a_usage_error_that_names_both(flags):
    refused = invoke("run-sweep", *flags, "--metric-goal", "maximum")
    assert refused.exit_code == 2
    assert "choose from maximize, minimize" in refused.output


def test_mistakes_are_one_message_and_exit_code_2(flags, tmp_path):
    refused = invoke("run-sweep", *flags, "--dataset", tmp_path / "nowhere", "--sweep-count", "0")
    assert refused.exit_code == 2
    assert "--sweep-count must be at least 1, got 0" in refused.output
    assert f"dataset: '{tmp_path / 'nowhere'}' does not exist" in refused.output
    assert "Traceback" not in refused.output


def test_the_wandb_backend_without_a_key_says_how_to_log_in_and_how_to_do_without(flags):
    refused = invoke("run-sweep", *flags, "--backend", "wandb")
    assert refused.exit_code == 2
    assert "no W&B API key is configured" in refused.output
    assert "log in with `wandb login`, or set WANDB_API_KEY, or work without it: --backend local" in refused.output


def test_auto_is_local_where_there_is_no_key_and_says_why(flags):
    shown = invoke("check", *flags)
    assert "backend       local (no W&B API key is configured for " in shown.output


def test_an_output_directory_that_holds_a_sweep_is_refused_and_left_alone(flags, swept):
    before = {file: file.read_bytes() for file in swept[0].glob("*.json")}
    refused = invoke("run-sweep", *flags, "--output-dir", swept[0])
    assert refused.exit_code == 2
    assert f"choose another --output-dir (for example {swept[0]}_2)" in refused.output
    assert {file: file.read_bytes() for file in swept[0].glob("*.json")} == before


def test_the_sweep_file_may_lie_in_the_output_directory(flags, material, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sweep_file.json").write_text((material / "sweep.json").read_text())
    done = invoke("run-sweep", *flags, "--config-path", tmp_path / "out" / "sweep_file.json", "--sweep-count", "1")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("command", [["run-sweep", "--backend", "local"], ["check", "--backend", "local"]])
def test_a_sweep_id_that_a_shell_has_left_over_is_ignored_and_said(command, flags, monkeypatch):
    monkeypatch.setenv("WANDB_SWEEP_ID", "older")
    done = invoke(*command, *flags, "--sweep-count", 1)
    assert done.exit_code == 0, done.output
    assert "Warning: WANDB_SWEEP_ID is older in the environment and is ignored" in done.output
    assert "to join that sweep, add --sweep-id older" in done.output


def test_the_first_line_says_what_is_done_before_anything_heavy_is_loaded(flags):
    code = (
        "import sys\nfrom bertnado.cli import main\nfrom bertnado.display import Display\n"
        "say = Display.say\n"
        "def first(self, line):\n"
        "    say(self, line)\n"
        "    print([name for name in ('torch', 'transformers', 'wandb', 'optuna') if name in sys.modules])\n"
        "    sys.exit(0)\n"
        "Display.say = first\n"
        "main(sys.argv[1:])"
    )
    shown = run(sys.executable, "-c", code, "run-sweep", *flags)
    assert shown.stderr.endswith("checking the sweep file, the dataset and the model ...\n")
    assert shown.stdout == "[]\n"


def test_a_sweep_in_which_every_trial_fails_says_why_once_and_exits_with_1(flags, material, tmp_path):
    sweep = json.loads((material / "sweep.json").read_text())
    sweep["parameters"]["learning_rate"] = {"value": 1e30}
    sweep["parameters"]["training_args"] = {"parameters": {"max_grad_norm": {"value": 0}}}
    (tmp_path / "hopeless.json").write_text(json.dumps(sweep))
    failed = run(SCRIPTS / "bertnado", "run-sweep", *flags, "--config-path", tmp_path / "hopeless.json")
    assert failed.returncode == 1
    assert "no trial has a value" in failed.stderr
    assert "2 of 2: DivergedError: the loss is nan after step 2" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "out" / "best_sweep_config.json").exists()


def signalled(signum, flags, output):
    """Run a sweep of 50 trials, and send it a signal when the first one is finished."""
    sweep = subprocess.Popen(
        [str(word) for word in (SCRIPTS / "bertnado", "run-sweep", *flags, "--sweep-count", "50")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        while not (output / "best_sweep_config.json").exists():
            assert sweep.poll() is None, sweep.stderr.read()
            time.sleep(0.05)
        sweep.send_signal(signum)
        shown, said = sweep.communicate(timeout=60)
    finally:
        sweep.kill()
    return sweep.returncode, shown, said


def test_sigusr1_ends_a_sweep_early_with_its_best_and_exit_code_3(flags, tmp_path):
    code, shown, said = signalled(signal.SIGUSR1, flags, tmp_path / "out")
    assert code == 3
    found = json.loads(shown)
    assert found["ended_by"] == "SIGUSR1"
    assert (1 <= found["finished"] < 50, found["budget"]) == (True, 50)
    assert f"SIGUSR1 ended the sweep after {found['finished']} of 50 trials; --resume goes on" in said
    assert "Error" not in said


@pytest.mark.slow
def test_ctrl_c_leaves_what_was_finished_on_disk(flags, tmp_path):
    code, _, said = signalled(signal.SIGINT, flags, tmp_path / "out")
    assert code == 130
    finished, message, command = said.splitlines()[-3:]
    assert finished.endswith(" of 50 trials are finished")
    assert message == "Error: interrupted; what was finished is on disk; continue with"
    assert command.startswith("  bertnado run-sweep --config-path ")
    assert command.endswith(" --sweep-count 50 --resume")
    states = [json.loads(file.read_text())["state"] for file in (tmp_path / "out").glob("sweep_*/trial.json")]
    assert states.count("interrupted") <= 1
    assert set(states) <= {"completed", "interrupted"}


class TestGoingOn:
    """What `--resume` takes from the record."""

    @pytest.fixture
    def begun(self, material, tmp_path):
        """A sweep that was begun with flags of all kinds."""
        output = tmp_path / "begun"
        done = invoke(
            *("run-sweep", "--config-path", material / "sweep.json", "--output-dir", output, "--backend", "local"),
            *("--model-name", material / "model", "--dataset", material / "dataset", "--sweep-count", 1, "--seed", 7),
            *("--metric-name", "f1", "--precision", "fp32", "--keep-checkpoints", "all", "--max-failures", 9),
            *("--project-name", "own", "--task-type", "binary_classification", "--no-dry-run"),
        )
        assert done.exit_code == 0, done.output
        return output, json.loads((output / "sweep.json").read_text())

    def test_every_flag_that_is_not_given_is_as_it_was(self, begun):
        output, before = begun
        done = invoke("run-sweep", "--resume", "--output-dir", output, "--sweep-count", 2, "--no-dry-run")
        assert done.exit_code == 0, done.output
        after = json.loads((output / "sweep.json").read_text())
        changed = {name for name in before if after[name] != before[name]}
        assert changed == {"budget", "resumed", "config_path"}
        assert len(list(output.glob("sweep_*/checkpoint"))) == 2
        trials = [json.loads(path.read_text()) for path in output.glob("sweep_*/trial.json")]
        assert {trial["seed"] for trial in trials} == {7}

    def test_check_shows_the_plan_of_a_sweep_that_goes_on(self, begun):
        output, _ = begun
        shown = invoke("check", "--resume", "--output-dir", output, "--sweep-count", 3)
        assert shown.exit_code == 0, shown.output
        assert "eval/f1" in shown.output

    def test_a_changed_sweep_file_keeps_the_trials_that_lie_outside_its_space(self, begun, material, tmp_path):
        output, _ = begun
        changed = json.loads((material / "sweep.json").read_text())
        changed["parameters"] |= {
            "learning_rate": {"distribution": "log_uniform_values", "min": 2e-2, "max": 4e-2},
            "weight_decay": {"min": 0.0, "max": 0.1},
        }
        file = tmp_path / "changed.json"
        file.write_text(json.dumps(changed | {"run_cap": 3, "description": "larger steps"}))
        flags = ("--resume", "--config-path", file, "--output-dir", output, "--sweep-count", 8, "--no-dry-run")
        refused = invoke("run-sweep", *flags)
        assert refused.exit_code == 2
        assert "run_cap" not in refused.output
        assert 'parameters.weight_decay was "absent"' in refused.output
        done = invoke("run-sweep", *flags, "--allow-config-change")
        assert done.exit_code == 0, done.output
        assert (
            "run_cap 3 is below --sweep-count 8, so the sweep ends after 3 trials; raise run_cap in the sweep file"
            in done.output
        )
        assert "resumed: 1 of 3 trials were finished; in the record, outside the present search space: 1" in done.output
        trials = [json.loads(path.read_text()) for path in output.glob("sweep_*/trial.json")]
        assert sorted(("weight_decay" in trial["parameters"], trial["state"]) for trial in trials) == [
            (False, "completed"),
            (True, "completed"),
            (True, "completed"),
        ]
        shown = invoke("sweep-status", "--output-dir", output)
        assert shown.exit_code == 0, shown.output
        assert shown.output.count("completed") == 3

    def test_one_that_is_given_as_its_default_is_a_change(self, begun):
        output, _ = begun
        refused = invoke("run-sweep", "--resume", "--output-dir", output, "--seed", 42)
        assert refused.exit_code == 2
        assert "seed was 7, now 42" in refused.output

    def test_a_full_disk_is_named_with_the_way_on(self, begun, tmp_path):
        place = tmp_path / "disk"
        place.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], capture_output=True)
        if mounted.returncode != 0:
            pytest.skip("needs the right to mount a small file system")
        try:
            shutil.copytree(begun[0], place / "sweep")
            filler = subprocess.run(["dd", "if=/dev/zero", f"of={place / 'filler'}"], capture_output=True)
            assert filler.returncode != 0
            done = run(
                SCRIPTS / "bertnado", "run-sweep", "--resume", "--output-dir", place / "sweep", "--sweep-count", 3
            )
            assert done.returncode in (1, 2), done.stderr
            assert "No space left on device" in done.stderr
            assert str(place / "sweep") in done.stderr
            assert "free some" in done.stderr
            assert "Traceback" not in done.stderr
        finally:
            subprocess.run(["umount", "-l", place], check=True)
