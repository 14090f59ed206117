"""Attention in Triton, written for a version of Triton that is long gone, and for a GPU."""

import torch
import triton
import triton.language as tl


@triton.jit
def _scores(query, key, out, WIDTH: tl.constexpr):
    at = tl.arange(0, WIDTH)
    place = at[:, None] * WIDTH + at[None, :]
    tl.store(out + place, tl.dot(tl.load(query + place), tl.load(key + place), trans_b=True))


def flash_attn_qkvpacked_func(query, key, value, bias):
    out = torch.empty_like(query)
    _scores[(1,)](query, key, out, WIDTH=query.shape[-1])
    return (out + bias).softmax(-1) @ value
