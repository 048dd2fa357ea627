"""Noise, information, and the best that a quantizer can do.

Chapter 1. Powers are mean squares in the square of the signal's unit, SQNR is in dB,
entropy and rate are in bits per value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .params import compute_dtype, require_float_tensor, require_int, require_integer_tensor
from .quantizer import UniformQuantizer


def noise_power(step: float | Tensor) -> float | Tensor:
    """Mean square of an error that is uniform over one step: Δ²/12.

    Source: Bennett 1948. Exact when the error really is uniform: Widrow & Kollár, chapter 5.

    >>> noise_power(6.0)
    3.0
    """
    return step**2 / 12


def sqnr_db(x: Tensor, x_hat: Tensor) -> float:
    """Signal to quantization noise: 10 log10(Σ x² / Σ (x - x̂)²), in dB.

    x, x_hat: float tensors of one shape. Returns inf where there is no error, -inf where
    there is an error but no signal. Raises TypeError or ValueError for anything else.

    >>> round(sqnr_db(torch.tensor([1.0, -1.0]), torch.tensor([0.9, -0.9])), 3)
    20.0
    """
    require_float_tensor(x)
    require_float_tensor(x_hat, "x_hat")
    if x.shape != x_hat.shape:
        raise ValueError(f"x_hat: expected x's shape {tuple(x.shape)}, found {tuple(x_hat.shape)}")
    x, x_hat = x.detach().double(), x_hat.detach().double()
    peak = torch.maximum(x.abs().max(), x_hat.abs().max())
    if not peak.isfinite():
        raise ValueError("x, x_hat: found NaN or infinite values; SQNR is defined for finite ones")
    if peak == 0:
        return math.inf
    x, x_hat = x / peak, x_hat / peak  # so that no square overflows or vanishes
    signal, noise = x.square().sum().item(), (x - x_hat).square().sum().item()
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


class ErrorReport(NamedTuple):
    """What quantizing a tensor cost: powers in the square of its unit, SQNR in dB."""

    mse: float
    sqnr_db: float
    clipped: float  # the fraction of values whose code was clamped


def error_report(x: Tensor, quantizer: UniformQuantizer) -> ErrorReport:
    """Measure x against quantizer(x), over every value.

    A large tensor with one scale is taken piece by piece, so that each piece stays in the
    processor's cache. Raises what `quantizer` raises.

    >>> from quantcore import QuantizationParams
    >>> params = QuantizationParams(torch.tensor(1.0), torch.tensor(0), -8, 7)
    >>> report = error_report(torch.tensor([3.5, 9.0]), UniformQuantizer(params))
    >>> report.mse, report.clipped
    (2.125, 0.5)
    """
    require_float_tensor(x)
    x, p = x.detach(), quantizer.params
    whole = p.axis is not None or p.group_size is not None
    pieces = [x] if whole else x.flatten().split(2**20)
    buffer = torch.empty_like(pieces[0])
    signal = noise = clipped = 0.0
    for piece in pieces:
        x_hat = quantizer.forward(piece, out=buffer[: len(piece)] if piece.dim() else buffer)
        error = x_hat.sub_(piece)
        noise += _energy(error)
        signal += _energy(piece)
        ends = torch.stack(piece.aminmax()) if not whole else piece
        if not quantizer.in_range(ends).all():  # codes are monotone: then none is clamped
            clipped += piece.numel() - quantizer.in_range(piece).sum().item()
    if 0 < noise < math.inf and 0 < signal < math.inf:
        sqnr = 10 * (math.log10(signal) - math.log10(noise))
    else:
        sqnr = sqnr_db(x, quantizer.forward(x))
    return ErrorReport(noise / x.numel(), sqnr, clipped / x.numel())


def _energy(x: Tensor) -> float:
    """Σ x²; in float64, which is slow, only where float32 squares could be lost."""
    flat = x.flatten().to(compute_dtype(x))
    energy = sum(torch.dot(part, part).item() for part in flat.split(2**18))
    return energy if 1e-26 < energy < 1e36 else flat.double().square().sum().item()


def entropy(codes: Tensor) -> float:
    """Bits per code that an ideal code would need: -Σ p log2 p over the codes that occur.

    codes: integer tensor. Raises TypeError for another dtype, ValueError if it is empty.
    Source: Shannon 1948.

    >>> entropy(torch.tensor([0, 0, 1, 2]))
    1.5
    """
    require_integer_tensor(codes, "codes")
    if codes.numel() == 0:
        raise ValueError("codes: the tensor is empty; give it a value")
    p = codes.unique(return_counts=True)[1].double() / codes.numel()
    return -torch.special.xlogy(p, p).sum().item() / math.log(2) + 0.0  # + 0.0: never -0.0


def gaussian_distortion(rate: float | Tensor, variance: float = 1.0) -> float | Tensor:
    """The least mean squared error at `rate` bits per value: D(R) = σ² 2^(-2R).

    Source: Shannon 1959; Cover & Thomas, theorem 10.3.2. Raises ValueError for a negative
    rate or variance.

    >>> gaussian_distortion(2.0)
    0.0625
    """
    if (torch.as_tensor(rate) < 0).any():
        raise ValueError(f"rate: expected at least 0 bits, found {rate}")
    if variance < 0:
        raise ValueError(f"variance: expected at least 0, found {variance}")
    return variance * 2.0 ** (-2 * rate)


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
    Raises ValueError or TypeError for anything else. Source: Max 1960; Lloyd 1957/1982.

    >>> [round(y, 4) for y in lloyd_max(4, "normal").levels.tolist()]
    [-1.5104, -0.4528, 0.4528, 1.5104]
    """
    levels = _check_levels(levels)
    source = _source(source)
    # Panter and Dite: the best density of levels follows p^(1/3), close to a wider p.
    spread = (torch.arange(levels, dtype=torch.float64) + 0.5) / levels
    y = source.quantile(spread)
    previous = math.inf
    for _ in range(20_000):
        t = (y[1:] + y[:-1]) / 2
        p, m1, m2 = _cells(source, t)
        y = torch.where(p > 0, m1 / p.clamp_min(1e-300), y)
        y = y.sort().values  # rounding may swap levels that are equal
        mse = (m2 - 2 * y * m1 + y**2 * p).sum().item()
        if previous - mse <= 1e-13 * abs(mse):  # rounding may make it negative
            break
        previous = mse
    return _quantizer(y, source)


