"""The best that a scalar quantizer can do: Lloyd–Max, and the best evenly spaced levels.

Chapter 1b.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .checks import require_float_tensor, require_int


class ScalarQuantizer(NamedTuple):
    """Levels y (N), thresholds t between them (N - 1), both ascending float64, and the MSE."""

    levels: Tensor
    thresholds: Tensor
    mse: float


def lloyd_max(levels: int, source: str | Tensor) -> ScalarQuantizer:
    """The quantizer with the least mean squared error: Lloyd's two conditions in turn.

        t_i = (y_i + y_(i+1)) / 2         each threshold lies midway
        y_i = E[x | t_(i-1) < x ≤ t_i]    each level is the mean of its cell

    levels: how many, at least 1. source: "normal", "laplace" or "uniform" (mean 0, variance
    1), or a float tensor of samples. Where cells are empty they keep their level.
    For the three densities this is the optimum (they are log-concave: Fleischer 1964). For
    samples the conditions have many solutions; of those that two starts lead to, the better
    one is returned, which is never worse than `optimal_uniform`.
    Raises ValueError or TypeError for anything else. Source: Max 1960; Lloyd 1957/1982.

    >>> [round(y, 4) for y in lloyd_max(4, "normal").levels.tolist()]
    [-1.5104, -0.4528, 0.4528, 1.5104]
    """
    _require_levels(levels)
    density = _density(source)
    # Panter and Dite: the best density of levels follows p^(1/3), close to a wider p.
    starts = [density.quantile((torch.arange(levels, dtype=torch.float64) + 0.5) / levels)]
    if isinstance(source, Tensor):
        starts.append(_uniform_levels(levels, density))
    return _quantizer(min((_lloyd(y, density) for y in starts), key=density.mse), density)


def _lloyd(y: Tensor, density: _Density) -> Tensor:
    """Take the levels y through Lloyd's conditions until the error no longer falls."""
    previous = math.inf
    for _ in range(20_000):
        p, m1, _ = density.cells(midpoints(y))
        y = torch.where(p > 0, m1 / p.clamp_min(1e-300), y)
        y = y.sort().values  # rounding may swap levels that are equal
        mse = density.mse(y)
        if previous - mse <= 1e-13 * abs(mse):  # rounding may make it negative
            break
        previous = mse
    return y


def optimal_uniform(levels: int, source: str | Tensor) -> ScalarQuantizer:
    """The evenly spaced levels y_i = μ + Δ (i - (N-1)/2) with the least mean squared error.

    An even N puts a threshold on the mean (mid-rise), an odd N a level (mid-tread).
    Arguments and errors as for `lloyd_max`. Source: Max 1960, table II.

    >>> q = optimal_uniform(8, "normal")
    >>> round((q.levels[1] - q.levels[0]).item(), 4), round(q.mse, 5)
    (0.586, 0.03744)
    """
    _require_levels(levels)
    density = _density(source)
    return _quantizer(_uniform_levels(levels, density), density)


def _uniform_levels(levels: int, density: _Density) -> Tensor:
    """The best evenly spaced levels, in the density's unit."""
    _, mean, power = (part.sum() for part in density.cells(torch.empty(0, dtype=torch.float64)))
    place = torch.arange(levels, dtype=torch.float64) - (levels - 1) / 2
    if levels == 1 or power - mean**2 <= 0:
        return mean + 0 * place

    def mse(step: float) -> float:
        return density.mse(mean + step * place)

    ends = density.quantile(torch.tensor([1e-9, 1 - 1e-9], dtype=torch.float64))
    reach = (ends - mean).abs().max().item()
    # A coarse look finds the valley, golden sections its floor. With the first steps the levels
    # just cover the source; with the wider ones, up to two levels at ±reach, some are left over.
    covering = torch.linspace(0, 2.2 * reach / (levels - 1), 201, dtype=torch.float64)[1:]
    wider = covering[-1] * torch.logspace(0, math.log10(levels - 1), 101, dtype=torch.float64)[1:]
    steps = torch.cat([covering, wider]).tolist()
    best = min(range(len(steps)), key=lambda i: mse(steps[i]))
    a, d = steps[max(best - 1, 0)], steps[min(best + 1, len(steps) - 1)]
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(60):
        b, c = d - ratio * (d - a), a + ratio * (d - a)
        a, d = (a, c) if mse(b) < mse(c) else (b, d)
    return mean + (a + d) / 2 * place


