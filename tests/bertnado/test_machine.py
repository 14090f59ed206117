"""The commands on a machine whose devices fail."""

import pytest
from bertnado.cli import exit_on_error
from bertnado_config import MachineError
from bertnado_sweep import WorkersLeftError


@pytest.mark.parametrize("error", [WorkersLeftError(["CUDA error: unknown error"]), MachineError("GPU 0 has gone")])
def test_a_machine_that_fails_is_exit_code_1_and_one_message(error, capsys):
    with pytest.raises(SystemExit) as ended, exit_on_error(again="--resume"):
        raise error
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"Error: {error}\n"
