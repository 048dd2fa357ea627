"""Noise and information: what a quantizer costs, and the least that it must.

Chapters 1 and 1b. Powers are mean squares in the square of the signal's unit, SQNR is in dB,
entropy and rate are in bits per value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .checks import (
    compute_dtype,
    require_float_tensor,
    require_int,
    require_integer_tensor,
    require_number,
    require_number_or_tensor,
)
from .pieces import PIECE, squared_sum
from .quantizer import UniformQuantizer


def noise_power(step: float | Tensor) -> float | Tensor:
    """Mean square of an error that is uniform over one step: Δ²/12.

    Source: Bennett 1948. Exact when the error really is uniform: Widrow & Kollár, chapter 5.
    Raises TypeError for what is neither a number nor a tensor of numbers.

    >>> noise_power(6.0)
    3.0
    """
    require_number_or_tensor(step, "step")
    return step * step / 12


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
    x, x_hat = x.detach(), x_hat.detach()
    ends = torch.stack([*x.aminmax(), *x_hat.aminmax()]).double()
    if not ends.isfinite().all():
        raise ValueError("x, x_hat: found NaN or infinite values; SQNR is defined for finite ones")
    # Where a difference could overflow, that of the halves does not.
    unit = 2 if ends.abs().max() > torch.finfo(torch.float64).max / 2 else 1
    parts = [t.flatten().split(PIECE) for t in (x, x_hat)]

    def errors() -> Iterator[Tensor]:
        return (a.double() / unit - b.double() / unit for a, b in zip(*parts, strict=True))

    signal_db = _power_db(lambda: (part.double() / unit for part in parts[0]))
    return _ratio_db(signal_db, _power_db(errors))


def _power_db(parts: Callable[[], Iterator[Tensor]]) -> float:
    """10 log10 Σ x², in units of the largest magnitude: no square overflows or vanishes."""
    peak = max(part.abs().max().item() for part in parts())
    if peak == 0:
        return -math.inf
    total = sum((part / peak).square().sum().item() for part in parts())
    return 10 * math.log10(total) + 20 * math.log10(peak)


def _ratio_db(signal_db: float, noise_db: float) -> float:
    """Signal over noise; inf where there is no noise, whatever the signal."""
    return math.inf if noise_db == -math.inf else signal_db - noise_db


class ErrorReport(NamedTuple):
    """What quantizing a tensor cost: powers in the square of its unit, SQNR in dB."""

    mse: float
    sqnr_db: float
    clipped: float  # the fraction of values whose code was clamped


def error_report(x: Tensor, quantizer: UniformQuantizer) -> ErrorReport:
    """Measure x against quantizer(x), over every value.

    Sums are made of float32 products (float64 for a float64 x), which costs up to 1e-4 dB.
    A large tensor with one scale is taken piece by piece, so that each piece stays in the
    processor's cache. Raises TypeError where `quantizer` is no UniformQuantizer, and what it
    raises itself.

    >>> from quantcore import QuantizationParams
    >>> params = QuantizationParams(torch.tensor(1.0), torch.tensor(0), -8, 7)
    >>> report = error_report(torch.tensor([3.5, 9.0]), UniformQuantizer(params))
    >>> report.mse, report.clipped
    (2.125, 0.5)
    """
    require_float_tensor(x)
    if not isinstance(quantizer, UniformQuantizer):
        raise TypeError(
            f"quantizer: expected a UniformQuantizer, found {type(quantizer).__name__}; "
            "use UniformQuantizer(params)"
        )
    x = x.detach()
    per_tensor = quantizer.params.scale.dim() == 0
    pieces = x.flatten().split(2**20) if per_tensor else [x]
    buffer = torch.empty_like(pieces[0])
    signal = noise = 0.0
    clipped = 0
    for piece in pieces:
        x_hat = quantizer.forward(piece, out=buffer[: len(piece)])
        noise += squared_sum(x_hat.to(compute_dtype(x)).sub_(piece))
        signal += squared_sum(piece)
        # Codes are monotone in x: where those of the ends are not clamped, none is.
        ends = torch.stack(piece.aminmax()) if per_tensor else piece
        if not quantizer.in_range(ends).all():
            clipped += piece.numel() - int(quantizer.in_range(piece).sum())
    if 0 < noise < math.inf and 0 < signal < math.inf:
        sqnr = 10 * (math.log10(signal) - math.log10(noise))
    else:
        sqnr = sqnr_db(x, quantizer.forward(x))
    return ErrorReport(noise / x.numel(), sqnr, clipped / x.numel())


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

    rate: a number, or a tensor of them; variance: a number. Raises TypeError for anything else,
    ValueError for a negative or a NaN. Source: Shannon 1959; Cover & Thomas, theorem 10.3.2.

    >>> gaussian_distortion(2.0)
    0.0625
    """
    require_number_or_tensor(rate, "rate")
    require_number(variance, "variance")
    if not (torch.as_tensor(rate) >= 0).all():
        raise ValueError(f"rate: expected at least 0 bits, found {rate}")
    if not variance >= 0:
        raise ValueError(f"variance: expected at least 0, found {variance}")
    return variance * 2.0 ** (-2 * rate)


def spectrum(x: Tensor, rate: int) -> tuple[Tensor, Tensor]:
    """Level of each frequency up to rate/2, in dB below a full-scale sine (Hann window).

    x: n samples, `rate` of them per second. Returns frequencies in Hz and levels in dB, at
    least -140, both of shape (n // 2 + 1,). Raises TypeError or ValueError for anything else.

    >>> t = torch.arange(64, dtype=torch.float64)
    >>> frequencies, level = spectrum(torch.sin(2 * torch.pi * 8 * t / 64), 64)
    >>> frequencies[level.argmax()].item(), abs(round(level.max().item(), 6))
    (8.0, 0.0)
    """
    require_float_tensor(x)
    require_int(rate, "rate")
    if x.dim() != 1 or rate < 1:
        raise ValueError(
            f"x, rate: expected samples in a row and at least 1 per second, "
            f"found shape {tuple(x.shape)} and {rate}"
        )
    window = torch.hann_window(len(x), dtype=torch.float64, device=x.device)
    amplitude = torch.fft.rfft(x.double() * window).abs() / (window.sum() / 2)
    frequencies = torch.fft.rfftfreq(len(x), 1 / rate, device=x.device)
    return frequencies, 20 * torch.log10(amplitude.clamp_min(1e-7))
