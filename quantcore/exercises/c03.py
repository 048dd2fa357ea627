"""Predictions and exercises of chapter 03: scale, zero point, range, layout."""

from __future__ import annotations

from functools import cache
from math import log10

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from ..information import sqnr_db
from ..params import QuantizationParams
from ..quantizer import UniformQuantizer
from ..samples import distribution
from ..schemes import QuantizationScheme
from .answers import Answers, choice, number, order
from .kinds import Function, Settings

INT8, UINT8 = QuantizationScheme.INT8, QuantizationScheme.UINT8

# ---- predictions ----------------------------------------------------------------------------


def zero_point_sign() -> Answers:
    """The zero point for data in [-1, 3] and INT8."""
    ends = torch.tensor([-1.0, 3.0])
    params = QuantizationParams.from_tensor(ends, INT8, symmetric=False)
    z, s = params.zero_point.item(), 4 / 255
    return number(z, added=-z, unrounded=INT8.qmin + 1 / s, symmetric=0)


def unclamped_zero_point() -> Answers:
    """The zero point for data in [2, 3] and INT8 before it is clamped; the range is not widened."""
    s, low, high = 1 / 255, 2, 3
    z = round(INT8.qmin - low / s)
    widened = QuantizationParams.from_tensor(torch.tensor([2.0, 3.0]), INT8, symmetric=False)
    return number(
        z,
        clamped=widened.zero_point.item(),
        added=round(INT8.qmin + low / s),
        no_qmin=round(-low / s),
        other_end=round(INT8.qmin - high / s),
    )


def range_without_zero() -> Answers:
    """What 2, 2.5 and 3 come back as, where the range is not widened and z is clamped."""
    x, s = torch.tensor([2.0, 2.5, 3.0]), 1 / 255
    z = torch.round(INT8.qmin - x.min() / s).clamp(INT8.qmin, INT8.qmax)
    q = (torch.round(x / s) + z).clamp(INT8.qmin, INT8.qmax)

    def text(values: Tensor) -> str:
        return ", ".join(f"{v:g}" for v in values.tolist())

    return choice(
        text(s * (q - z)),
        unharmed=text(x),
        to_zero=text(0 * x),
        to_the_end=text(x.max() + 0 * x),
    )


def zero_point_bits() -> Answers:
    """Bits per weight: 4-bit codes, for each 64 a float16 scale and a 4-bit zero point."""
    return number(
        bits_per_weight(4, 64, 16, 4),
        tolerance=0.005,
        no_zero_point=bits_per_weight(4, 64, 16, 0),
        wide_zero_point=bits_per_weight(4, 64, 16, 16),
        float32_scale=bits_per_weight(4, 64, 32, 4),
        no_overhead=4,
        bytes_for_bits=bits_per_weight(4, 64, 2, 0.5),
    )


def transposed_axis() -> Answers:
    """The axis of the output channels in the weights of a transposed convolution."""
    shape = tuple(nn.ConvTranspose2d(3, 5, 2).weight.shape)
    return choice(str(shape.index(5)), always_first="0", kernel="2", last="3")


def relu_loss() -> Answers:
    """How many dB signed symmetric codes lose on data without negative values (against UINT8)."""
    x = distribution("uniform").abs()
    signed, unsigned = (
        sqnr_db(x, UniformQuantizer(QuantizationParams.from_tensor(x, scheme))(x))
        for scheme in (INT8, UINT8)
    )
    return number(unsigned - signed, 0.5, nothing=0, ten_log=10 * log10(2), two_bits=20 * log10(4))


def outlier_methods() -> Answers:
    """Three ways to choose a range, for data with far outliers: from the least SQNR up."""
    methods = "minmax", "percentile", "mse"
    found = {method: range_sqnr(outliers(10_000), method) for method in methods}
    right = sorted(found, key=found.__getitem__)
    return order(*right, safest=("percentile", "mse", "minmax"), backwards=right[::-1])


PREDICTIONS = {
    "zero-point-sign": zero_point_sign,
    "unclamped-zero-point": unclamped_zero_point,
    "range-without-zero": range_without_zero,
    "zero-point-bits": zero_point_bits,
    "transposed-axis": transposed_axis,
    "relu-loss": relu_loss,
    "outlier-methods": outlier_methods,
}

# ---- exercises ------------------------------------------------------------------------------


def symmetric_scale(x: Tensor, bits: int) -> float:
    """The largest magnitude over the largest code: max|x| / (2^(b-1) - 1)."""
    return x.abs().max().item() / (2 ** (bits - 1) - 1)


def range_with_zero(x: Tensor) -> tuple[float, float]:
    """The least range that holds the data and 0."""
    return min(x.min().item(), 0.0), max(x.max().item(), 0.0)


def zero_point(lo: float, hi: float, qmin: int, qmax: int) -> int:
    """The code of 0 for data from lo to hi, which may lie on one side of 0."""
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    return round(qmin - lo * (qmax - qmin) / (hi - lo))


def zero_point_of(lo: float, hi: float, qmin: int, qmax: int) -> float:
    """The same without widening, rounding or clamping."""
    return qmin - lo * (qmax - qmin) / (hi - lo)


def widened(lo: float, hi: float) -> tuple[float, float]:
    """The range with 0 in it."""
    return min(lo, 0.0), max(hi, 0.0)


def bits_per_weight(bits: float, group: float, scale_bits: float, zero_bits: float) -> float:
    """Bits that a weight takes, with its share of the group's scale and zero point."""
    return bits + (scale_bits + zero_bits) / group


def channel_axis(layer: nn.Module) -> int:
    """The axis of the output channels in the layer's weights."""
    transposed = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
    return 1 if isinstance(layer, transposed) else 0


