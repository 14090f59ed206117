"""Folds: the rows of `train` and `validation`, divided anew so that one group of a column is validated on."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .class_coverage import count_classes
from .dataset_splits import TRAIN, VALIDATION, dataset_error
from .encoded_split import EncodedSplit
from .label_scaling import LabelScale
from .prepared_dataset import with_all_classes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .prepared_dataset import PreparedDataset
    from .row_groups import RowGroups
    from .training_setup import TrainingSetup


def fold_setup(setup: TrainingSetup, groups: RowGroups, group: str) -> TrainingSetup:
    """Return the setup whose validation rows are those of a group, and whose training rows are those of all others.

    Whatever depends on rows is that of the new ones: class weights that follow from numbers of rows, the scale of
    labels, the fingerprint. The test split takes no part. The rows are copied into memory.

    Args:
        setup: The dataset as it is on disk, and the model.
        groups: The groups of its rows.
        group: The name of the group.

    Raises:
        InvalidInputError: The groups are those of other rows.
    """
    dataset = _fold_dataset(setup, groups, group)
    scale = setup.label_scale
    if scale is not None:
        scale = LabelScale.of(dataset.splits[TRAIN].labels, scale.layer)
    return replace(setup, dataset=dataset, label_scale=scale)


def _fold_dataset(setup: TrainingSetup, groups: RowGroups, group: str) -> PreparedDataset:
    dataset = setup.dataset
    is_held_out = groups.is_in(group)
    require_same_rows(dataset, groups)

    def divide(splits: Mapping[str, EncodedSplit]) -> dict[str, EncodedSplit]:
        return {
            TRAIN: _joined(splits, {name: ~rows for name, rows in is_held_out.items()}),
            VALIDATION: _joined(splits, is_held_out),
        }

    splits = divide(dataset.splits)
    counts = {name: count_classes(setup.task, split.labels, dataset.logits) for name, split in splits.items()}
    weights = dataset.class_weights
    if weights is not None and dataset.are_weights_of_rows:
        weights = setup.task.balanced_class_weights(splits[TRAIN].labels, max(dataset.logits, 2))
    return replace(
        dataset,
        splits=splits,
        reverse_complements=dataset.reverse_complements.rearranged(divide),
        class_weights=weights,
        classes={name: with_all_classes(rows, dataset.logits) for name, rows in counts.items()},
        fingerprint=_fingerprint(dataset.fingerprint, is_held_out),
        warnings=(),
        cache=None,
        fold={"column": groups.column, "group": group},
    )


def require_same_rows(dataset: PreparedDataset, groups: RowGroups) -> None:
    """Check that the groups have been read of the rows of a dataset.

    Raises:
        InvalidInputError: The dataset was written anew in between.
    """
    if any(len(numbers) != len(dataset.splits[name]) for name, numbers in groups.numbers.items()):
        raise dataset_error("a file changed while it was read; run this again when the dataset is written")


def _joined(splits: Mapping[str, EncodedSplit], chosen: Mapping[str, NDArray[np.bool_]]) -> EncodedSplit:
    """Return the chosen rows of both splits, those of `train` first."""
    return _chosen_rows(splits[TRAIN], chosen[TRAIN]).joined(_chosen_rows(splits[VALIDATION], chosen[VALIDATION]))


def _chosen_rows(split: EncodedSplit, is_chosen: NDArray[np.bool_]) -> EncodedSplit:
    is_kept = np.repeat(is_chosen, split.lengths)
    labels: Any = split.labels[is_chosen]
    return EncodedSplit(
        split.tokens[is_kept],
        None if split.mask is None else split.mask[is_kept],
        np.concatenate([[0], np.cumsum(split.lengths[is_chosen])]),
        labels,
        None if split.widths is None else split.widths[is_chosen],
        None if split.types is None else split.types[is_kept],
    )


def _fingerprint(of_dataset: str, is_held_out: Mapping[str, NDArray[np.bool_]]) -> str:
    """Hash which rows of a dataset are trained on and which are validated on."""
    digest = hashlib.blake2b(of_dataset.encode(), digest_size=16)
    for name in (TRAIN, VALIDATION):
        digest.update(np.packbits(is_held_out[name]).tobytes())
    return digest.hexdigest()
