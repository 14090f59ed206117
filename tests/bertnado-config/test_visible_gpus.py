"""The GPUs that a process may use, as CUDA reads their names."""

import os

import pytest
from bertnado_config import listed_gpus, named_gpus, visible_gpus


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("3, 5", ["3", "5"]),
        ("0", ["0"]),
        ("GPU-8932f937,MIG-2a5d", ["GPU-8932f937", "MIG-2a5d"]),
        ("", []),
        (" ", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("0,-1,1", ["0"]),
        ("all", ["all"]),
    ],
)
def test_names_count_up_to_one_that_means_none(monkeypatch, value, names):
    assert named_gpus(value) == names
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert visible_gpus() == names


def test_without_names_they_are_those_that_nvidia_smi_lists(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert visible_gpus() == listed_gpus() == ["0", "1"]
    tool.write_text("#!/bin/sh\necho 'Driver/library version mismatch'; exit 18\n")
    assert visible_gpus() == []
