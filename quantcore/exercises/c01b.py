"""Predictions and exercises of chapter 01b: levels, entropy, the limit."""

from __future__ import annotations

from math import e, log2, log10, pi, sqrt

import torch
from hypothesis import strategies as st
from torch import Tensor

from ..information import entropy, gaussian_distortion
from ..optimal import lloyd_max, optimal_uniform
from ..params import QuantizationParams
from ..quantizer import UniformQuantizer
from ..samples import distribution
from ..schemes import QuantizationScheme, round_to_levels
from .answers import Answers, choice, number, order
from .kinds import Function

# ---- predictions ----------------------------------------------------------------------------


def power(e: Tensor) -> float:
    """The mean square."""
    return e.double().square().mean().item()


def two_levels() -> Answers:
    """The noise of the best two levels for a normal density of variance 1."""
    best = lloyd_max(2, "normal").mse
    return number(
        best,
        tolerance=0.005,
        level=sqrt(2 / pi),
        at_one=2 - 2 * sqrt(2 / pi),
        limit=2.0 ** (-2 * 1),
    )


def lloyd_starts() -> Answers:
    """What Lloyd's steps reach from two different starts."""
    x = torch.tensor([-5.0, 0.0, 5.0]).repeat_interleave(1000).double()
    x += 0.3 * distribution("normal", 3000).double()
    reached = []
    for start in ([-5.0, 0.0, 5.0], [-5.2, -4.8, 3.0]):
        y = torch.tensor(start, dtype=torch.float64)
        for _ in range(50):
            cell = torch.bucketize(x, (y[1:] + y[:-1]) / 2)
            sums, counts = (torch.bincount(cell, w, minlength=3) for w in (x, None))
            y = torch.where(counts > 0, sums / counts, y)
        reached.append(power(x - round_to_levels(x, y)))
    right = "same" if abs(reached[0] - reached[1]) < 1e-3 else "stuck"
    return choice(right, same="same", moves="moves")


def three_grids() -> Answers:
    """Three grids of three bits with their best steps: from the least noise up."""
    x = distribution("normal", 20_000).double()

    def best(qmin: int, qmax: int) -> float:
        steps = torch.linspace(0.5, 0.7, 21)
        grids = [QuantizationParams(s, torch.tensor(0), qmin, qmax) for s in steps]
        return min(power(x - UniformQuantizer(p)(x)) for p in grids)

    noise = {
        "rise": optimal_uniform(8, "normal").mse,
        "whole": best(-4, 3),
        "restricted": best(-3, 3),
    }
    right = sorted(noise, key=noise.__getitem__)
    return order(*right, backwards=right[::-1], zero_best=("whole", "restricted", "rise"))


def half_zeros() -> Answers:
    """The noise of a mid-rise grid for data of which half are 0, in units of Δ²/12."""
    step = 1 / 8
    x = distribution("normal", 2**18) * (torch.arange(2**18) % 2)
    rise, tread = step * ((x / step).floor() + 0.5), step * (x / step).round()
    ratios = [power(x - x_hat) / (step**2 / 12) for x_hat in (rise, tread)]
    return number(ratios[0], tolerance=0.05, tread=ratios[1], always=1, zeros_only=3)


def mean_length() -> Answers:
    """The mean length of the code words 0, 10, 110, 111."""
    lengths, p = (1, 2, 3, 3), (1 / 2, 1 / 4, 1 / 8, 1 / 8)
    mean = sum(n * q for n, q in zip(lengths, p, strict=True))
    return number(mean, fixed=log2(4), unweighted=sum(lengths) / 4, whole=sum(lengths))


def huffman_mean() -> Answers:
    """The mean length of a Huffman code for the probabilities 0.4, 0.3, 0.2, 0.1."""
    p = sorted([0.4, 0.3, 0.2, 0.1])
    merged = []
    while len(p) > 1:
        merged.append(p[0] + p[1])
        p = sorted([*p[2:], merged[-1]])
    codes = torch.arange(4).repeat_interleave(torch.tensor([4, 3, 2, 1]))
    return number(
        sum(merged), tolerance=0.01, entropy=entropy(codes), fixed=2, unweighted=(1 + 2 + 3 + 3) / 4
    )


