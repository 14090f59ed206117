"""What holds for every test: nothing is asked of any host but this one, and one thread computes."""

import os

import pytest

pytest.register_assert_rewrite("support")

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # read when torch is imported; small models lose by threads on shared cores
os.environ |= {
    "HF_HUB_OFFLINE": "1",  # read when huggingface_hub is imported, so it is set before any test is
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",  # the same; the commands set it before they import datasets
    "WANDB_ERROR_REPORTING": "false",
}
