"""The README's example runs, and what it shows is what happens."""

import re
from pathlib import Path

import pytest
from bertnado_config import SweepConfigError, early_termination, load_sweep_config, parse_sweep_config

README = (Path(__file__).parents[2] / "packages" / "bertnado-config" / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_example_draws_three_trials(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sweep.yaml").write_text(blocks("yaml")[0])
    names = {}
    exec(blocks("python")[0], names)
    assert len(names["trials"]) == 3
    for trial in names["trials"]:
        assert 1e-6 <= trial["learning_rate"] <= 5e-5
        assert trial["epochs"] in (3, 5, 8)


def test_the_error_reads_as_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sweep.yaml").write_text("parameters: {learning_rate: {min: 0.1, max: 0.01}, epochs: [3, 5, 8]}\n")
    with pytest.raises(SweepConfigError) as caught:
        load_sweep_config("sweep.yaml")
    assert str(caught.value) + "\n" == blocks("text")[0]


def test_the_rule_of_the_example_can_be_named_in_a_sweep_file(monkeypatch):
    monkeypatch.setattr(early_termination, "EARLY_TERMINATION_RULES", dict(early_termination.EARLY_TERMINATION_RULES))
    exec(blocks("python")[1], {"__name__": "example"})
    section = {"type": "patience", "evaluations": 5}
    config = parse_sweep_config({"method": "random", "early_terminate": section, "parameters": {"x": {"value": 1}}})
    assert config.early_terminate.first_evaluation == 6
