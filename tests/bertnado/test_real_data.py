"""Real promoters, end to end, as docs/data.md shows it."""

import json
import re
from pathlib import Path

import pytest
from bertnado import api

ROOT = Path(__file__).parents[2]
PROMOTERS = ROOT.parent / "shared" / "data" / "gue_prom_300_tata.csv.gz"
SWEEP = {
    "method": "random",
    "parameters": {
        "learning_rate": {"distribution": "log_uniform_values", "min": 3e-4, "max": 1e-3},
        "epochs": {"value": 2},
        "per_device_train_batch_size": {"value": 32},
        "eval_steps": {"value": 0.2},
    },
}


@pytest.mark.skipif(not PROMOTERS.is_file(), reason="the real promoters are not beside this checkout")
@pytest.mark.slow
def test_a_small_sweep_on_real_promoters_beats_chance(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("promoters.csv.gz").symlink_to(PROMOTERS)
    for example in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "data.md").read_text(), re.DOTALL):
        exec(example, {})
    Path("sweep.json").write_text(json.dumps(SWEEP))
    found = api.run_sweep("sweep.json", "sweep", "dataset", model_name="model", sweep_count=2)
    assert found["metric_value"] > 0.65
    trained = api.train_model("train", "dataset", found["best_config_path"], model_name="model")
    assert trained["test_metrics"]["roc_auc"] > 0.65
