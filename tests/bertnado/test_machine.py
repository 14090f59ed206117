"""The commands on a machine whose devices fail."""

import pytest
import torch
from bertnado.cli import exit_on_error, main
from bertnado_config import MachineError, read_json
from bertnado_sweep import WorkersLeftError
from click.testing import CliRunner


@pytest.mark.parametrize("error", [WorkersLeftError(["CUDA error: unknown error"]), MachineError("GPU 0 has gone")])
def test_a_machine_that_fails_is_exit_code_1_and_one_message(error, capsys):
    with pytest.raises(SystemExit) as ended, exit_on_error(again="--resume"):
        raise error
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"Error: {error}\n"


class TestRetryFailed:
    """`--retry-failed` has an optional value."""

    @pytest.fixture
    def check(self, swept):
        """Check how a finished sweep of three trials would go on."""

        def check(*words):
            return CliRunner().invoke(main, ["check", "--resume", "--output-dir", str(swept[0]), *words])

        return check

    @pytest.mark.parametrize(
        "words", [["--retry-failed"], ["--retry-failed", "--seed", "7"], ["--retry-failed", "all"]]
    )
    def test_without_numbers_it_means_all(self, check, words):
        shown = check("--retry-failed", *words)
        assert shown.exit_code == 0, shown.output
        assert "Warning: --retry-failed has no effect: none of the 3 trials has failed" in shown.output

    def test_with_numbers_it_means_these(self, check):
        shown = check("--retry-failed", "3,7")
        assert shown.exit_code == 2
        assert "--retry-failed: trial 3 is completed; none has failed" in shown.output
        assert "--retry-failed: the sweep has no trial 7; none has failed" in shown.output


class TestDevice:
    """The device stands in the plan, in the display and in the record; one that is named must work."""

    def test_it_is_shown_and_recorded(self, swept, material, tmp_path):
        words = ["--resume", "--output-dir", str(swept[0])]
        assert "device        cpu" in CliRunner().invoke(main, ["check", *words]).output.splitlines()
        shown = CliRunner().invoke(main, ["run-sweep", *words]).output.splitlines()
        assert any(line.endswith("device: cpu") for line in shown)
        trials = [read_json(path) for path in swept[0].glob("sweep_*/trial.json")]
        assert {trial["details"]["device"] for trial in trials} == {"cpu"}

    @pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
    @pytest.mark.parametrize("command", ["check", "run-sweep", "full-train"])
    def test_a_gpu_that_is_not_there_ends_a_command_before_anything_starts(
        self, command, swept, material, tmp_path, monkeypatch
    ):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
        source = (
            ["--best-config-path", swept[0] / "best_sweep_config.json"]
            if command == "full-train"
            else ["--config-path", material / "sweep.json", "--backend", "local"]
        )
        inputs = ["--model-name", material / "model", "--dataset", material / "dataset"]
        done = CliRunner().invoke(main, [command, *map(str, [*source, *inputs, "--output-dir", tmp_path / "out"])])
        assert done.exit_code == 2
        assert "CUDA_VISIBLE_DEVICES names GPU 7, which torch cannot use" in done.output
        assert "train on the CPU with CUDA_VISIBLE_DEVICES=''" in done.output
        assert not (tmp_path / "out").exists()
