"""The commands on a machine whose devices fail."""

import pytest
from bertnado.cli import exit_on_error, main
from bertnado_config import MachineError
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
