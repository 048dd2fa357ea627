"""From a tensor to a range, and from a range to a scale and a zero point.

Chapter 3. Each method looks along the last axis of `rows` and returns the two ends of a
range, one pair for each row.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .schemes import QuantizationScheme

METHODS = ("minmax", "percentile", "mse", "entropy")
STEPS = 100  # how many shrunk ranges "mse" and "entropy" try
BINS = 4081  # 16 points for each step of an 8-bit grid, both ends included


def scale_and_zero_point(
    lo: Tensor, hi: Tensor, scheme: QuantizationScheme, symmetric: bool, full_range: bool = False
) -> tuple[Tensor, Tensor]:
    """Lay the grid over [lo, hi], widened to contain 0.

    asymmetric              s = (hi - lo) / (qmax - qmin),  z = clamp(rint(qmin - lo/s))
    symmetric               s = max(|lo|, |hi|) / qmax,     z = 0
    symmetric, full_range   s = max(|lo|, |hi|) / 2^(b-1),  z = 0: the largest value clips

    lo, hi: float tensors of one shape; returns a scale like them and an int32 zero point.
    Raises ValueError for a symmetric unsigned grid over negative values.
    Source: Jacob et al. 2018, section 3; Krishnamoorthi 2018, section 2.

    >>> lo, hi = torch.tensor(2.0), torch.tensor(3.0)
    >>> s, z = scale_and_zero_point(lo, hi, QuantizationScheme.UINT8, symmetric=False)
    >>> torch.equal(s, hi / 255), z.item()
    (True, 0)
    """
    lo, hi = lo.clamp(max=0), hi.clamp(min=0)
    if full_range and not (symmetric and scheme.signed):
        raise ValueError(
            "full_range: True needs a symmetric signed grid; use full_range=False, "
            "or symmetric=True with a signed scheme"
        )
    if symmetric:
        if not scheme.signed and (lo < 0).any():
            raise ValueError(
                f"x: a symmetric {scheme.name} grid has no negative codes, found the minimum "
                f"{lo.min().item():g}; use symmetric=False or a signed scheme"
            )
        reach = torch.maximum(-lo, hi)
        scale = reach / (2 ** (scheme.bit_width - 1) if full_range else scheme.qmax)
    else:
        # hi - lo may overflow; the difference of the halves cannot, and halving is exact.
        scale = (hi / 2 - lo / 2) / ((scheme.qmax - scheme.qmin) / 2)
    info = torch.finfo(scale.dtype)
    scale = scale.clamp_min(info.tiny * info.eps)  # the least positive value: never 0
    scale = torch.where((lo == 0) & (hi == 0), torch.ones_like(scale), scale)
    if symmetric:
        return scale, torch.zeros_like(scale, dtype=torch.int32)
    zero_point = torch.round(scheme.qmin - lo / scale).clamp(scheme.qmin, scheme.qmax)
    return scale, zero_point.to(torch.int32)


def calibrate(
    rows: Tensor,
    method: str,
    percentile: float,
    scheme: QuantizationScheme,
    symmetric: bool,
    full_range: bool = False,
) -> tuple[Tensor, Tensor]:
    """Choose (lo, hi) for each row: tensors of shape rows.shape[:-1].

    Raises ValueError if a value is NaN or infinite.
    """
    lo, hi = rows.amin(-1), rows.amax(-1)
    if not (lo.isfinite() & hi.isfinite()).all():
        raise ValueError(
            f"x: found {rows.isnan().sum()} NaN and {rows.isinf().sum()} infinite values; "
            "remove them before calibration"
        )
    grid = scheme, symmetric, full_range
    scale_and_zero_point(lo, hi, *grid)  # refuses here what no grid can hold
    if method == "minmax":
        return lo, hi
    if method == "percentile":
        return percentile_range(rows, lo, hi, percentile, symmetric)
    search = mse_fraction if method == "mse" else entropy_fraction
    # Searched in units of the largest magnitude, so that no square overflows or vanishes.
    reach = torch.maximum(-lo, hi).flatten()
    reach = torch.where(reach > 0, reach, torch.ones_like(reach))
    fraction = search(rows.reshape(-1, rows.shape[-1]), reach, *grid).view(lo.shape)
    return lo * fraction, hi * fraction


def percentile_range(
    rows: Tensor, lo: Tensor, hi: Tensor, percentile: float, symmetric: bool
) -> tuple[Tensor, Tensor]:
    """Order statistics: the ⌈p/100 · n⌉-th smallest value, and its mirror image from below.

    Symmetric: of |x|, so that both tails together lose 100 - p percent of the values.
    """
    n = rows.shape[-1]
    k = min(max(-int(-percentile * n // 100), 1), n)
    if symmetric:
        reach = rows.abs().kthvalue(k, -1).values
        return torch.maximum(lo, -reach), torch.minimum(hi, reach)
    return rows.kthvalue(n + 1 - k, -1).values, rows.kthvalue(k, -1).values


def histogram(row: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
    """Summarize a long row by BINS points, in units of `reach`, and a count for each."""
    if reach > 1e30:  # histc subtracts the ends, which may overflow
        row, reach = row / reach, torch.ones_like(reach)
    lo, hi = row.min(), row.max()
    if lo == hi:
        return (lo / reach).expand(BINS), row.new_full((BINS,), row.numel() / BINS)
    counts = torch.histc(row, BINS, lo.item(), hi.item())
    return torch.linspace(
        (lo / reach).item(), (hi / reach).item(), BINS, dtype=row.dtype, device=row.device
    ), counts


def candidates(points: Tensor, scheme: QuantizationScheme, symmetric: bool, full_range: bool):
    """Yield (fraction, lo, hi, codes, points rounded to the grid), widest range first.

    points: (rows, n); lo, hi: (rows, 1) of the shrunk range.
    """
    lo, hi = points.amin(-1, keepdim=True), points.amax(-1, keepdim=True)
    for step in range(STEPS, 0, -1):
        f = step / STEPS
        scale, z = scale_and_zero_point(lo * f, hi * f, scheme, symmetric, full_range)
        codes = (torch.round(points / scale) + z).clamp(scheme.qmin, scheme.qmax)
        yield f, lo * f, hi * f, codes, scale * (codes - z)


def mse_fraction(
    rows: Tensor, reach: Tensor, scheme: QuantizationScheme, symmetric: bool, full_range: bool
) -> Tensor:
    """The fraction of each row's range whose grid has the least mean squared error.

    Short rows are searched value by value, long ones by their histogram.
    """
    if rows.shape[-1] <= BINS:
        points, weights = rows / reach[:, None], torch.ones_like(rows)
    else:
        pairs = [histogram(row, r) for row, r in zip(rows, reach, strict=True)]
        points, weights = (torch.stack(part) for part in zip(*pairs, strict=True))
    best, fraction = torch.full_like(reach, torch.inf), torch.ones_like(reach)
    for f, _, _, _, rounded in candidates(points, scheme, symmetric, full_range):
        error = (weights * (rounded - points).square()).sum(-1)
        fraction = torch.where(error < best, f, fraction)
        best = torch.minimum(best, error)
    return fraction


def entropy_fraction(
    rows: Tensor, reach: Tensor, scheme: QuantizationScheme, symmetric: bool, full_range: bool
) -> Tensor:
    """The fraction of each row's range with the least D(P‖Q), in the manner of TensorRT.

    P: the row's histogram, with what lies outside the range moved to its ends.
    Q: what the codes still know of the inside: the mass of each code, spread evenly over
    the bins that were not empty. Source: Migacz 2017, "8-bit inference with TensorRT".
    """
    fractions = []
    for row, r in zip(rows, reach, strict=True):
        points, counts = histogram(row, r)
        best, fraction = torch.inf, 1.0
        for f, lo, hi, codes, _ in candidates(points[None], scheme, symmetric, full_range):
            inside = ((points >= lo[0]) & (points <= hi[0])).nonzero().flatten()
            if len(inside) == 0:
                continue
            p = counts[inside].double()
            code = codes[0, inside].long() - scheme.qmin
            used = (p > 0).double()
            mass = torch.zeros(scheme.levels, dtype=torch.float64, device=p.device)
            bins = mass.index_add(0, code, used)
            q = (mass.index_add(0, code, p)[code] / bins[code].clamp_min(1)) * used
            p[0] += counts[: inside[0]].sum()
            p[-1] += counts[inside[-1] + 1 :].sum()
            # An end bin that holds only clipped values has q = 0: a large, finite penalty.
            p, q = p / p.sum(), (q / q.sum().clamp_min(1e-300)).clamp_min(1e-12)
            divergence = torch.special.xlogy(p, p / q).sum().item()
            if divergence < best:
                best, fraction = divergence, f
        fractions.append(fraction)
    return torch.tensor(fractions, dtype=rows.dtype, device=rows.device)
