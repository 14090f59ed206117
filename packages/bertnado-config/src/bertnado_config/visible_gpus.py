"""The GPUs that a process may use, by the names that `CUDA_VISIBLE_DEVICES` has for them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"

_END = re.compile(r"-\d+|NoDevFiles")
"""CUDA ignores everything from such a name on; some schedulers set it for jobs without a GPU."""


def named_gpus(value: str) -> list[str]:
    """Return the GPUs that a value of `CUDA_VISIBLE_DEVICES` names: indices, or ids such as `GPU-8932f937`."""
    names = [name.strip() for name in value.split(",") if name.strip()]
    end = next((index for index, name in enumerate(names) if _END.fullmatch(name)), len(names))
    return names[:end]


def listed_gpus() -> list[str]:
    """Return the indices of the GPUs that nvidia-smi lists; none if it is not installed or fails."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, "--query-gpu=index", "--format=csv,noheader"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (a fixed command)
    return listed.stdout.split() if listed.returncode == 0 else []


def visible_gpus() -> Sequence[str]:
    """Return the GPUs that this process may use, named or listed; whether they work is not checked."""
    named = os.environ.get(VISIBLE_DEVICES)
    return listed_gpus() if named is None else named_gpus(named)
