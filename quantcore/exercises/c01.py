"""Predictions and exercises of chapter 01: noise power, SQNR, clipping."""

from __future__ import annotations

from math import exp, log10, pi, sqrt

import torch
from hypothesis import strategies as st
from torch import Tensor

from ..integer import pack_int4
from ..params import QuantizationParams
from ..quantizer import UniformQuantizer
from ..samples import distribution
from ..schemes import QuantizationScheme
from .answers import Answers, choice, number
from .kinds import Function

# ---- predictions ----------------------------------------------------------------------------


def power(e: Tensor) -> float:
    """The mean square."""
    return e.double().square().mean().item()


def layer_mib() -> Answers:
    """MiB of 2^24 weights in int4."""
    codes = torch.zeros(2**16, dtype=torch.int8)  # a part of them
    whole = 2**24 / codes.numel() / 2**20
    return number(
        pack_int4(codes).nbytes * whole,
        tolerance=0.1,
        unpacked=codes.nbytes * whole,
        as_float=codes.float().nbytes * whole,
        megabytes=2**24 / 2 / 1e6,
    )


def coarse_step() -> Answers:
    """How far Δ²/12 is off for a normal density with Δ = σ."""
    # The first term of the series that the characteristic function gives.
    off = 12 / pi**2 * exp(-2 * pi**2)
    right = "10%" if off > 0.03 else "1%" if off > 0.003 else "less"
    guesses = {"10%": "as_few_levels", "1%": "still_seen", "less": "exact"}
    return choice(right, **{guesses[g]: g for g in guesses if g != right})


def between_noise() -> Answers:
    """The noise of values midway between two levels, in units of Δ²/12."""
    step = 1 / 8
    x = step * (torch.arange(-99, 99) + 0.5)
    return number(
        power(x - step * (x / step).round()) / (step**2 / 12),
        tolerance=0.01,
        always=1,
        on_the_grid=0,
        amplitude=(step / 2) / (step / sqrt(12)),
    )


def stochastic_noise() -> Answers:
    """The noise of stochastic rounding, in units of Δ²/12."""
    r = (torch.arange(10**4).double() + 0.5) / 10**4
    mean = (r * (1 - r)).mean().item()
    return number(mean * 12, tolerance=0.01, nearest=1, largest=12 / 4, truncated=12 / 3)


def tenths_sum() -> Answers:
    """The sum of ten thousand errors of 0.1, each rounded to the nearest integer."""
    n, x = 10**4, torch.tensor(0.1, dtype=torch.float64)
    e = (x - x.round()).item()
    return number(n * e, tolerance=1, cancels=0, random_walk=sqrt(n / 12), half_each=n * 0.5)


def tenth_error() -> Answers:
    """SQNR of 0.9 x for x, in dB."""
    ratio = 1 / (1 - 0.9) ** 2
    return number(
        10 * log10(ratio),
        tolerance=0.1,
        amplitudes=10 * log10(sqrt(ratio)),
        squared_twice=20 * log10(ratio),
        upside_down=-10 * log10(ratio),
    )


def gaussian_constant() -> Answers:
    """The constant of SQNR = 6.02 b + …, normal data in ±4σ."""
    return number(
        constant_db(4),
        tolerance=0.05,
        sine=constant_db(sqrt(2)),
        uniform=constant_db(sqrt(3)),
        opposite=-constant_db(4),
        ten_log=10 * log10(3) - 10 * log10(4),
    )


def more_samples() -> Answers:
    """What becomes of the noise of 4 bits as a normal sample grows, the range its extremes."""
    noise = []
    for n in (10**3, 10**6):
        x = distribution("normal", n)
        params = QuantizationParams.from_tensor(x, QuantizationScheme.INT4)
        noise.append(power(x - UniformQuantizer(params)(x)))
    change = noise[1] / noise[0]
    right = "same" if abs(change - 1) < 0.1 else "grows" if change > 1 else "shrinks"
    reasons = {"grows": "outliers", "same": "same_density", "shrinks": "averages_out"}
    return choice(right, **{reasons[key]: key for key in reasons if key != right})


PREDICTIONS = {
    "layer-mib": layer_mib,
    "coarse-step": coarse_step,
    "between-noise": between_noise,
    "stochastic-noise": stochastic_noise,
    "tenths-sum": tenths_sum,
    "tenth-error": tenth_error,
    "gaussian-constant": gaussian_constant,
    "more-samples": more_samples,
}

# ---- exercises ------------------------------------------------------------------------------


def constant_db(loading: float) -> float:
    """10 log10(3 / Γ²), which is 4.77 - 20 log10 Γ."""
    return 10 * log10(3 / loading**2)


def formula_db(bits: int, loading: float) -> float:
    """SQNR of b bits in dB, without clipping; Γ is half the range over σ."""
    return 10 * log10(3 * 4**bits / loading**2)


def floor_noise(step: float) -> tuple[float, float, float]:
    """Mean, variance and power of the error of ⌊x/Δ⌋ Δ."""
    return step / 2, step**2 / 12, step**2 / 3