def needed_bits() -> Answers:
    """The entropy of 8-bit codes of a million normal values, the range from least to greatest."""
    x = distribution("normal", 10**6)
    params = QuantizationParams.from_tensor(x, QuantizationScheme.INT8)
    return number(
        entropy(UniformQuantizer(params).quantize(x)),
        tolerance=0.3,
        stored=8,
        no_step=log2(2 * pi * e) / 2,
        half=4,
    )


def zeros_slope() -> Answers:
    """How many dB one more bit brings where half of the data are 0 and codes are entropy coded."""
    halved, bits = 20 * log10(2), 1 / 2  # half a step is a bit more for the half that is not 0
    return number(halved / bits, tolerance=1, as_always=halved, half_noise=10 * log10(2))


def entropy_gap() -> Answers:
    """How far above the limit a coarse uniform grid is with entropy coding, beside a fine one."""
    x = distribution("normal", 10**5)
    step = 2.42  # about one bit
    codes = (x / step).round()
    limit = gaussian_distortion(entropy(codes.long()))
    more = 10 * log10(power(x - step * codes) / limit / (pi * e / 6))
    right = "same" if abs(more) < 0.1 else "larger" if more > 0 else "smaller"
    reasons = {"larger": "coarse_is_worse", "same": "constant", "smaller": "nothing_sent"}
    return choice(right, **{reasons[key]: key for key in reasons if key != right})


def three_ways() -> Answers:
    """Three ways at five bits: from the best to the worst."""
    step = 1 / 32
    x = distribution("normal", 10**5)
    codes = (x / step).round()
    rate = entropy(codes.long())
    above = {
        "entropy": power(x - step * codes) / gaussian_distortion(rate),
        "lloyd": lloyd_max(32, "normal").mse / gaussian_distortion(5),
        "even": optimal_uniform(32, "normal").mse / gaussian_distortion(5),
    }
    right = sorted(above, key=above.__getitem__)
    return order(*right, free_best=("lloyd", "entropy", "even"), backwards=right[::-1])


PREDICTIONS = {
    "two-levels": two_levels,
    "lloyd-starts": lloyd_starts,
    "three-grids": three_grids,
    "half-zeros": half_zeros,
    "mean-length": mean_length,
    "huffman-mean": huffman_mean,
    "needed-bits": needed_bits,
    "zeros-slope": zeros_slope,
    "entropy-gap": entropy_gap,
    "three-ways": three_ways,
}

# ---- exercises ------------------------------------------------------------------------------

WORDS = {"A": "0", "B": "10", "C": "110", "D": "111"}
SYMBOLS = {word: symbol for symbol, word in WORDS.items()}


def entropy_of(counts: list[int]) -> float:
    """Bits per symbol, from how often each one occurs."""
    total = sum(counts)
    return sum(c / total * log2(total / c) for c in counts if c)


def decode(bits: str) -> str:
    """The symbols of a row of code words."""
    found, word = "", ""
    for bit in bits:
        word += bit
        if word in SYMBOLS:
            found, word = found + SYMBOLS[word], ""
    return found


def in_pairs(bits: str) -> str:
    """Two bits for each symbol."""
    return "".join("ABCD"[int(bits[i : i + 2], 2)] for i in range(0, len(bits), 2))


def ended_by_zero(bits: str) -> str:
    """Ones are counted up to the next 0, the 0 belongs to the word: there is no 111 without one."""
    *words, rest = bits.split("0")
    return "".join("ABCD"[min(len(word), 3)] for word in words) + ("D" if rest else "")


