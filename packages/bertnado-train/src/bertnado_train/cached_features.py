"""Trials of a frozen backbone train their heads on what it has computed once for each row."""

from __future__ import annotations

import hashlib
import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from .backbone_outputs import NotSeparableError, replaced
from .dataset_splits import TRAIN, VALIDATION
from .feature_files import LIMIT, FeatureFiles, NotCachedError, are_kept, require_room, size_limit
from .feature_reading import FeatureReader, find_reader
from .features import FeatureSplit, array_of
from .strands import BothStrands, strands_of
from .task_loss import agree
from .token_rows import sample_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from .encoded_split import EncodedSplit
    from .task_trainer import TaskTrainer
    from .training_setup import TrainingSetup

_log = logging.getLogger(__name__)

_MOST_TRIED = 8
"""Rows that are tried, and compared with what is cached of them."""
_ROUNDING = {"fp32": 1e-3, "tf32": 1e-2, "fp16": 1e-2, "bf16": 5e-2}
"""The largest difference, as a share of the largest number, that counts as rounding, by precision."""


@contextmanager
def cached_features(
    trainer: TaskTrainer, setup: TrainingSetup, fingerprint: str, is_stopped: Callable[[], bool]
) -> Generator[dict[str, Any]]:
    """Have a trainer train on the features of a frozen backbone in the block, if they can be cached.

    Otherwise it trains on the rows as usual, with the same result.

    Args:
        trainer: The trainer of a trial, with a model whose backbone is frozen.
        setup: The dataset and the model.
        fingerprint: What `backbone_fingerprint` returned for the model.
        is_stopped: Returns whether the trial must stop.

    Yields:
        The record of the cache: its path and size, or why nothing is cached.
    """
    try:
        opened = _Opening(trainer, setup, fingerprint, is_stopped).open()
    except (NotSeparableError, NotCachedError) as reason:
        _log.warning("the features of the frozen backbone are not cached: %s", reason)
        yield {"cached": False, "reason": str(reason)}
        return
    reader, splits, record = opened
    with replaced(reader.backbone, reader.replay), trainer.batches_of(reader.format, splits[0], splits[1]):
        yield record


@dataclass(frozen=True)
class SampledFeatures:
    """The features of some training rows, and what those of all rows cost."""

    rows: FeatureSplit
    seconds: float
    """To compute the features of all training and validation rows; 0 if they are on disk."""


@contextmanager
def features_of_some(
    trainer: TaskTrainer, setup: TrainingSetup, fingerprint: str, most: int
) -> Generator[SampledFeatures | None]:
    """Have a trainer train and evaluate on the features of some rows in the block, which are kept in memory alone.

    Args:
        trainer: The trainer of a trial, with a model whose backbone is frozen.
        setup: The dataset and the model.
        fingerprint: What `backbone_fingerprint` returned for the model.
        most: The number of training rows, if there are as many.

    Yields:
        The features; `None` if a trial would train without cached features.
    """
    try:
        reader, sample = _Opening(trainer, setup, fingerprint, lambda: False).sample(most)
    except (NotSeparableError, NotCachedError):
        yield None
        return
    is_averaged = isinstance(trainer.eval_dataset, BothStrands)
    evaluated = BothStrands.of(sample.rows, sample.rows) if is_averaged else sample.rows
    with replaced(reader.backbone, reader.replay), trainer.batches_of(reader.format, sample.rows, evaluated):
        yield sample


