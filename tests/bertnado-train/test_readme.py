"""The README's example runs."""

import re
from pathlib import Path

README = (Path(__file__).parents[2] / "packages" / "bertnado-train" / "README.md").read_text()


def test_the_example_trains_a_trial(model_dir, dataset_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("model").symlink_to(model_dir)
    Path("dataset").symlink_to(dataset_dir)
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(example, {})
    shown = capsys.readouterr().out
    assert re.fullmatch(r"eval/roc_auc 0\.\d\d at step \d+, weights in trial/checkpoint\n", shown)
    assert Path("trial/checkpoint/model.safetensors").is_file()
