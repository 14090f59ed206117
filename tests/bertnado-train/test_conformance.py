"""The trainer of Hugging Face models is what a sweep relies on."""

import pytest
from bertnado_config import parse_sweep_config
from bertnado_metrics import Objective
from bertnado_train import HuggingFaceTrainer

testing = pytest.importorskip("bertnado_sweep.testing", reason="bertnado-train is installed without bertnado-sweep")


class TestHuggingFaceTrainer(testing.TrainerSuite):
    """`HuggingFaceTrainer` conforms."""

    @pytest.fixture
    def trainer(self, model_dir, dataset_dir):
        return HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir)

    @pytest.fixture
    def config(self):
        parameters = {
            "learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2},
            "per_device_train_batch_size": {"values": [16, 32]},
            "max_steps": {"value": 4},
            "eval_steps": {"value": 2},
        }
        return parse_sweep_config({"method": "random", "parameters": parameters})

    @pytest.fixture
    def objective(self):
        return Objective("eval/roc_auc", "maximize")
