"""What holds for every test: nothing is asked of any host but this one."""

import os

import pytest

pytest.register_assert_rewrite("support")

os.environ |= {
    "HF_HUB_OFFLINE": "1",  # read when huggingface_hub is imported, so it is set before any test is
    "WANDB_ERROR_REPORTING": "false",
}
