"""Predictions and exercises of chapter 04: the three steps, their order, the gradient."""

from __future__ import annotations

from math import log2, log10

import torch
from hypothesis import strategies as st
from torch import Tensor

from ..params import QuantizationParams
from ..quantizer import UniformQuantizer
from ..samples import distribution, photograph
from .answers import Answers, choice, number
from .kinds import Function

# ---- predictions ----------------------------------------------------------------------------


def zero_point_first() -> Answers:
    """The code of 0.5 with s = 1 and z = 1, where z is added before rounding."""
    x, z = torch.tensor(0.5), 1
    return number(
        torch.round(x + z).item(),
        rounded_first=torch.round(x).item() + z,
        unrounded=x.item() + z,
        no_zero_point=torch.round(x).item(),
    )


def bfloat16_halves() -> Answers:
    """Whether normal bfloat16 data have more wrong codes than uniform ones, z = 1 added first."""

    def wrong(shape: str) -> float:
        x = distribution(shape, 10**5)
        v = (x / x.abs().max() * 127).bfloat16()
        return (torch.round((v + 1).float()) != torch.round(v.float()) + 1).float().mean().item()

    ratio = wrong("normal") / wrong("uniform")
    right = "same" if abs(ratio - 1) < 0.1 else "more" if ratio > 1 else "fewer"
    reasons = {"more": "halves_near_zero", "same": "any_data", "fewer": "sparser"}
    return choice(right, **{reasons[key]: key for key in reasons if key != right})


def photo_half_up() -> Answers:
    """What happens to a photograph whose halves are rounded up five times."""
    pixels = torch.round(photograph() * 255)
    image = pixels
    for _ in range(5):
        image = torch.floor((image[:, 0::2] + image[:, 1::2]) / 2 + 0.5)
    change = (image.mean() - pixels.mean()).item()
    if abs(change) < 0.25:
        return choice("same", brighter="brighter", darker="darker")
    brighter, darker = ("brighter", "darker") if change > 0 else ("darker", "brighter")
    return choice(brighter, cancels="same", opposite=darker)


def truncation_bits() -> Answers:
    """How many bits truncation costs where the error is uniform."""
    ratio = (1 / 3) / (1 / 12)
    return number(
        10 * log10(ratio) / (20 * log10(2)),
        tolerance=0.05,
        power_for_amplitude=log2(ratio),
        times_for_bits=ratio,
        half=0.5,
    )


def wrapped_200() -> Answers:
    """What 200 is after it was stored in int8 without a clamp."""
    x = torch.tensor(200)
    return number(
        x.to(torch.int8).item(),
        saturated=x.clamp(-128, 127).item(),
        unchanged=x.item(),
        sign_and_size=-(200 - 128),
        without_sign=200 - 128,
    )


def unsigned_difference() -> Answers:
    """3 - 5 for codes in uint8."""
    q = torch.tensor(3, dtype=torch.uint8)
    return number((q - 5).item(), as_written=3 - 5, saturated=0)


def full_range_error() -> Answers:
    """The largest error of `full_range=True` in steps, data with a positive peak."""
    x = torch.tensor([8.0, -8.0, 1.0])
    quantizer = UniformQuantizer(QuantizationParams(x.max() / 8, torch.tensor(0), -8, 7))
    worst = (x - quantizer(x)).abs().max() / quantizer.params.scale
    return number(worst.item(), as_inside=0.5, none=0)


def slope_by_detach() -> Answers:
    """The gradient at 2.6 of x + (round(x) - x).detach()."""
    x = torch.tensor(2.6, requires_grad=True)
    y = x + (torch.round(x) - x).detach()
    y.backward()
    assert x.grad is not None
    return number(x.grad.item(), staircase=0, value=y.item())


def masked_weight() -> Answers:
    """Where a weight stops with the mask: s = 0.5, qmax = 3, goal 3, rate 0.1, from 1.5."""
    step = QuantizationParams(torch.tensor(0.5), torch.tensor(0), -4, 3)
    quantizer, w = UniformQuantizer(step), torch.tensor(1.5, requires_grad=True)
    for _ in range(1000):
        w.grad = None
        ((quantizer(w) - 3) ** 2).backward()
        with torch.no_grad():
            w -= 0.1 * (0 if w.grad is None else w.grad)
    return number(w.item(), tolerance=0.01, no_mask=1.5 + 0.3 * 1000, at_goal=3, never_moves=1.5)


