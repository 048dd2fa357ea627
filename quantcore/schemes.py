"""The grids: which integers a quantizer may use, and a few grids that are not integers.

Chapter 2. A scheme says only which codes exist; what a code is worth is said by the
scale and the zero point (:mod:`quantcore.params`).
"""

from __future__ import annotations

from enum import Enum, unique
from operator import index
from statistics import NormalDist

import torch
from torch import Tensor

from .checks import require_bool, require_int


def rint(x: Tensor, out: Tensor | None = None) -> Tensor:
    """Round to the nearest integer, halves to the even one: the rounding rule of every code.

    x: float tensor; returns one like it. Source: IEEE 754, roundTiesToEven.

    >>> rint(torch.tensor([0.5, 1.5, 2.5, -0.6]))
    tensor([ 0.,  2.,  2., -1.])
    """
    return torch.round(x, out=out)


def unclamped_codes(x: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
    """rint(x / s) + z, as floats: the codes, if the grid had no ends."""
    return rint(x / scale) + zero_point


def storage_dtype(qmin: int, qmax: int) -> torch.dtype:
    """The first of uint8, int8 and int16 that holds every code in [qmin, qmax].

    Raises ValueError where none of them does.

    >>> storage_dtype(0, 15), storage_dtype(-8, 7)
    (torch.uint8, torch.int8)
    """
    for dtype in (torch.uint8, torch.int8, torch.int16):
        info = torch.iinfo(dtype)
        if info.min <= qmin and qmax <= info.max:
            return dtype
    raise ValueError(f"qmin, qmax: codes must fit in int16, found [{qmin}, {qmax}]; use fewer bits")


@unique  # two names for one grid would be one member
class QuantizationScheme(Enum):
    """A set of consecutive integers, from qmin to qmax: (qmin, qmax) is the member's value.

    With b bits there are 2^b codes: -2^(b-1) … 2^(b-1) - 1 signed, 0 … 2^b - 1 unsigned.
    Two's complement has one more negative code than positive ones, because 0 takes one
    of the codes without a sign bit. TERNARY has three codes, which need 2 bits.

    >>> s = QuantizationScheme.INT4
    >>> s.qmin, s.qmax, s.levels, s.bit_width, s.signed, s.dtype
    (-8, 7, 16, 4, True, torch.int8)
    """

    INT2 = (-2, 1)
    INT3 = (-4, 3)
    INT4 = (-8, 7)
    INT5 = (-16, 15)
    INT6 = (-32, 31)
    INT7 = (-64, 63)
    INT8 = (-128, 127)
    INT16 = (-32768, 32767)
    UINT2 = (0, 3)
    UINT3 = (0, 7)
    UINT4 = (0, 15)
    UINT5 = (0, 31)
    UINT6 = (0, 63)
    UINT7 = (0, 127)
    UINT8 = (0, 255)
    TERNARY = (-1, 1)

    @property
    def qmin(self) -> int:
        """The least code."""
        return self.value[0]

    @property
    def qmax(self) -> int:
        """The greatest code."""
        return self.value[1]

    @property
    def signed(self) -> bool:
        """Whether there are negative codes."""
        return self.qmin < 0

    @property
    def levels(self) -> int:
        """How many codes there are: qmax - qmin + 1, which is 2^b but for TERNARY."""
        return self.qmax - self.qmin + 1

    @property
    def bit_width(self) -> int:
        """Bits that one code takes: b = ⌈log2(levels)⌉."""
        return (self.levels - 1).bit_length()

    @property
    def dtype(self) -> torch.dtype:
        """The torch dtype that stores one code (int4 too takes a byte, until it is packed)."""
        return storage_dtype(self.qmin, self.qmax)

    @classmethod
    def from_bits(cls, bits: int, signed: bool = True) -> QuantizationScheme:
        """The member with 2^bits codes of that signedness.

        Raises TypeError if `bits` is no integer or `signed` no bool, ValueError if there is no
        such member.

        >>> QuantizationScheme.from_bits(4, signed=False).name
        'UINT4'
        """
        require_bool(signed, "signed")
        try:
            b = index(bits)
        except TypeError:
            raise TypeError(f"bits: expected an int, found {bits!r}") from None
        whole = {s.bit_width: s for s in cls if s.signed == signed and s.levels == 2**s.bit_width}
        if b not in whole:
            raise ValueError(
                f"bits: no {'signed' if signed else 'unsigned'} scheme has {bits} bits; "
                f"use one of {list(whole)}"
            )
        return whole[b]


def float_levels(exponent_bits: int, mantissa_bits: int) -> Tensor:
    """Every value of a small float whose codes are all finite, ascending, float64.

    value = (-1)^sign · 2^(e - bias) · (1 + m/2^M), or 2^(1 - bias) · m/2^M where e = 0,
    with bias = 2^(E-1) - 1. Source: OCP Microscaling Formats 1.0, 5.3.
    E2M1 (FP4) uses every code. For FP8 take torch's own dtypes, which know its NaN codes.
    Raises TypeError for what is no int, ValueError unless 1 ≤ E ≤ 8 and 0 ≤ M ≤ 10.

    >>> float_levels(2, 1).tolist()[7:]
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
    """
    require_int(exponent_bits, "exponent_bits")
    require_int(mantissa_bits, "mantissa_bits")
    if not (1 <= exponent_bits <= 8 and 0 <= mantissa_bits <= 10):
        raise ValueError(
            "exponent_bits, mantissa_bits: expected 1 to 8 and 0 to 10, "
            f"found {exponent_bits} and {mantissa_bits}"
        )
    bias = 2 ** (exponent_bits - 1) - 1
    e = torch.arange(2**exponent_bits, dtype=torch.float64)[:, None]
    m = torch.arange(2**mantissa_bits, dtype=torch.float64) / 2**mantissa_bits
    positive = torch.where(e == 0, 2.0 ** (1 - bias) * m, 2.0 ** (e - bias) * (1 + m)).flatten()
    return torch.cat([-positive[1:].flip(0), positive])


def nf4_levels() -> Tensor:
    """The 16 levels of NF4: normal quantiles, scaled to [-1, 1], with an exact 0. float64.

    Seven levels for x < 0, an exact 0, and eight for x > 0, each the normal quantile at evenly
    spaced probabilities between ½ and 1 - δ, δ = ½(1/32 + 1/30).
    Source of the values: Dettmers et al. 2023 (QLoRA), appendix E; of this construction:
    `create_normal_map` of the library bitsandbytes. The paper describes it in words.

    >>> levels = nf4_levels()
    >>> len(levels), levels[0].item(), levels[7].item(), levels[-1].item()
    (16, -1.0, 0.0, 1.0)
    """
    outermost = 1 - (1 / 32 + 1 / 30) / 2

    def quantiles(count: int) -> list[float]:
        p = torch.linspace(0.5, outermost, count + 1, dtype=torch.float64)[1:]
        return [NormalDist().inv_cdf(v) for v in p.tolist()]

    levels = [-v for v in reversed(quantiles(7))] + [0.0] + quantiles(8)
    return torch.tensor(levels, dtype=torch.float64) / levels[-1]


FLOAT8 = {"FP8 E4M3": torch.float8_e4m3fn, "FP8 E5M2": torch.float8_e5m2}
FORMATS = (*QuantizationScheme.__members__, "FP4 E2M1", "NF4", *FLOAT8)


def format_levels(name: str) -> Tensor:
    """The finite levels of a number format, ascending, float64, not scaled.

    name: one of FORMATS, which are the schemes' names, "FP4 E2M1", "NF4" and the two of FP8.
    Raises ValueError for another.

    >>> format_levels("INT2").tolist()
    [-2.0, -1.0, 0.0, 1.0]
    """
    if name not in FORMATS:
        raise ValueError(f"name: {name!r} is not known; use one of {list(FORMATS)}")
    if name in FLOAT8:
        every = torch.arange(256, dtype=torch.int32).to(torch.uint8).view(FLOAT8[name]).double()
        return every[every.isfinite()].unique()
    if name == "NF4":
        return nf4_levels()
    if name == "FP4 E2M1":
        return float_levels(2, 1)
    scheme = QuantizationScheme[name]
    return torch.arange(scheme.qmin, scheme.qmax + 1, dtype=torch.float64)


def round_to_levels(x: Tensor, levels: Tensor) -> Tensor:
    """Each value's nearest level, in the levels' dtype and x's shape. levels: ascending.

    >>> round_to_levels(torch.tensor([0.4, 9.0]), torch.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    thresholds = (levels[1:] + levels[:-1]) / 2
    return levels[torch.bucketize(x.double(), thresholds.double())]
