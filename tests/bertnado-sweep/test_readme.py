"""The README's example works as it is written."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "packages" / "bertnado-sweep" / "README.md"


def test_the_example_finds_the_best(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    [example] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    value, parameters = capsys.readouterr().out.split(maxsplit=1)
    assert float(value) > 3.99
    assert "'depth': 4" in parameters
    assert (tmp_path / "sweep" / "best_sweep_config.json").exists()
