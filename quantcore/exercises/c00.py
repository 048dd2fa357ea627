"""Predictions and exercises of chapter 00: bytes, steps, a number's way through a quantizer."""

from __future__ import annotations

from math import ceil, log2, log10

import torch
from hypothesis import strategies as st
from torch import Tensor

from ..information import sqnr_db
from ..params import QuantizationParams
from ..quantizer import UniformQuantizer
from ..samples import distribution
from ..schemes import QuantizationScheme
from .answers import Answers, choice, number
from .kinds import Function

# ---- predictions ----------------------------------------------------------------------------


def model_size() -> Answers:
    """Gigabytes of 7 · 10^9 weights: 4-bit codes, a 16-bit scale for each 128."""
    return number(
        gigabytes(7e9, 4, 128, 16),
        tolerance=0.02,
        no_scale=7e9 * 4 / 8 / 1e9,
        bits_for_bytes=8 * gigabytes(7e9, 4, 128, 16),
        scale_each=gigabytes(7e9, 4, 1, 16),
    )


def step_ratio() -> Answers:
    """The step of 4 bits over that of 3 bits, asymmetric, the same range."""
    three, four = 2**3 - 1, 2**4 - 1
    return number(
        three / four,
        tolerance=0.005,
        levels=2**3 / 2**4,
        upside_down=four / three,
        mixed=2**3 / four,
    )


def code_by_hand() -> Answers:
    """The code of 0.7: three bits over [-1, 2]."""
    ends, x = torch.tensor([-1.0, 2.0]), torch.tensor(0.7)
    params = QuantizationParams.from_tensor(ends, QuantizationScheme.INT3, symmetric=False)
    s, z = params.scale.item(), params.zero_point.item()
    return number(
        UniformQuantizer(params).quantize(x).item(),
        no_zero_point=round(0.7 / s),
        subtracted=min(round(0.7 / s) - z, params.qmax),
        truncated=int(0.7 / s) + z,
    )


def sqnr_of_8_bits() -> Answers:
    """About how many dB 8 symmetric bits give on ten thousand normal values."""
    x = distribution("normal")
    db = sqnr_db(x, UniformQuantizer(QuantizationParams.from_tensor(x, QuantizationScheme.INT8))(x))
    right = min((20, 40, 80), key=lambda guess: abs(guess - db))
    others = {20: "power_halved", 40: "halfway", 80: "power_doubled"}
    return choice(f"{right} dB", **{others[n]: f"{n} dB" for n in others if n != right})


def convolution_columns() -> Answers:
    """The columns of a convolution's weights (32, 16, 3, 3) as a matrix."""
    shape = (32, 16, 3, 3)
    weights = torch.empty(shape)
    return number(
        weights.flatten(1).shape[1],
        rows=shape[0],
        one_channel=shape[2] * shape[3],
        only_channels=shape[1],
        all_but_inputs=shape[0] * shape[2] * shape[3],
    )


def three_lines() -> Answers:
    """What three comparisons print: the order of a sum, three digits, one seed."""
    one, other = (0.1 + 0.2) + 0.3, 0.1 + (0.2 + 0.3)
    samples = distribution("normal", 9), distribution("normal", 9)
    right = one == other, f"{one:.3g}" == f"{other:.3g}", torch.equal(*samples)
    return choice(
        listed(*right),
        associative=listed(True, True, True),
        always_seen=listed(False, False, True),
        seed_varies=listed(False, True, False),
    )


def listed(*answers: bool) -> str:
    """What is printed, in one line."""
    return ", ".join(map(str, answers))


PREDICTIONS = {
    "model-size": model_size,
    "step-ratio": step_ratio,
    "code-by-hand": code_by_hand,
    "sqnr-of-8-bits": sqnr_of_8_bits,
    "convolution-columns": convolution_columns,
    "three-lines": three_lines,
}

# ---- exercises ------------------------------------------------------------------------------


def gigabytes(parameters: float, bits: int, group: int, scale_bits: int) -> float:
    """Gigabytes (10^9 bytes) of codes and of a scale for each group."""
    return parameters * (bits + scale_bits / group) / 8 / 1e9


def journey(x: float, s: float, z: int, qmin: int, qmax: int) -> float:
    """A number, quantized and dequantized."""
    return s * (min(max(round(x / s) + z, qmin), qmax) - z)


def bits_for(lo: float, hi: float, error: float) -> int:
    """The bits that keep the error within ±error over [lo, hi]."""
    return ceil((hi - lo) / (2 * error)).bit_length()


def decibels(x: Tensor, x_hat: Tensor) -> float:
    """SQNR by its definition."""
    return 10 * log10((x.square().sum() / (x - x_hat).square().sum()).item())


QUARTERS = st.integers(-64, 64).map(lambda n: n / 8)