@cache
def outliers(n: int = 1024) -> Tensor:
    """Normal data, of which every 1000th value is 20 times as large."""
    return distribution("outliers", n)


def range_sqnr(x: Tensor, method: str, bits: int = 4, group_size: int | None = None) -> float:
    """SQNR in dB in the ranges that the method chooses; symmetric."""
    scheme = QuantizationScheme.from_bits(bits)
    params = QuantizationParams.from_tensor(x, scheme, method=method, group_size=group_size)
    return sqnr_db(x, UniformQuantizer(params)(x))


def measure(settings: dict) -> dict[str, float]:
    """SQNR in dB, and bits per value with a float16 scale for each group."""
    sqnr = range_sqnr(outliers(), **settings)
    group_size = settings["group_size"] or outliers().numel()
    return {"SQNR": sqnr, "bits": bits_per_weight(settings["bits"], group_size, 16, 0)}


def positive(pair: tuple[Tensor, int]) -> bool:
    """Whether there is something to scale."""
    return bool(pair[0].abs().max() > 0)


def no_tie(arguments: tuple) -> bool:
    """Whether z is far enough from a half for every way of computing it to round it alike."""
    lo, hi, qmin, qmax = arguments
    lo, hi = widened(lo, hi)
    return hi > lo and abs(zero_point_of(lo, hi, qmin, qmax) % 1 - 0.5) > 1e-3


SIXTEENTHS = st.integers(-64, 64).map(lambda n: n / 16)
VALUES = st.lists(SIXTEENTHS, min_size=1, max_size=6).map(torch.tensor)
ENDS = st.tuples(SIXTEENTHS, SIXTEENTHS).map(sorted)
GRIDS = st.sampled_from([(-128, 127), (0, 255), (-8, 7), (0, 15)])
LAYERS = (
    nn.Conv2d(3, 5, 2),
    nn.ConvTranspose2d(3, 5, 2),
    nn.Linear(3, 5),
    nn.Conv1d(4, 4, 2),
    nn.ConvTranspose2d(4, 4, 2),
    nn.ConvTranspose1d(6, 2, 3),
)

EXERCISES = {
    "symmetric-scale": Function(
        symmetric_scale,
        ((torch.tensor([-1.0, 0.5]), 8), (torch.tensor([0.25, 2.0]), 4)),
        st.tuples(VALUES, st.integers(2, 8)).filter(positive),
        {
            "full_range": lambda x, bits: x.abs().max().item() / 2 ** (bits - 1),
            "unsigned": lambda x, bits: x.abs().max().item() / (2**bits - 1),
            "no_abs": lambda x, bits: x.max().item() / (2 ** (bits - 1) - 1),
            "span": lambda x, bits: (x.max() - x.min()).item() / (2**bits - 1),
        },
        catches=(2,),
    ),
    "range-with-zero": Function(
        range_with_zero,
        ((torch.tensor([-1.0, 3.0]),), (torch.tensor([2.0, 2.5, 3.0]),), (torch.tensor([-3.0]),)),
        st.tuples(VALUES),
        {
            "not_widened": lambda x: (x.min().item(), x.max().item()),
            "from_zero": lambda x: (0.0, x.max().item()),
            "mirrored": lambda x: (-x.abs().max().item(), x.abs().max().item()),
            "only_below": lambda x: (min(x.min().item(), 0.0), x.max().item()),
        },
        catches=(1,),
        minutes=4,
    ),
    "zero-point": Function(
        zero_point,
        (
            (-1.0, 3.0, -128, 127),
            (-1.0, 2.0, 0, 255),
            (2.0, 3.0, -128, 127),
            (5.0, 5.0, -128, 127),
        ),
        st.tuples(ENDS, GRIDS).map(lambda drawn: (*drawn[0], *drawn[1])).filter(no_tie),
        {
            "added": lambda lo, hi, qmin, qmax: round(
                qmin
                + widened(lo, hi)[0] * (qmax - qmin) / (widened(lo, hi)[1] - widened(lo, hi)[0])
            ),
            "unrounded": lambda lo, hi, qmin, qmax: zero_point_of(*widened(lo, hi), qmin, qmax),
            "no_qmin": lambda lo, hi, qmin, qmax: zero_point(lo, hi, qmin, qmax) - qmin,
            "not_widened": lambda lo, hi, qmin, qmax: round(zero_point_of(lo, hi, qmin, qmax)),
            "clamped": lambda lo, hi, qmin, qmax: min(
                max(round(zero_point_of(lo, hi, qmin, qmax)), qmin), qmax
            ),
        },
        catches=(1, 3),
        minutes=8,
        difficulty=2,
    ),
    "choose-range": Settings(
        good={"bits": 4, "group_size": 32, "method": "mse"},
        measure=measure,
        least={"SQNR": 18},
        most={"bits": 4.5},
        wrong={
            "more_bits": {"bits": 8, "group_size": None, "method": "mse"},
            "minmax": {"bits": 4, "group_size": None, "method": "minmax"},
            "percentile": {"bits": 4, "group_size": None, "method": "percentile"},
            "one_scale": {"bits": 4, "group_size": None, "method": "mse"},
            "small_groups": {"bits": 4, "group_size": 16, "method": "mse"},
        },
        catches=(10,),
        minutes=8,
        difficulty=2,
    ),
    "channel-axis": Function(
        channel_axis,
        tuple((layer,) for layer in LAYERS),
        st.tuples(st.sampled_from(LAYERS)),
        {
            "always_first": lambda layer: 0,
            "always_second": lambda layer: 1,
            "by_size": lambda layer: list(layer.weight.shape).index(
                getattr(layer, "out_channels", None) or layer.out_features
            ),
            "exchanged": lambda layer: 1 - channel_axis(layer),
        },
        catches=(9,),
    ),
}