PREDICTIONS = {
    "zero-point-first": zero_point_first,
    "bfloat16-halves": bfloat16_halves,
    "photo-half-up": photo_half_up,
    "truncation-bits": truncation_bits,
    "wrapped-200": wrapped_200,
    "unsigned-difference": unsigned_difference,
    "full-range-error": full_range_error,
    "slope-by-detach": slope_by_detach,
    "masked-weight": masked_weight,
}

# ---- exercises ------------------------------------------------------------------------------


def codes(x: Tensor, s: float, z: int, qmin: int, qmax: int) -> Tensor:
    """The codes of bfloat16 values, computed in float32; int32."""
    return (torch.round(x.float() / s) + z).clamp(qmin, qmax).to(torch.int32)


def values(q: Tensor, s: float, z: int) -> Tensor:
    """The values of uint8 codes, float32."""
    return s * (q.to(torch.int32) - z).float()


def passes(x: Tensor, s: float, z: int, qmin: int, qmax: int) -> Tensor:
    """Where the gradient passes: the unclamped code is in range; bool."""
    q = torch.round(x / s) + z
    return (q >= qmin) & (q <= qmax)


def by_range(x: Tensor, s: float, z: int, qmin: int, qmax: int) -> Tensor:
    """Half a step narrower at each end."""
    return (x >= s * (qmin - z)) & (x <= s * (qmax - z))


def scale_slope(x: Tensor, s: float, qmin: int, qmax: int) -> Tensor:
    """The derivative of x̂ by s, with that of rint taken as 1."""
    q = torch.round(x / s)
    return torch.where(q < qmin, qmin, torch.where(q > qmax, qmax, q - x / s)).float()


def halved(rows: Tensor) -> Tensor:
    """The means of neighbouring columns of whole numbers, halves to even."""
    return torch.round((rows[:, 0::2] + rows[:, 1::2]) / 2)


SIXTEENTHS = st.integers(-320, 320).map(lambda n: n / 16)
SOME = st.lists(SIXTEENTHS, min_size=1, max_size=4)
STEPS = st.sampled_from([0.25, 0.5, 1.0, 2.0])
GRIDS = st.sampled_from([(-8, 7), (0, 255), (-128, 127)])


def drawn(dtype: torch.dtype) -> st.SearchStrategy:
    """Values, a step, and a grid with a zero point on it."""
    zeros = GRIDS.flatmap(lambda grid: st.integers(*grid).map(lambda z: (z, *grid)))
    made = SOME.map(lambda numbers: torch.tensor(numbers, dtype=dtype))
    return st.tuples(made, STEPS, zeros).map(lambda parts: (*parts[:2], *parts[2]))


