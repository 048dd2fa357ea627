"""From a tensor to a range, and from a range to a scale and a zero point.

Chapter 3. Each method looks along the last axis of `rows` and returns the two ends of a
range, one pair for each row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import torch
from torch import Tensor

from .checks import require_bool
from .schemes import QuantizationScheme, unclamped_codes

STEPS = 100  # how many shrunk ranges "mse" and "entropy" try
BINS = 4081  # 16 points for each step of an 8-bit grid, both ends included


@dataclass(frozen=True)
class Grid:
    """A scheme, and how it is laid over a range: symmetric about 0 or not.

    full_range lets a symmetric grid use the code qmin too. Raises TypeError or ValueError, naming
    the argument, when it is made with anything else.
    """

    scheme: QuantizationScheme
    symmetric: bool
    full_range: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.scheme, QuantizationScheme):
            raise TypeError(
                f"scheme: expected a QuantizationScheme, found {self.scheme!r}; "
                "use QuantizationScheme.INT8 or QuantizationScheme.from_bits"
            )
        require_bool(self.symmetric, "symmetric")
        require_bool(self.full_range, "full_range")
        if self.full_range and not (self.symmetric and self.scheme.signed):
            raise ValueError(
                "full_range: True needs a symmetric signed grid; use full_range=False, "
                "or symmetric=True with a signed scheme"
            )

    def require_codes_for(self, lo: Tensor) -> None:
        """Refuse negative values where no code stands for one."""
        if self.symmetric and not self.scheme.signed and (lo < 0).any():
            raise ValueError(
                f"x: a symmetric {self.scheme.name} grid has no negative codes, found the minimum "
                f"{lo.min().item():g}; use symmetric=False or a signed scheme"
            )


def scale_and_zero_point(lo: Tensor, hi: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Lay the grid over [lo, hi], widened to contain 0.

    asymmetric              s = (hi - lo) / (qmax - qmin),  z = clamp(rint(qmin - lo/s))
    symmetric               s = max(|lo|, |hi|) / qmax,     z = 0
    symmetric, full_range   s = max(|lo|, |hi|) / -qmin,    z = 0: the largest value clips

    lo, hi: float tensors of one shape; returns a scale like them and an int32 zero point.
    The range [0, 0] has the scale 1. -qmin is 2^(b-1) with b bits.
    Raises ValueError for a symmetric unsigned grid over negative values.
    Source: Jacob et al. 2018, section 3; Krishnamoorthi 2018, section 2.

    >>> lo, hi = torch.tensor(2.0), torch.tensor(3.0)
    >>> s, z = scale_and_zero_point(lo, hi, Grid(QuantizationScheme.UINT8, symmetric=False))
    >>> torch.equal(s, hi / 255), z.item()
    (True, 0)
    """
    lo, hi = lo.clamp(max=0), hi.clamp(min=0)
    grid.require_codes_for(lo)
    qmin, qmax = grid.scheme.qmin, grid.scheme.qmax
    if grid.symmetric:
        scale = torch.maximum(-lo, hi) / (-qmin if grid.full_range else qmax)
    else:
        span, steps = hi - lo, qmax - qmin
        # Where the difference overflows, that of the halves does not, and halving is exact there.
        scale = torch.where(span.isfinite(), span / steps, (hi / 2 - lo / 2) / (steps / 2))
    info = torch.finfo(scale.dtype)
    scale = scale.clamp_min(info.tiny * info.eps)  # the least positive value: never 0
    scale = torch.where((lo == 0) & (hi == 0), torch.ones_like(scale), scale)
    if grid.symmetric:
        return scale, torch.zeros_like(scale, dtype=torch.int32)
    # To the nearest, whatever the codes' rounding rule: it is a parameter and not a code.
    zero_point = torch.round(qmin - lo / scale).clamp(qmin, qmax)
    return scale, zero_point.to(torch.int32)


def calibrate(rows: Tensor, method: str, percentile: float, grid: Grid) -> tuple[Tensor, Tensor]:
    """Choose (lo, hi) for each row by a method of METHODS: tensors of shape rows.shape[:-1].

    Raises ValueError if a value is NaN or infinite, or is negative and has no code.
    """
    lo, hi = rows.amin(-1), rows.amax(-1)
    if not (lo.isfinite() & hi.isfinite()).all():
        raise ValueError(
            f"x: found {rows.isnan().sum()} NaN and {rows.isinf().sum()} infinite values; "
            "remove them before calibration"
        )
    grid.require_codes_for(lo)
    return METHODS[method](rows, lo, hi, grid, percentile)


def minmax_range(
    rows: Tensor, lo: Tensor, hi: Tensor, grid: Grid, percentile: float
) -> tuple[Tensor, Tensor]:
    """The whole range."""
    return lo, hi


