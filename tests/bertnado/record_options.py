"""Write the tables of flags into the README: `uv run python tests/bertnado/record_options.py`."""

import re
from pathlib import Path

from bertnado import cli
from bertnado.flags import options_table
from bertnado_config import TrainingInputs
from bertnado_sweep import SweepOptions
from bertnado_sweep.cluster.options import JobOptions

README = Path(__file__).parents[2] / "README.md"
TABLE = re.compile(r"\| flag \|.*?\n\n", re.DOTALL)


def table():
    """The table of every flag of run-sweep, check and full-train."""
    declared = {*TrainingInputs.model_fields, *SweepOptions.model_fields}
    own = {
        parameter.opts[0]: re.sub(r"  \[default: (.*)\]$", r" Default: \1.", parameter.help)
        for command in (cli.run_sweep, cli.full_train)
        for parameter in command.params
        if parameter.name not in declared
    }
    return options_table(SweepOptions, TrainingInputs, own=own)


def jobs_table():
    """The table of the flags that submit adds to those of run-sweep."""
    declared = {*TrainingInputs.model_fields, *SweepOptions.model_fields, *JobOptions.model_fields}
    known = {parameter.name for parameter in cli.run_sweep.params}
    own = [parameter for parameter in cli.submit.params if parameter.name not in {*declared, *known}]
    return options_table(JobOptions, own={parameter.opts[0]: parameter.help for parameter in own})


if __name__ == "__main__":
    tables = iter([table(), jobs_table()])
    README.write_text(TABLE.sub(lambda _: next(tables) + "\n\n", README.read_text(), count=2))
