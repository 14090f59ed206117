"""A small model, a small dataset and a small sweep file, made once."""

import datasets.config
import pytest
from support.material import write_material


@pytest.fixture(autouse=True)
def surroundings(tmp_path_factory, monkeypatch):
    """Nothing of the home directory, and no account."""
    cache = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    for name, value in {
        "HF_DATASETS_CACHE": cache,
        "WANDB_CACHE_DIR": cache,
        "WANDB_CONFIG_DIR": cache,
        "WANDB_DATA_DIR": cache,
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("NETRC", str(cache / "netrc"))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DIR", "WANDB_PROJECT", "WANDB_SWEEP_ID", "BERTNADO_CACHE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def material(tmp_path_factory):
    """A directory with `dataset`, `model` and `sweep.json`."""
    root = tmp_path_factory.mktemp("material")
    write_material(root)
    return root


@pytest.fixture(scope="session")
def swept(material, tmp_path_factory):
    """A finished sweep of three trials: (its output directory, what the API returned)."""
    from bertnado import api

    output = tmp_path_factory.mktemp("swept") / "sweep"
    found = api.run_sweep(
        config_path=material / "sweep.json",
        output_dir=output,
        dataset=material / "dataset",
        project_name="tests",
        task_type="binary_classification",
        model_name=str(material / "model"),
        sweep_count=3,
        metric_name="eval/roc_auc",
        metric_goal="maximize",
        seed=7,
        dry_run=False,
    )
    return output, found