def percentile_range(
    rows: Tensor, lo: Tensor, hi: Tensor, grid: Grid, percentile: float
) -> tuple[Tensor, Tensor]:
    """Order statistics: the ⌈p/100 · n⌉-th smallest value, and its mirror image from below.

    Symmetric: of |x|, so that both tails together lose 100 - p percent of the values.
    """
    n = rows.shape[-1]
    # In fractions of the decimal that was written: 64.4 % of 1000 are 644, in floats 645.
    k = math.ceil(Fraction(str(float(percentile))) / 100 * n)
    if grid.symmetric:
        reach = rows.abs().kthvalue(k, -1).values
        return torch.maximum(lo, -reach), torch.minimum(hi, reach)
    return rows.kthvalue(n + 1 - k, -1).values, rows.kthvalue(k, -1).values


def aciq_range(
    rows: Tensor, lo: Tensor, hi: Tensor, grid: Grid, percentile: float
) -> tuple[Tensor, Tensor]:
    """μ ± c σ, where c makes the clipping noise of a Gaussian least (and μ = 0 if symmetric).

    No search through the data: two moments and a formula, right as far as the data are normal.
    Source: Banner et al. 2019 (ACIQ), section 3.
    """
    unit = reach_of(lo, hi)[..., None]  # so that no square overflows
    x = (rows / unit).double()
    mean = torch.zeros_like(x[..., :1]) if grid.symmetric else x.mean(-1, keepdim=True)
    reach = least_noise_clip(grid) * (x - mean).square().mean(-1, keepdim=True).sqrt()
    left, right = ((unit * end).to(lo).squeeze(-1) for end in (mean - reach, mean + reach))
    return torch.minimum(torch.maximum(lo, left), hi), torch.maximum(torch.minimum(hi, right), lo)


def least_noise_clip(grid: Grid) -> float:
    """The c, in units of σ, at which granular and overload noise of a Gaussian add up to least."""
    outermost = -grid.scheme.qmin if grid.full_range else grid.scheme.qmax
    steps = 2 * outermost if grid.symmetric else grid.scheme.levels - 1
    clips = torch.linspace(0.5, 8, 7501, dtype=torch.float64)
    granular, overload = clipping_noise(clips, steps)
    return clips[(granular + overload).argmin()].item()


def shrunk_range(
    rows: Tensor, lo: Tensor, hi: Tensor, grid: Grid, percentile: float, search: Callable
) -> tuple[Tensor, Tensor]:
    """Of STEPS evenly shrunk ranges, the one that `search` finds best for each row."""
    # In units of the largest magnitude, so that no square overflows or vanishes.
    fraction = search(rows.reshape(-1, rows.shape[-1]), reach_of(lo, hi).flatten(), grid)
    return lo * fraction.view(lo.shape), hi * fraction.view(lo.shape)


def reach_of(lo: Tensor, hi: Tensor) -> Tensor:
    """The largest magnitude in [lo, hi], or 1 where there is only 0: a unit to divide by."""
    reach = torch.maximum(-lo, hi)
    return torch.where(reach > 0, reach, torch.ones_like(reach))