def dithered(x: Tensor, d: Tensor, step: float) -> Tensor:
    """Quantized with the dither d, which is subtracted again."""
    return step * torch.round((x + d) / step) - d


def two_noises(x: Tensor, step: float, top: int) -> tuple[float, float]:
    """Granular and overload noise power, codes in [-top, top]; their sum is the whole."""
    q = torch.round(x / step)
    e, inside = (x - step * q.clamp(-top, top)).square(), q.abs() <= top
    return (e * inside).mean().item(), (e * ~inside).mean().item()


def by_own_counts(x: Tensor, step: float, top: int) -> tuple[float, float]:
    """Each divided by the number of its own values."""
    shares = (torch.round(x / step).abs() <= top).float().mean().item()
    granular, overload = two_noises(x, step, top)
    return granular / max(shares, 1e-9), overload / max(1 - shares, 1e-9)


def not_squared(x: Tensor, step: float, top: int) -> tuple[float, float]:
    """Mean magnitudes."""
    q = torch.round(x / step)
    e, inside = (x - step * q.clamp(-top, top)).abs(), q.abs() <= top
    return (e * inside).mean().item(), (e * ~inside).mean().item()


SIXTEENTHS = st.integers(-96, 96).map(lambda n: n / 16)
VALUES = st.lists(SIXTEENTHS, min_size=1, max_size=4).map(torch.tensor)
STEPS = st.sampled_from([0.25, 0.5, 1.0, 2.0])


@st.composite
def with_dither(draw) -> tuple[Tensor, Tensor, float]:
    """Values, a dither within half a step, and the step."""
    x, step = draw(VALUES), draw(STEPS)
    parts = st.lists(st.integers(-7, 7), min_size=len(x), max_size=len(x))
    return x, torch.tensor(draw(parts)) / 16 * step, step


X = torch.tensor([0.5, -1.25, 3.0])
EXERCISES = {
    "floor-noise": Function(
        floor_noise,
        ((1.0,), (0.5,)),
        st.tuples(st.integers(1, 64).map(lambda n: n / 8)),
        {
            "no_bias": lambda step: (0.0, step**2 / 12, step**2 / 12),
            "variance_is_power": lambda step: (step / 2, step**2 / 3, step**2 / 3),
            "bias_not_squared": lambda step: (step / 2, step**2 / 12, step**2 / 12),
            "opposite": lambda step: (-step / 2, step**2 / 12, step**2 / 3),
            "bias_added": lambda step: (step / 2, step**2 / 12, step**2 / 12 + step / 2),
        },
        catches=(4, 7),
        minutes=6,
        difficulty=2,
    ),
    "sqnr-formula": Function(
        formula_db,
        ((8, 4.0), (12, 1.0), (1, sqrt(3))),
        st.tuples(st.integers(1, 16), st.sampled_from([1.0, 2.0, 3.0, 4.0, 6.0])),
        {
            "rounded": lambda bits, loading: 6.02 * bits + 4.77 - 20 * log10(loading),
            "rounded_sine": lambda bits, loading: 6.02 * bits + 1.76,
            "always_sine": lambda bits, loading: formula_db(bits, sqrt(2)),
            "always_uniform": lambda bits, loading: formula_db(bits, sqrt(3)),
            "loading_not_squared": lambda bits, loading: 10 * log10(3 * 4**bits / loading),
            "two_to_b": lambda bits, loading: 10 * log10(3 * 2**bits / loading**2),
            "loading_multiplied": lambda bits, loading: 10 * log10(3 * 4**bits * loading**2),
        },
        catches=(6,),
    ),
    "subtractive-dither": Function(
        dithered,
        (
            (X, torch.tensor([0.25, -0.125, 0.4375]), 1.0),
            (X, torch.tensor([0.125, 0.0, -0.25]), 0.5),
        ),
        with_dither(),
        {
            "not_subtracted": lambda x, d, step: step * torch.round((x + d) / step),
            "no_dither": lambda x, d, step: step * torch.round(x / step),
            "added_again": lambda x, d, step: step * torch.round((x + d) / step) + d,
            "after_rounding": lambda x, d, step: step * torch.round(x / step) + d,
            "in_steps": lambda x, d, step: step * (torch.round(x / step + d) - d),
        },
        catches=(7,),
        difficulty=2,
    ),
    "two-noises": Function(
        two_noises,
        ((torch.tensor([0.25, 1.5, 3.25, -9.0]), 1.0, 3), (torch.tensor([0.75, 5.0]), 0.5, 3)),
        st.tuples(VALUES, STEPS, st.sampled_from([1, 3, 7])),
        {
            "own_counts": by_own_counts,
            "no_clamp": lambda x, step, top: (power(x - step * torch.round(x / step)), 0.0),
            "not_squared": not_squared,
            "exchanged": lambda x, step, top: two_noises(x, step, top)[::-1],
            "squared_mean": lambda x, step, top: (
                power(x - step * torch.round(x / step).clamp(-top, top)),
                two_noises(x, step, top)[1],
            ),
        },
        catches=(10,),
        minutes=8,
        difficulty=2,
    ),
}