def optimal_uniform(levels: int, source: str | Tensor) -> ScalarQuantizer:
    """The evenly spaced levels y_i = μ + Δ (i - (N-1)/2) with the least mean squared error.

    An even N puts a threshold on the mean (mid-rise), an odd N a level (mid-tread).
    Arguments and errors as for `lloyd_max`. Source: Max 1960, table II.

    >>> q = optimal_uniform(8, "normal")
    >>> round((q.levels[1] - q.levels[0]).item(), 4), round(q.mse, 5)
    (0.586, 0.03744)
    """
    levels = _check_levels(levels)
    source = _source(source)
    far = torch.tensor([1e-9, 1 - 1e-9], dtype=torch.float64)
    _, mean, power = (part.sum() for part in _cells(source, far[:0]))
    place = torch.arange(levels, dtype=torch.float64) - (levels - 1) / 2

    def quantizer(step: float) -> ScalarQuantizer:
        return _quantizer(mean + step * place, source)

    reach = (source.quantile(far) - mean).abs().max().item()
    if levels == 1 or power - mean**2 <= 0:
        return quantizer(0.0)
    # A coarse look over the whole range finds the valley, golden sections its floor.
    grid = torch.linspace(0, 2.2 * reach / (levels - 1), 201, dtype=torch.float64)[1:].tolist()
    best = min(range(200), key=lambda i: quantizer(grid[i]).mse)
    a, d = grid[max(best - 1, 0)], grid[min(best + 1, 199)]
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(60):
        b, c = d - ratio * (d - a), a + ratio * (d - a)
        a, d = (a, c) if quantizer(b).mse < quantizer(c).mse else (b, d)
    return quantizer((a + d) / 2)


def _check_levels(levels: int) -> int:
    require_int(levels, "levels")
    if levels < 1:
        raise ValueError(f"levels: expected at least 1, found {levels}")
    return levels


class _Source(NamedTuple):
    """A source as functions of u, where x = unit · (center + u).

    moments(t) returns ∫ p, ∫ u p and ∫ u² p, each from -∞ to t, for a tensor of t.
    quantile(p) is about that of p^(1/3), from which `lloyd_max` starts.
    """

    moments: Callable
    quantile: Callable
    unit: float = 1.0
    center: float = 0.0


def _cells(source: _Source, t: Tensor) -> list[Tensor]:
    """Probability, first and second moment of each cell between the thresholds."""
    ends = torch.cat([t.new_tensor([-math.inf]), t, t.new_tensor([math.inf])])
    return [part.diff() for part in source.moments(ends)]


def _quantizer(y: Tensor, source: _Source) -> ScalarQuantizer:
    t = (y[1:] + y[:-1]) / 2
    p, m1, m2 = _cells(source, t)
    mse = (m2 - 2 * y * m1 + y**2 * p).sum().clamp_min(0).item()
    y, t = (source.unit * (source.center + u) for u in (y, t))
    return ScalarQuantizer(y, t, source.unit * (source.unit * mse))


def _source(source: str | Tensor) -> _Source:
    if isinstance(source, Tensor):
        return _samples(source)
    if not isinstance(source, str):
        raise TypeError(f"source: expected a name or a tensor, found {type(source).__name__}")
    if source not in _DENSITIES:
        raise ValueError(f"source: {source!r} is not known; use one of {list(_DENSITIES)}")
    return _DENSITIES[source]


def _samples(source: Tensor) -> _Source:
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

    return _Source(moments, lambda p: x[(p * len(x)).long().clamp(0, len(x) - 1)], unit, center)


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
    "normal": _Source(_normal_moments, lambda p: torch.special.ndtri(p) * math.sqrt(3)),
    "laplace": _Source(
        _laplace_moments,
        lambda p: -3 / math.sqrt(2) * (p - 0.5).sign() * torch.log1p(-2 * (p - 0.5).abs()),
    ),
    "uniform": _Source(_uniform_moments, lambda p: (2 * p - 1) * math.sqrt(3)),
}
