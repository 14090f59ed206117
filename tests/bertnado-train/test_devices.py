"""The devices that trials train on: GPUs that are named and do not work are errors, and nothing falls back silently."""

import pytest
import torch
from bertnado_config import MachineError
from bertnado_train.devices import (
    GpuReport,
    describe_device,
    describe_visible_devices,
    device_problems,
    gpu_problems,
    probe_gpus,
    require_gpu,
)

WORKS = ("NVIDIA H100", None)
BROKEN = ("Tesla K80", "CUDA error: no kernel image is available for execution on the device")
NO_DRIVER = "Found no NVIDIA driver on your system."
ON_CPU = "train on the CPU with CUDA_VISIBLE_DEVICES=''"
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")


class TestProblems:
    """`gpu_problems` compares names with what torch can use."""

    @pytest.mark.parametrize(
        ("named", "listed", "found"),
        [
            (["3", "5"], [], GpuReport([WORKS, WORKS])),
            ([], [], GpuReport([], NO_DRIVER)),
            (None, [], GpuReport([], NO_DRIVER)),
            (None, ["0", "1"], GpuReport([WORKS, WORKS])),
            (None, [], GpuReport([WORKS])),
        ],
    )
    def test_gpus_that_work_and_no_gpus_are_none(self, named, listed, found):
        assert gpu_problems(named, listed, found) == []

    @pytest.mark.parametrize(
        ("named", "listed", "found", "messages"),
        [
            (
                ["0"],
                [],
                GpuReport([], NO_DRIVER),
                [
                    (
                        f"CUDA_VISIBLE_DEVICES names GPU 0, which torch cannot use ({NO_DRIVER}); "
                        f"name GPUs that `nvidia-smi -L` lists, or {ON_CPU}"
                    )
                ],
            ),
            (
                ["0", "9"],
                [],
                GpuReport([WORKS]),
                [
                    (
                        "CUDA_VISIBLE_DEVICES names GPU 9, which torch cannot use (it sees 1 of them); "
                        f"name GPUs that `nvidia-smi -L` lists, or {ON_CPU}"
                    )
                ],
            ),
            (
                ["3", "5"],
                [],
                GpuReport([WORKS, BROKEN]),
                [
                    (
                        f"GPU 5 (Tesla K80) does not work: {BROKEN[1]}; "
                        f"repair it, remove it from CUDA_VISIBLE_DEVICES, or {ON_CPU}"
                    )
                ],
            ),
            (
                None,
                ["0", "1"],
                GpuReport([BROKEN, WORKS]),
                [
                    (
                        f"GPU 0 (Tesla K80) does not work: {BROKEN[1]}; "
                        f"repair it, name the others in CUDA_VISIBLE_DEVICES, or {ON_CPU}"
                    )
                ],
            ),
            (
                None,
                ["0", "1"],
                GpuReport([], "Torch not compiled with CUDA enabled"),
                [
                    (
                        "nvidia-smi lists 2 GPUs, which torch cannot use (Torch not compiled with CUDA enabled); "
                        f"install a torch for this driver, or {ON_CPU}"
                    )
                ],
            ),
        ],
        ids=["no driver", "not there", "named and broken", "visible and broken", "torch without CUDA"],
    )
    def test_the_others_are_errors_with_the_ways_out(self, named, listed, found, messages):
        problems = gpu_problems(named, listed, found)
        assert [str(problem) for problem in problems] == messages
        assert {problem.severity for problem in problems} == {"error"}


@without_gpu
class TestWithoutGpu:
    """A machine without a GPU."""

    @pytest.mark.parametrize("value", ["", "-1", "NoDevFiles", None])
    def test_it_trains_on_the_cpu_if_no_gpu_is_named(self, monkeypatch, value):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if value is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert device_problems() == []
        require_gpu()
        assert describe_visible_devices() == "cpu"

    @pytest.mark.parametrize("value", ["7", "GPU-8932f937"])
    def test_a_named_gpu_is_an_error(self, monkeypatch, value):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        [problem] = device_problems()
        assert f"CUDA_VISIBLE_DEVICES names GPU {value}, which torch cannot use (" in str(problem)
        with pytest.raises(MachineError, match=f"GPU {value}, which CUDA_VISIBLE_DEVICES names, cannot be used"):
            require_gpu()

    def test_torch_says_why_it_sees_none(self):
        found = probe_gpus()
        assert found.gpus == []
        assert "NVIDIA driver" in found.reason or "CUDA" in found.reason


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_that_works_has_its_name_and_no_problem(monkeypatch):
    assert probe_gpus().gpus[0] == (torch.cuda.get_device_name(0), None)
    assert device_problems() == []
    assert describe_visible_devices().startswith("cuda:0 ")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "99")
    assert len(device_problems()) == 1


def test_a_device_is_recorded_by_its_name():
    assert describe_device(torch.device("cpu")) == "cpu"
