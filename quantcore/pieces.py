"""Large tensors, piece by piece: all operations on one piece, while the processor's cache holds it.

Nothing here is mathematics: `quantize` computes clamp(rint(x/s) + z, low, high), `fake_quantize`
s · clamp(rint(x/s), low, high), and `squared_sum` Σ x², as the plain lines would. They would read
and write memory once for each operation, and hold a second tensor of x's size meanwhile; for
large tensors memory is what takes the time (`make bench` measures it).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import torch
from torch import Tensor

from .checks import compute_dtype
from .schemes import rint, unclamped_codes

PIECE = 2**19  # how many values are taken through all operations before the next ones


def quantize(
    x: Tensor, scale: Tensor, zero_point: Tensor, low: int, high: int, out: Tensor
) -> bool:
    """Write clamp(rint(x/s) + z, low, high) into `out`; returns whether x held a NaN.

    scale, zero_point: shaped to broadcast against x. out: codes, laid out like x.
    """
    nan = False
    for piece, q, s, z in _pieces(x, out, scale, zero_point):
        codes = unclamped_codes(piece, s, z).clamp_(low, high)
        nan = nan or has_nan(codes)  # it goes through all of this, and nothing else makes one
        q.copy_(codes)
    return nan


def fake_quantize(
    x: Tensor, scale: Tensor, low: Tensor | int, high: Tensor | int, out: Tensor
) -> bool:
    """Write s · clamp(rint(x/s), low, high) into `out`; returns whether x held a NaN.

    scale, low, high: shaped to broadcast against x. out: like x, or x itself.
    """
    nan = False
    for piece, y, s, lo, hi in _pieces(x, out, scale, low, high):
        rint(torch.div(piece, s, out=y), out=y).clamp_(lo, hi).mul_(s)
        nan = nan or has_nan(y)
    return nan


def has_nan(x: Tensor) -> bool:
    """Whether a value of x is NaN: only then is Σ x² one. Far faster than isnan().any()."""
    flat = x.flatten()
    return any(torch.dot(part, part).isnan().item() for part in flat.split(PIECE))


def squared_sum(x: Tensor) -> float:
    """Σ x²; in float64, which is slow, only where float32 squares could be lost."""
    flat = x.flatten().to(compute_dtype(x))
    total = sum(torch.dot(part, part).item() for part in flat.split(2**15))
    return total if 1e-26 < total < 1e36 else flat.double().square().sum().item()


def _pieces(x: Tensor, y: Tensor, *others: Tensor | int) -> Iterator[tuple]:
    """Cut tensors along their first axis into pieces of about PIECE values."""
    flat = x.is_contiguous() and y.is_contiguous()
    if flat and all(not isinstance(t, Tensor) or t.dim() == 0 for t in others):
        x, y = x.view(-1), y.view(-1)
    rows = max(1, PIECE * len(x) // x.numel())
    if rows >= len(x):
        return iter([(x, y, *others)])

    def cut(t: Tensor | int) -> Iterator:
        if not isinstance(t, Tensor) or t.dim() < x.dim() or t.shape[0] == 1:
            return repeat(t)  # it is the same for every piece
        return iter(t.split(rows))

    return zip(x.split(rows), y.split(rows), *map(cut, others), strict=False)
