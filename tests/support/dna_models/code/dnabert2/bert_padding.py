"""Rows without their padding, one after the other."""

import torch


def without_padding(values, mask):
    """Return the values of real tokens, (real tokens, width), and where they were."""
    where = mask.flatten().nonzero().flatten()
    return values.flatten(0, 1)[where], where


def with_padding(values, where, batch, length):
    """Return rows of one length, (batch, length, width), with zeros as padding."""
    rows = torch.zeros(batch * length, *values.shape[1:], dtype=values.dtype, device=values.device)
    return rows.index_copy(0, where, values).unflatten(0, (batch, length))
