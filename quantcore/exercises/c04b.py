"""Predictions and exercises of chapter 04b: integers only."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil, frexp, log2

import torch
from hypothesis import strategies as st
from torch import Tensor

from ..integer import fixed_point_multiplier, integer_matmul, requantize
from ..params import QuantizationParams
from .answers import Answers, choice, number
from .kinds import Function

# ---- predictions ----------------------------------------------------------------------------


def half_away_code() -> Answers:
    """The code of -2.5 with s = 1 and z = 5, where halves go away from zero."""
    x, z = torch.tensor(-2.5), 5
    away = x.sign() * torch.floor(x.abs() + 0.5)
    return number(
        away.item() + z, to_even=torch.round(x).item() + z, no_zero_point=away.item(), exact=2.5
    )


def four_terms_sum() -> Answers:
    """Σ (q1 - z1)(q2 - z2) for q1 = (3, 5), z1 = 1, q2 = (2, 4), z2 = 3."""
    one, two, three, four = four_terms(torch.tensor([3, 5]), torch.tensor([2, 4]), 1, 3)
    return number(
        one + two + three + four,
        only_products=one,
        no_last=one + two + three,
        last_once=one + two + three + four // 2,
        all_added=one - two - three + four,
    )


def int16_terms() -> Answers:
    """How many products of two asymmetric int8 differences q - z int16 can add."""

    def room(a: int, b: int) -> int:
        return torch.iinfo(torch.int16).max // (a * b)

    return number(room(255, 255), codes=room(128, 128), restricted=room(127, 128))


def multiplier_shift() -> Answers:
    """The shift n of the multiplier 0.3 = m · 2^(-31) · 2^(-n)."""
    n = fixed_point_multiplier(0.3)[1].item()
    return number(n, rounded_up=ceil(-log2(0.3)), left=-n, none=0)


def shifted_half() -> Answers:
    """What -4 becomes when it is requantized by 1/8 with integers only."""
    got = requantize(torch.tensor(-4), *fixed_point_multiplier(1 / 8)).item()
    return number(got, to_even=round(-4 / 8), exact=-4 / 8, up=1)


def scale_along_sum() -> Answers:
    """Which layouts of scales an integer product accepts."""
    ones = torch.ones(2, 2, dtype=torch.int8)

    def params(axis: int | None) -> QuantizationParams:
        shape = () if axis is None else (2,)
        zeros = torch.zeros(shape, dtype=torch.int32)
        return QuantizationParams(torch.ones(shape), zeros, -128, 127, axis=axis)

    def accepted(a: int | None, b: int | None) -> bool:
        try:
            integer_matmul(ones, ones, params(a), params(b), params(None))
        except ValueError:
            return False
        return True

    layouts = {"columns": (None, 1), "rows": (None, 0), "inputs": (0, 1)}
    good = "+".join(name for name, pair in layouts.items() if accepted(*pair))
    return choice(good, every="columns+rows+inputs", none="none", first="rows+inputs")


def two_roundings() -> Answers:
    """The largest difference of requantized codes from the product rounded once."""
    sums = torch.arange(-30_000, 30_000)
    m = 2**-4.5
    off = (requantize(sums, *fixed_point_multiplier(m)) - torch.round(sums.double() * m)).abs()
    return number(off.max().item(), two=2, exact=0, half=0.5)


PREDICTIONS = {
    "half-away-code": half_away_code,
    "four-terms-sum": four_terms_sum,
    "int16-terms": int16_terms,
    "multiplier-shift": multiplier_shift,
    "shifted-half": shifted_half,
    "scale-along-sum": scale_along_sum,
    "two-roundings": two_roundings,
}

# ---- exercises ------------------------------------------------------------------------------


def four_terms(q1: Tensor, q2: Tensor, z1: int, z2: int) -> tuple[int, int, int, int]:
    """The four terms of Σ (q1 - z1)(q2 - z2), with their signs."""
    a, b = q1.to(torch.int64), q2.to(torch.int64)
    return (
        int((a * b).sum()),
        int(-z2 * a.sum()),
        int(-z1 * b.sum()),
        len(a) * z1 * z2,
    )


def changed(place: int, change: Callable) -> Callable:
    """The four terms, one of them changed: change(term, q1, q2, z1, z2)."""

    def wrong(q1: Tensor, q2: Tensor, z1: int, z2: int) -> tuple[int, ...]:
        terms = list(four_terms(q1, q2, z1, z2))
        terms[place] = change(terms[place], q1, q2, z1, z2)
        return tuple(terms)

    return wrong


def swapped(q1: Tensor, q2: Tensor, z1: int, z2: int) -> tuple[int, ...]:
    """Each zero point beside the sum of its own codes."""
    one, _, _, four = four_terms(q1, q2, z1, z2)
    return one, -z1 * int(q1.sum()), -z2 * int(q2.sum()), four


def multiplier(M: float) -> tuple[int, int]:
    """The integer in [2^14, 2^15) and n with M ≈ integer · 2^(-15) · 2^(-n)."""
    mantissa, exponent = frexp(M)
    whole = round(mantissa * 2**15)
    return (whole, -exponent) if whole < 2**15 else (2**14, -exponent - 1)


def without_carry(m: float) -> tuple[int, int]:
    """The same, but 2^15 stays where the mantissa is rounded up to it."""
    mantissa, exponent = frexp(m)
    return round(mantissa * 2**15), -exponent


def output_code(acc: int, M: float, z: int, qmin: int, qmax: int) -> int:
    """The output's code of a sum."""
    return min(max(round(M * acc) + z, qmin), qmax)