def histogram(row: Tensor, reach: Tensor, part: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Summarize a long row by BINS points, in units of `reach`, and a count for each.

    part: some of the row's values, where only these are to be counted.
    """
    part = row if part is None else part
    if reach > 1e30:  # histc subtracts the ends, which may overflow
        row, part, reach = row / reach, part / reach, torch.ones_like(reach)
    lo, hi = row.min(), row.max()
    if lo == hi:
        return (lo / reach).expand(BINS), row.new_full((BINS,), part.numel() / BINS)
    counts = torch.histc(part, BINS, lo.item(), hi.item())
    return torch.linspace(
        (lo / reach).item(), (hi / reach).item(), BINS, dtype=row.dtype, device=row.device
    ), counts


def candidates(points: Tensor, grid: Grid) -> Iterator[tuple[float, Tensor, Tensor]]:
    """Yield (fraction, codes, points rounded to the grid), widest range first.

    points: (rows, n).
    """
    lo, hi = points.amin(-1, keepdim=True), points.amax(-1, keepdim=True)
    for step in range(STEPS, 0, -1):
        f = step / STEPS
        scale, z = scale_and_zero_point(lo * f, hi * f, grid)
        codes = unclamped_codes(points, scale, z).clamp(grid.scheme.qmin, grid.scheme.qmax)
        yield f, codes, scale * (codes - z)


def mse_fraction(rows: Tensor, reach: Tensor, grid: Grid) -> Tensor:
    """The fraction of each row's range whose grid has the least mean squared error.

    Short rows are searched value by value, long ones by their histogram.
    """
    if rows.shape[-1] <= BINS:
        points, weights = rows / reach[:, None], torch.ones_like(rows)
    else:
        pairs = [histogram(row, r) for row, r in zip(rows, reach, strict=True)]
        points, weights = (torch.stack(part) for part in zip(*pairs, strict=True))
    best, fraction = torch.full_like(reach, torch.inf), torch.ones_like(reach)
    for f, _, rounded in candidates(points, grid):
        error = (weights * (rounded - points).square()).sum(-1)
        fraction = torch.where(error < best, f, fraction)
        best = torch.minimum(best, error)
    return fraction


def entropy_fraction(rows: Tensor, reach: Tensor, grid: Grid) -> Tensor:
    """The fraction of each row's range with the least `divergence`; see `cap_zeros` too."""
    fractions = []
    for row, r in zip(rows, reach, strict=True):
        points, counts = histogram(row, r)
        _, zeros = histogram(row, r, row[row == 0])
        counts = cap_zeros(counts.double(), zeros.double())
        best, fraction = torch.inf, 1.0
        for f, codes, _ in candidates(points[None], grid):
            found = divergence(points, counts, codes[0] - grid.scheme.qmin, f, grid.scheme.levels)
            if found < best:
                best, fraction = found, f
        fractions.append(fraction)
    return torch.tensor(fractions, dtype=rows.dtype, device=rows.device)


def divergence(points: Tensor, counts: Tensor, codes: Tensor, f: float, levels: int) -> float:
    """D(P‖Q) in nats for the range cut to the fraction f, in the manner of TensorRT.

    P: the histogram, with what lies outside the range moved to its ends.
    Q: what the codes still know of the inside: the mass of each code, spread evenly over
    the bins that were not empty. Infinite where no bin is inside.
    points, counts, codes: (n,), the codes counted from 0. Source: Migacz 2017, "8-bit inference".
    """
    inside = ((points >= points[0] * f) & (points <= points[-1] * f)).nonzero().flatten()
    if len(inside) == 0:
        return math.inf
    p, code = counts[inside], codes[inside].long()
    used = (p > 0).double()
    mass, bins = (p.new_zeros(levels).index_add(0, code, each) for each in (p, used))
    q = (mass / bins.clamp_min(1))[code] * used
    p[0] += counts[: inside[0]].sum()
    p[-1] += counts[inside[-1] + 1 :].sum()
    # An end bin that holds only clipped values has q = 0: a large, finite penalty.
    p, q = p / p.sum(), (q / q.sum().clamp_min(1e-300)).clamp_min(1e-12)
    return torch.special.xlogy(p, p / q).sum().item()


def cap_zeros(counts: Tensor, zeros: Tensor) -> Tensor:
    """Leave no more of the exact zeros in their bin than the mean of its neighbours.

    A ReLU's zeros fill one bin; D(P‖Q) would see little but that bin, and cut the rest away.
    """
    at = int(zeros.argmax())
    neighbours = torch.cat([counts[max(at - 1, 0) : at], counts[at + 1 : at + 2]]).mean()
    capped = counts.clone()
    capped[at] -= torch.minimum(zeros[at], (counts[at] - neighbours).clamp_min(0))
    return capped


def clipping_noise(clip: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Granular and overload noise of a unit Gaussian cut at ±clip, both in the unit of σ².

        granular = Δ²/12 · P(|x| ≤ c),              Δ = 2c / steps
        overload = 2 ∫_c^∞ (x - c)² p(x) dx = 2 [(1 + c²) P(x > c) - c p(c)]

    clip: c, in units of σ, float64, any shape; steps: how many Δ lie between the outermost
    levels, 2^b - 1 for b bits. Source: the overload is that of Banner et al. 2019 (ACIQ), section
    3. Their granular term has Δ = 2c / 2^b and no P(|x| ≤ c).

    >>> granular, overload = clipping_noise(torch.tensor([2.5]).double(), 15)
    >>> round(granular.item(), 5), round(overload.item(), 5)
    (0.00914, 0.0024)
    """
    tail = torch.special.ndtr(-clip)
    pdf = torch.exp(-(clip**2) / 2) / math.sqrt(2 * math.pi)
    step = 2 * clip / steps
    return step**2 / 12 * (1 - 2 * tail), 2 * ((1 + clip**2) * tail - clip * pdf)


# What `method` may be. Each function takes (rows, lo, hi, grid, percentile), where lo and hi
# are the rows' ends, and returns the two ends that it chooses, inside of them.
METHODS: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {
    "minmax": minmax_range,
    "percentile": percentile_range,
    "mse": partial(shrunk_range, search=mse_fraction),
    "entropy": partial(shrunk_range, search=entropy_fraction),
    "aciq": aciq_range,
}
