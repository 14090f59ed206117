"""The directory of what is computed once and kept for other processes."""

from __future__ import annotations

import os
from pathlib import Path

import datasets.config

CACHE = "BERTNADO_CACHE"
"""The environment variable that names the directory."""


def cache_directory() -> Path:
    """Return the directory that `BERTNADO_CACHE` names, by default `bertnado` in the cache directory of `datasets`."""
    named = os.environ.get(CACHE)
    return Path(named).expanduser() if named else Path(datasets.config.HF_DATASETS_CACHE) / "bertnado"