def shift_even(y: int, n: int) -> int:
    """The integer nearest to y / 2^n, halves to the even one."""
    return round(Fraction(y, 2**n))


def half_away(y: int, n: int) -> int:
    """The same, but halves go away from zero."""
    size = (abs(y) + (1 << n >> 1)) >> n
    return size if y >= 0 else -size


def accumulator_bits(terms: int, largest_a: int, largest_b: int) -> int:
    """The bits of a signed integer that holds any sum of so many products."""
    return (terms * largest_a * largest_b).bit_length() + 1


@st.composite
def vectors(draw) -> tuple[Tensor, Tensor, int, int]:
    """Two rows of int8 codes, and two zero points."""
    length = draw(st.integers(1, 4))
    codes = st.lists(st.integers(-128, 127), min_size=length, max_size=length)
    q1, q2 = (torch.tensor(draw(codes), dtype=torch.int8) for _ in range(2))
    return q1, q2, draw(st.integers(-128, 127)), draw(st.integers(-128, 127))


CODES = torch.tensor([3, 5], dtype=torch.int8), torch.tensor([2, 4], dtype=torch.int8)
LARGE = torch.tensor([100, 90, 7], dtype=torch.int8), torch.tensor([50, -60, 1], dtype=torch.int8)
MULTIPLIERS = st.one_of(
    st.integers(1, 4095).map(lambda n: n / 4096),
    st.integers(1, 40).map(lambda n: 1 - 2.0**-n),
    st.integers(1, 30).map(lambda n: 2.0**-n),
)
EXERCISES = {
    "four-terms": Function(
        four_terms,
        ((*CODES, 1, 3), (*LARGE, -128, 5)),
        vectors(),
        {
            "last_once": changed(3, lambda term, q1, q2, z1, z2: z1 * z2),
            "all_added": lambda *a: tuple(
                sign * t for sign, t in zip((1, -1, -1, 1), four_terms(*a), strict=True)
            ),
            "swapped": swapped,
            "in_int8": changed(0, lambda term, q1, q2, z1, z2: int((q1 * q2).sum())),
            "drop_out": lambda *a: (four_terms(*a)[0], 0, 0, 0),
        },
        catches=(12,),
        minutes=8,
        difficulty=2,
    ),
    "multiplier-16": Function(
        multiplier,
        ((0.3,), (0.75,), (2.0**-6,), (1 - 2.0**-20,)),
        st.tuples(MULTIPLIERS),
        {
            "not_normalized": lambda m: (round(m * 2**15), 0),
            "thirty_one": lambda m: tuple(int(t) for t in fixed_point_multiplier(m)),
            "left": lambda m: (multiplier(m)[0], -multiplier(m)[1]),
            "truncated": lambda m: (int(frexp(m)[0] * 2**15), -frexp(m)[1]),
            "no_carry": without_carry,
        },
        minutes=8,
        difficulty=3,
    ),
    "output-code": Function(
        output_code,
        ((100, 0.3, 5, -128, 127), (-7, 0.5, 1, -128, 127), (3000, 0.1, -20, -128, 127)),
        st.tuples(
            st.integers(-600, 600),
            st.sampled_from([0.0625, 0.125, 0.25, 0.5]),
            st.integers(-100, 100),
            st.just(-128),
            st.just(127),
        ),
        {
            "z_scaled": lambda acc, m, z, qmin, qmax: min(max(round(m * (acc + z)), qmin), qmax),
            "z_rounded": lambda acc, m, z, qmin, qmax: min(max(round(m * acc + z), qmin), qmax),
            "no_clamp": lambda acc, m, z, qmin, qmax: round(m * acc) + z,
            "clamped_first": lambda acc, m, z, qmin, qmax: min(max(round(m * acc), qmin), qmax) + z,
            "truncated": lambda acc, m, z, qmin, qmax: min(max(int(m * acc) + z, qmin), qmax),
            "subtracted": lambda acc, m, z, qmin, qmax: output_code(acc, m, -z, qmin, qmax),
        },
        catches=(3, 4, 5),
    ),
    "shift-even": Function(
        shift_even,
        ((6, 2), (10, 2), (-6, 2), (7, 2), (-1, 1), (5, 0)),
        st.tuples(st.integers(-64, 64), st.integers(0, 4)),
        {
            "floor": lambda y, n: y >> n,
            "half_up": lambda y, n: (y + (1 << n >> 1)) >> n,
            "half_away": half_away,
            "to_zero": lambda y, n: int(y / 2**n),
        },
        catches=(4,),
        minutes=10,
        difficulty=3,
    ),
    "accumulator-bits": Function(
        accumulator_bits,
        ((512, 255, 127), (1, 128, 128), (2, 127, 128)),
        st.tuples(st.integers(1, 5000), st.sampled_from([127, 128, 255]), st.integers(1, 255)),
        {
            "no_sign": lambda terms, a, b: accumulator_bits(terms, a, b) - 1,
            "one_product": lambda terms, a, b: accumulator_bits(1, a, b),
            "widths_added": lambda terms, a, b: (
                a.bit_length() + b.bit_length() + terms.bit_length() + 1
            ),
            "power_fits": lambda terms, a, b: ceil(log2(terms * a * b)) + 1,
        },
        difficulty=2,
    ),
}