@st.composite
def pairs(draw) -> tuple[Tensor, Tensor]:
    """A signal, and one that differs from it."""
    length = draw(st.integers(1, 5))
    size = {"min_size": length, "max_size": length}
    x = draw(st.lists(st.integers(1, 40), **size))
    e = draw(st.lists(st.sampled_from([-0.5, 0.25, 0.5, 1.0]), **size))
    signal = torch.tensor(x, dtype=torch.float32)
    return signal, signal + torch.tensor(e)


SIGNAL = torch.tensor([3.0, -4.0])
EXERCISES = {
    "a-numbers-journey": Function(
        journey,
        ((0.875, 0.5, -2, -4, 3), (9.0, 0.5, -2, -4, 3), (0.5, 1.0, 1, 0, 7), (-3.0, 1.0, 1, 0, 7)),
        st.tuples(
            QUARTERS,
            st.sampled_from([0.25, 0.5, 1.0]),
            st.integers(-4, 3),
            st.just(-4),
            st.just(3),
        ),
        {
            "added_back": lambda x, s, z, qmin, qmax: (
                s * (min(max(round(x / s) + z, qmin), qmax) + z)
            ),
            "no_clamp": lambda x, s, z, qmin, qmax: s * round(x / s),
            "truncated": lambda x, s, z, qmin, qmax: s * (min(max(int(x / s) + z, qmin), qmax) - z),
            "code": lambda x, s, z, qmin, qmax: min(max(round(x / s) + z, qmin), qmax),
            "clamped_first": lambda x, s, z, qmin, qmax: s * min(max(round(x / s), qmin), qmax),
            "z_first": lambda x, s, z, qmin, qmax: s * (min(max(round(x / s + z), qmin), qmax) - z),
        },
        catches=(3, 4, 5),
        minutes=6,
    ),
    "bits-for-an-error": Function(
        bits_for,
        ((35.0, 42.0, 0.0625), (0.0, 1.0, 0.125), (0.0, 8.0, 0.5), (-1.0, 2.0, 0.25)),
        st.tuples(
            st.integers(-16, 16).map(float),
            st.integers(1, 200).map(lambda n: n / 4),
            st.sampled_from([0.5, 0.25, 0.125, 0.0625]),
        ).map(lambda drawn: (drawn[0], drawn[0] + drawn[1], drawn[2])),
        {
            "gaps_for_levels": lambda lo, hi, error: ceil(log2((hi - lo) / (2 * error))),
            "step_is_error": lambda lo, hi, error: bits_for(lo, hi, error / 2),
            "not_whole": lambda lo, hi, error: log2((hi - lo) / (2 * error) + 1),
            "rounded": lambda lo, hi, error: round(log2((hi - lo) / (2 * error) + 1)),
            "levels": lambda lo, hi, error: ceil((hi - lo) / (2 * error)) + 1,
        },
        catches=(2,),
        minutes=6,
        difficulty=2,
    ),
    "model-gigabytes": Function(
        gigabytes,
        ((7e9, 4, 128, 16), (1e9, 8, 32, 32)),
        st.tuples(
            st.integers(1, 70).map(lambda n: n * 1e9),
            st.integers(2, 8),
            st.sampled_from([16, 32, 64, 128]),
            st.sampled_from([8, 16, 32]),
        ),
        {
            "bits_for_bytes": lambda n, bits, group, scale_bits: (
                8 * gigabytes(n, bits, group, scale_bits)
            ),
            "no_scale": lambda n, bits, group, scale_bits: n * bits / 8 / 1e9,
            "scale_each": lambda n, bits, group, scale_bits: gigabytes(n, bits, 1, scale_bits),
            "binary": lambda n, bits, group, scale_bits: (
                gigabytes(n, bits, group, scale_bits) * 1e9 / 2**30
            ),
            "as_bytes": lambda n, bits, group, scale_bits: n / 1e9,
        },
        catches=(8,),
        minutes=4,
    ),
    "sqnr-by-hand": Function(
        decibels,
        ((SIGNAL, 0.5 * SIGNAL), (SIGNAL, SIGNAL + torch.tensor([1.0, 0.5]))),
        pairs(),
        {
            "upside_down": lambda x, x_hat: -decibels(x, x_hat),
            "twenty_log": lambda x, x_hat: 2 * decibels(x, x_hat),
            "amplitudes": lambda x, x_hat: (
                10 * log10((x.abs().sum() / (x - x_hat).abs().sum()).item())
            ),
            "over_the_result": lambda x, x_hat: (
                10 * log10((x.square().sum() / x_hat.square().sum()).item())
            ),
            "no_decibels": lambda x, x_hat: (x.square().sum() / (x - x_hat).square().sum()).item(),
        },
        catches=(6,),
    ),
}
