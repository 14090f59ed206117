"""The baselines of datasets, in the cache by everything that determines them."""

from __future__ import annotations

import hashlib
import json
import logging
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import bertnado_metrics
from bertnado_metrics import TASKS
from bertnado_sweep.records.baselines import RecordedBaselines, read_baselines
from bertnado_train.baseline_rows import baseline_rows
from bertnado_train.cache_directory import cache_directory

from bertnado.baseline_data import BaselineData

if TYPE_CHECKING:
    from bertnado_metrics import Task
    from bertnado_train.prepared_dataset import PreparedDataset
    from transformers import PreTrainedTokenizerBase

_log = logging.getLogger(__name__)

_LIBRARIES = ("numpy", "scipy", "scikit-learn")


class CachedBaselines:
    """The baselines of one dataset and task, if they are in the cache."""

    def __init__(self, dataset: PreparedDataset, tokenizer: PreTrainedTokenizerBase | None, task: Task) -> None:
        """Look for nothing yet.

        Args:
            dataset: The dataset.
            tokenizer: The tokenizer of the model, if it has one.
            task: The task. One of a user's own is not known by its name, so that its baselines are not cached.
        """
        self._dataset, self._tokenizer, self._task = dataset, tokenizer, task
        self.file = _cache_file(dataset, task) if TASKS.get(task.name) is task else None
        """The file in the cache; None if they are not cached."""

    def data(self) -> BaselineData:
        """Read what baselines are computed from.

        Raises:
            InvalidInputError: A file of the dataset is damaged, or has changed.
        """
        dataset = self._dataset
        rows = baseline_rows(dataset, self._tokenizer)
        return BaselineData(self._task, rows, dataset.logits, dataset.class_weights, dataset.fingerprint)

    def read(self) -> RecordedBaselines | None:
        """Return the baselines from the cache; None if they are not there, or the file is damaged."""
        found = None if self.file is None else read_baselines(self.file)[0]
        is_of_dataset = found is not None and found.dataset_fingerprint == self._dataset.fingerprint
        return found if is_of_dataset else None

    def keep(self, found: RecordedBaselines) -> None:
        """Write baselines into the cache, if that is possible."""
        if self.file is None:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            found.write(self.file)
        except OSError as error:
            _log.warning("%s is not kept: %s", self.file, error)


def _cache_file(dataset: PreparedDataset, task: Task) -> Path | None:
    """Return the file for a dataset's baselines; None if its rows are not cached either.

    It is named by a hash of the rows and of how they were tokenised, of the task and the class weights, and of the
    versions of the libraries and of the code.
    """
    if dataset.cache is None:
        return None
    made_of = {
        "rows": dataset.cache.directory.name,
        "fingerprint": dataset.fingerprint,
        "task": task.name,
        "logits": dataset.logits,
        "class_weights": dataset.class_weights,
        "versions": {name: version(name) for name in _LIBRARIES},
        "code": _code_hash(),
    }
    key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]
    return cache_directory() / "baselines" / f"{key}.json"


def _code_hash() -> str:
    """Return a hash of the code of bertnado-metrics, which computes the baselines."""
    digest = hashlib.sha256()
    for file in sorted(Path(bertnado_metrics.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
