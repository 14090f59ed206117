"""A program that computes something on each GPU that torch sees, and prints the result as JSON.

It imports nothing of this package, and so starts in the time that torch needs. A process that has used a GPU holds
memory of it until its end; that is why this one is started for it.
"""

import json

import torch


def probe() -> dict[str, object]:
    """Return the name of each GPU with its error or `None`, and why there is none."""
    try:
        torch.cuda.init()
    except Exception as error:  # noqa: BLE001 (a driver fails in many ways)
        return {"gpus": [], "reason": _first_line(error)}
    return {"gpus": [_try_gpu(index) for index in range(torch.cuda.device_count())], "reason": None}


def _try_gpu(index: int) -> tuple[str, str | None]:
    name = f"GPU {index}"
    try:
        name = torch.cuda.get_device_name(index)
        rows = torch.ones(8, 8, device=f"cuda:{index}")
        (rows @ rows).sum().item()
    except Exception as error:  # noqa: BLE001
        return name, _first_line(error)
    return name, None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


if __name__ == "__main__":
    print(json.dumps(probe()))  # noqa: T201 (read by the process that has started this one)