TIES = torch.tensor([0.5, 1.5, 2.5, -0.5, 100.0], dtype=torch.bfloat16)
ENDS = torch.tensor([-1.0, 3.0, 3.25, 3.75, 4.5])
IMAGES = st.integers(1, 3).flatmap(
    lambda n: st.lists(
        st.lists(st.integers(0, 255), min_size=2 * n, max_size=2 * n), min_size=1, max_size=2
    ).map(lambda rows: (torch.tensor(rows, dtype=torch.float32),))
)
EXERCISES = {
    "quantize-bfloat16": Function(
        codes,
        ((TIES, 1.0, 1, 0, 255), (TIES, 0.5, 3, -8, 7), (TIES, 1.0, 0, -128, 127)),
        drawn(torch.bfloat16),
        {
            "z_first": lambda x, s, z, qmin, qmax: (
                torch.round(x.float() / s + z).clamp(qmin, qmax).to(torch.int32)
            ),
            "z_first_bfloat16": lambda x, s, z, qmin, qmax: (
                torch.round(x / s + z).clamp(qmin, qmax).to(torch.int32)
            ),
            "half_up": lambda x, s, z, qmin, qmax: (
                (torch.floor(x.float() / s + 0.5) + z).clamp(qmin, qmax).to(torch.int32)
            ),
            "truncated": lambda x, s, z, qmin, qmax: (
                (torch.trunc(x.float() / s) + z).clamp(qmin, qmax).to(torch.int32)
            ),
            "no_clamp": lambda x, s, z, qmin, qmax: (torch.round(x.float() / s) + z).int(),
            "clamped_first": lambda x, s, z, qmin, qmax: (
                torch.round((x.float() / s).clamp(qmin, qmax)) + z
            ).to(torch.int32),
            "float_codes": lambda x, s, z, qmin, qmax: codes(x, s, z, qmin, qmax).float(),
        },
        catches=(3, 4, 5, 8),
        minutes=6,
    ),
    "dequantize-uint8": Function(
        values,
        ((torch.tensor([0, 3, 5, 200], dtype=torch.uint8), 0.5, 5),),
        st.tuples(
            st.lists(st.integers(0, 255), min_size=1, max_size=6).map(
                lambda numbers: torch.tensor(numbers, dtype=torch.uint8)
            ),
            st.sampled_from([0.25, 0.5, 2.0]),
            st.integers(0, 255),
        ),
        {
            "wrapped": lambda q, s, z: s * (q - z).float(),
            "as_int8": lambda q, s, z: s * (q.to(torch.int8).float() - z),
            "added": lambda q, s, z: values(q, s, -z),
            "no_zero_point": lambda q, s, z: values(q, s, 0),
            "outside": lambda q, s, z: s * q.float() - z,
        },
        catches=(3,),
        minutes=4,
    ),
    "gradient-mask": Function(
        passes,
        ((ENDS, 1.0, 0, -4, 3), (ENDS, 1.0, 2, -8, 5), (ENDS, 0.5, -4, -8, 7)),
        drawn(torch.float32),
        {
            "everywhere": lambda x, s, z, qmin, qmax: torch.ones_like(x, dtype=torch.bool),
            "by_range": by_range,
            "no_zero_point": lambda x, s, z, qmin, qmax: passes(x, s, 0, qmin, qmax),
            "opposite": lambda *a: ~passes(*a),
            "after_clamp": lambda x, s, z, qmin, qmax: (
                ((torch.round(x / s) + z).clamp(qmin, qmax) > qmin)
                & ((torch.round(x / s) + z).clamp(qmin, qmax) < qmax)
            ),
        },
        catches=(11,),
        minutes=6,
        difficulty=2,
    ),
    "scale-gradient": Function(
        scale_slope,
        ((torch.tensor([0.6, -3.0, 9.0]), 1.0, -2, 3), (torch.tensor([0.3]), 0.5, -4, 3)),
        st.tuples(SOME.map(torch.tensor), STEPS, st.sampled_from([(-4, 3), (-8, 7)])).map(
            lambda parts: (*parts[:2], *parts[2])
        ),
        {
            "only_code": lambda x, s, qmin, qmax: torch.round(x / s).clamp(qmin, qmax),
            "nothing_outside": lambda x, s, qmin, qmax: torch.where(
                passes(x, s, 0, qmin, qmax), scale_slope(x, s, qmin, qmax), 0.0
            ),
            "opposite": lambda *a: -scale_slope(*a),
            "no_clamp": lambda x, s, qmin, qmax: torch.round(x / s) - x / s,
        },
        catches=(11,),
        minutes=8,
        difficulty=2,
    ),
    "fix-the-average": Function(
        halved,
        ((torch.tensor([[1.0, 2.0, 2.0, 3.0], [0.0, 1.0, 5.0, 6.0]]),),),
        IMAGES,
        {
            "half_up": lambda rows: torch.floor((rows[:, 0::2] + rows[:, 1::2]) / 2 + 0.5),
            "truncated": lambda rows: torch.floor((rows[:, 0::2] + rows[:, 1::2]) / 2),
            "rounded_twice": lambda rows: (
                torch.round(rows[:, 0::2] / 2) + torch.round(rows[:, 1::2] / 2)
            ),
            "unrounded": lambda rows: (rows[:, 0::2] + rows[:, 1::2]) / 2,
        },
        catches=(4,),
    ),
}