def _require_levels(levels: int) -> None:
    require_int(levels, "levels")
    if levels < 1:
        raise ValueError(f"levels: expected at least 1, found {levels}")


def midpoints(y: Tensor) -> Tensor:
    """The thresholds of the levels y: halfway between neighbours."""
    return (y[1:] + y[:-1]) / 2


class _Density(NamedTuple):
    """A source as functions of u, where x = unit · (center + u).

    moments(t) returns ∫ p, ∫ u p and ∫ u² p, each from -∞ to t, for a tensor of t.
    quantile(p) is about that of p^(1/3), from which `lloyd_max` starts.
    """

    moments: Callable
    quantile: Callable
    unit: float = 1.0
    center: float = 0.0

    def cells(self, t: Tensor) -> list[Tensor]:
        """Probability, first and second moment of each cell between the thresholds."""
        ends = torch.cat([t.new_tensor([-math.inf]), t, t.new_tensor([math.inf])])
        return [part.diff() for part in self.moments(ends)]

    def mse(self, y: Tensor) -> float:
        """The mean squared error of the levels y, in squares of the unit; at least 0."""
        p, m1, m2 = self.cells(midpoints(y))
        return (m2 - 2 * y * m1 + y**2 * p).sum().clamp_min(0).item()


def _quantizer(y: Tensor, density: _Density) -> ScalarQuantizer:
    """The quantizer with the levels y, in the source's own unit. Its MSE may overflow to inf."""
    levels, thresholds = (density.unit * (density.center + u) for u in (y, midpoints(y)))
    return ScalarQuantizer(levels, thresholds, density.unit * (density.unit * density.mse(y)))


def _density(source: str | Tensor) -> _Density:
    if isinstance(source, Tensor):
        return _samples(source)
    if not isinstance(source, str):
        raise TypeError(f"source: expected a name or a tensor, found {type(source).__name__}")
    if source not in _DENSITIES:
        raise ValueError(f"source: {source!r} is not known; use one of {list(_DENSITIES)}")
    return _DENSITIES[source]


def _samples(source: Tensor) -> _Density:
    require_float_tensor(source, "source")
    x = source.detach().cpu().double().flatten().sort().values
    if not x.isfinite().all():
        raise ValueError("source: found NaN or infinite values; remove them")
    # About the mean, in units of the largest magnitude: no square overflows, no sum cancels.
    unit = x.abs().max().item() or 1.0
    center = (x / unit).mean().item()
    x = x / unit - center
    powers = [torch.ones_like(x), x, x**2]
    sums = [torch.cat([x.new_zeros(1), p.cumsum(0) / len(x)]) for p in powers]

    def moments(t: Tensor) -> list[Tensor]:
        below = torch.searchsorted(x, t, right=True)
        return [s[below] for s in sums]

    return _Density(moments, lambda p: x[(p * len(x)).long().clamp(0, len(x) - 1)], unit, center)


def _normal_moments(t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    pdf = torch.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
    cdf = torch.special.ndtr(t)
    return cdf, -pdf, cdf - torch.where(t.isinf(), 0, t) * pdf


def _laplace_moments(t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # p(x) = e^(-√2 |x|) / √2. Written for t ≤ 0; the second half follows by symmetry.
    r = math.sqrt(2)
    u = torch.where(t.isinf(), 0, -t.abs())
    tail = torch.where(t.isinf(), 0, torch.exp(r * u) / 2)
    m1, m2 = tail * (u - 1 / r), tail * (u**2 - r * u + 1)
    return torch.where(t < 0, tail, 1 - tail), m1, torch.where(t < 0, m2, 1 - m2)


def _uniform_moments(t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    a = math.sqrt(3)  # variance (2a)²/12 = 1
    t = t.clamp(-a, a)
    return (t + a) / (2 * a), (t**2 - a**2) / (4 * a), (t**3 + a**3) / (6 * a)


_DENSITIES = {
    "normal": _Density(_normal_moments, lambda p: torch.special.ndtri(p) * math.sqrt(3)),
    "laplace": _Density(
        _laplace_moments,
        lambda p: -3 / math.sqrt(2) * (p - 0.5).sign() * torch.log1p(-2 * (p - 0.5).abs()),
    ),
    "uniform": _Density(_uniform_moments, lambda p: (2 * p - 1) * math.sqrt(3)),
}