def nearest_level(x: Tensor, levels: Tensor) -> Tensor:
    """The nearest of ascending levels."""
    return levels[torch.bucketize(x, (levels[1:] + levels[:-1]) / 2)]


def above_limit(rate: float, mse: float, variance: float) -> float:
    """How many dB an error lies above D(R) of a normal source."""
    return 10 * log10(mse / (variance * 2 ** (-2 * rate)))


ASCENDING = st.lists(st.integers(-9, 9), min_size=2, max_size=4, unique=True).map(
    lambda numbers: torch.tensor(sorted(numbers)).float()
)
# Levels are whole, so that none of these values lies midway between two.
BETWEEN = st.lists(st.integers(-24, 24), min_size=1, max_size=4).map(
    lambda numbers: torch.tensor([n / 2 + 1 / 8 for n in numbers])
)
LEVELS = torch.tensor([-2.0, 0.0, 1.0, 8.0])

EXERCISES = {
    "entropy-of-counts": Function(
        entropy_of,
        (([4, 2, 1, 1],), ([3, 1],), ([1, 0, 1],)),
        st.tuples(st.lists(st.integers(0, 9), min_size=2, max_size=6)).filter(
            lambda drawn: sum(drawn[0]) > 0
        ),
        {
            "stored": lambda counts: log2(len(counts)),
            "unweighted": lambda counts: (
                sum(log2(sum(counts) / c) for c in counts if c) / len([c for c in counts if c])
            ),
            "nats": lambda counts: entropy_of(counts) / log2(e),
            "log_of_zero": lambda counts: (
                -sum(c / sum(counts) * log2(c / sum(counts)) for c in counts)
            ),
            "sign": lambda counts: -entropy_of(counts),
        },
        minutes=6,
    ),
    "decode-prefix": Function(
        decode,
        (("0100111",), ("111110",)),
        st.tuples(st.text("ABCD", min_size=1, max_size=5)).map(
            lambda drawn: ("".join(WORDS[symbol] for symbol in drawn[0]),)
        ),
        {
            "in_pairs": in_pairs,
            "ended_by_zero": ended_by_zero,
            "only_first": lambda bits: decode(bits)[:1],
            "from_the_end": lambda bits: decode(bits[::-1]),
        },
        minutes=8,
        difficulty=2,
    ),
    "nearest-level": Function(
        nearest_level,
        ((torch.tensor([-1.5, 0.75, 3.5, 9.0]), LEVELS),),
        st.tuples(BETWEEN, ASCENDING),
        {
            "below": lambda x, levels: levels[(torch.searchsorted(levels, x) - 1).clamp_min(0)],
            "above": lambda x, levels: levels[
                torch.searchsorted(levels, x).clamp_max(len(levels) - 1)
            ],
            "index": lambda x, levels: torch.bucketize(x, (levels[1:] + levels[:-1]) / 2),
            "even_steps": lambda x, levels: torch.linspace(
                levels[0].item(), levels[-1].item(), len(levels)
            )[
                torch.round((x - levels[0]) / (levels[-1] - levels[0]) * (len(levels) - 1))
                .clamp(0, len(levels) - 1)
                .long()
            ],
        },
        minutes=6,
        difficulty=2,
    ),
    "above-limit": Function(
        above_limit,
        ((2.0, 0.25, 1.0), (1.0, 1.0, 2.0)),
        st.tuples(
            st.integers(1, 16).map(lambda n: n / 2),
            st.integers(1, 40).map(lambda n: n / 8),
            st.sampled_from([0.5, 1.0, 3.0, 4.0]),
        ),
        {
            "one_r": lambda rate, mse, variance: 10 * log10(mse / (variance * 2**-rate)),
            "twenty_log": lambda rate, mse, variance: 2 * above_limit(rate, mse, variance),
            "upside_down": lambda rate, mse, variance: -above_limit(rate, mse, variance),
            "no_variance": lambda rate, mse, variance: above_limit(rate, mse, 1),
        },
        catches=(6,),
    ),
}