class _Opening:
    """Finds the features of a trial on disk, or computes them."""

    def __init__(
        self, trainer: TaskTrainer, setup: TrainingSetup, fingerprint: str, is_stopped: Callable[[], bool]
    ) -> None:
        self._trainer = trainer
        self._setup = setup
        self._fingerprint = fingerprint
        self._is_stopped = is_stopped
        self._model: Any = trainer.model
        self._train: Any = trainer.train_dataset
        self._validation: Any = trainer.eval_dataset

    def open(self) -> tuple[FeatureReader, tuple[EncodedSplit, EncodedSplit], dict[str, Any]]:
        """Return a reader, the features of both splits, and the record.

        Raises:
            NotSeparableError: The model does not allow it.
            NotCachedError: The disk does not allow it.
        """
        splits = self._splits
        with self._random_numbers_kept():
            used = [TRAIN] if self._trainer.args.eval_strategy == "no" else [TRAIN, VALIDATION]
            reader = self._find_reader(used)
            files = FeatureFiles(self._key())
            with files.locked(self._is_stopped):
                splits |= {name: self._features_of(files, reader, name, splits[name]) for name in used}
        record = {"cached": True, "path": str(files.directory), "bytes": files.size, "reads": reader.description}
        return reader, (splits[TRAIN], splits[VALIDATION]), record

    def sample(self, most: int) -> tuple[FeatureReader, SampledFeatures]:
        """Return a reader, and the features of training rows of all lengths.

        Raises:
            NotSeparableError: The model does not allow it.
            NotCachedError: The disk does not allow it.
        """
        rows = _forward(self._train)
        some = rows.__getitems__(rows.longest_first[sample_rows(len(rows), most)].tolist())
        with self._random_numbers_kept():
            reader = self._find_reader(self._splits)
            begin = time.perf_counter()
            computed = self._computed(reader, some)
            seconds = (time.perf_counter() - begin) / len(some.tokens)
        parts = self._parts(self._splits)
        names = (self._file_name(reader, name, split) for name, split in parts.items())
        is_kept = are_kept(self._key(), names)
        features = FeatureSplit.of(some, array_of(computed), computed.dtype, has_all_tokens=reader.has_all_tokens)
        tokens = sum(len(split.tokens) for split in parts.values())
        return reader, SampledFeatures(features, 0.0 if is_kept else seconds * tokens)

    @property
    def _splits(self) -> dict[str, EncodedSplit]:
        return {TRAIN: self._train, VALIDATION: self._validation}

    def _parts(self, names: Iterable[str]) -> dict[str, EncodedSplit]:
        """Return the rows of splits on one strand each, by the name that their features are kept under."""
        found: dict[str, EncodedSplit] = {}
        for name in names:
            rows = self._splits[name]
            found[name] = _forward(rows)
            if isinstance(rows, BothStrands):
                found[self._reverse_name(name)] = rows.reverse
        return found

    def _reverse_name(self, name: str) -> str:
        return f"{name}-reverse-complements-{self._setup.dataset.reverse_complements.rows.fingerprint}"

    def _random_numbers_kept(self) -> AbstractContextManager[None]:
        """Have the trial draw the same random numbers after the block as without a cache."""
        devices = [self._model.device] if self._model.device.type == "cuda" else []
        return torch.random.fork_rng(devices)

    def _find_reader(self, used: Iterable[str]) -> FeatureReader:
        """Return a reader of the model, after checking that the features of these splits may be cached.

        Raises:
            NotSeparableError: The model does not allow it.
            NotCachedError: The disk does not allow it.
        """
        if self._trainer.args.torch_compile:
            raise NotCachedError("torch_compile is set")
        if not size_limit():
            raise NotCachedError(f"{LIMIT} is 0")
        self._model.eval()
        some = _forward(self._train).__getitems__(self._places_of_some(self._train).tolist())
        reader = find_reader(self._model, some, self._setup.batch_format)
        require_room(reader.bytes_of(self._parts(used).values()))
        return reader

    def _key(self) -> str:
        """Return a hash of the model, the rows, and how they are computed."""
        arguments = self._trainer.args
        precision = (self._precision, arguments.tf32, self._model.device.type)
        about = (self._fingerprint, self._setup.dataset.fingerprint, self._setup.batch_format, precision)
        return hashlib.blake2b(repr(about).encode(), digest_size=16).hexdigest()

    def _places_of_some(self, rows: EncodedSplit) -> NDArray[np.int64]:
        """Return the places of rows of different lengths, longest row first, as many as fit into memory together."""
        most = min(_MOST_TRIED, self._trainer.args.per_device_eval_batch_size)
        return rows.longest_first[sample_rows(len(rows), most)]

    def _features_of(self, files: FeatureFiles, reader: FeatureReader, name: str, rows: EncodedSplit) -> EncodedSplit:
        """Return a split with the features of its rows, on both strands if it has both."""
        forward = self._features(files, reader, name, _forward(rows))
        if not isinstance(rows, BothStrands):
            return forward
        return replace(
            rows, forward=forward, reverse=self._features(files, reader, self._reverse_name(name), rows.reverse)
        )

    def _features(self, files: FeatureFiles, reader: FeatureReader, name: str, rows: EncodedSplit) -> FeatureSplit:
        """Return the features of a split, from disk if they are there and right."""
        few = self._places_of_some(rows)
        expected = self._computed(reader, rows.__getitems__(few.tolist()))
        count = len(rows.tokens) if reader.has_all_tokens else len(rows)
        shape, dtype = (count, expected.shape[1]), array_of(expected).dtype
        name = self._file_name(reader, name, rows)

        def split_of(features: NDArray[Any]) -> FeatureSplit:
            return FeatureSplit.of(rows, features, expected.dtype, has_all_tokens=reader.has_all_tokens)

        kept = files.read(name, shape, dtype)
        if kept is not None and self._agree(split_of(kept).__getitems__(few.tolist()).tensor, expected):
            return split_of(kept)
        return split_of(files.write(name, shape, dtype, lambda made: self._compute(reader, rows, made)))

    def _file_name(self, reader: FeatureReader, name: str, rows: EncodedSplit) -> str:
        return f"{name}-{len(rows)}-{reader.reading.replace(' ', '-')}"

    def _agree(self, found: torch.Tensor, expected: torch.Tensor) -> bool:
        return agree(found.float(), expected.float(), _ROUNDING[self._precision])

    @property
    def _precision(self) -> str:
        """The precision that the backbone is computed in."""
        arguments = self._trainer.args
        if arguments.bf16 or arguments.fp16:
            return "bf16" if arguments.bf16 else "fp16"
        return "fp32" if self._model.device.type == "cpu" else "tf32"

    def _computed(self, reader: FeatureReader, rows: EncodedSplit) -> torch.Tensor:
        """Return the features of some rows, which are sorted from the longest to the shortest."""
        found: dict[int, torch.Tensor] = {}

        def compute(before: int, inputs: dict[str, Any]) -> None:
            features, _ = reader.read(inputs)
            part = rows.__getitems__(range(before, before + len(features)))
            found[before] = reader.split_of(part, features).tensor

        self._trainer.compute_rows(rows, compute)
        return torch.cat([found[before] for before in sorted(found)])

    def _compute(self, reader: FeatureReader, rows: EncodedSplit, made: NDArray[Any]) -> None:
        """Compute the features of all rows, and compare the logits that follow from them with those of the model.

        Raises:
            NotSeparableError: They differ for some row.
            NotCachedError: The trial was stopped.
        """
        order = rows.longest_first
        _log.info("computing the features of %d rows with the frozen backbone", len(rows))

        def compute(before: int, inputs: dict[str, Any]) -> None:
            if self._is_stopped():
                raise NotCachedError("the trial was stopped")
            features, expected = reader.read(inputs)
            chosen = order[before : before + len(features)]
            part = reader.split_of(rows.__getitems__(chosen.tolist()), features)
            if not self._agree(reader.logits(part), expected):
                raise NotSeparableError(f"the logits of some rows depend on more than the {reader.description}")
            made[rows.places_of(chosen)[0] if reader.has_all_tokens else chosen] = part.features

        self._trainer.compute_rows(rows, compute)


def _forward(rows: EncodedSplit) -> EncodedSplit:
    return strands_of(rows)[0]
