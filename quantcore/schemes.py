"""The grids: which integers a quantizer may use, and a few grids that are not integers.

Chapter 2. A scheme says only which codes exist; what a code is worth is said by the
scale and the zero point (:mod:`quantcore.params`).
"""

from __future__ import annotations

from enum import Enum
from operator import index
from statistics import NormalDist

import torch
from torch import Tensor


def storage_dtype(qmin: int, qmax: int) -> torch.dtype:
    """The smallest torch integer dtype that holds every code in [qmin, qmax].

    >>> storage_dtype(0, 15), storage_dtype(-8, 7)
    (torch.uint8, torch.int8)
    """
    for dtype in (torch.uint8, torch.int8, torch.int16):
        info = torch.iinfo(dtype)
        if info.min <= qmin and qmax <= info.max:
            return dtype
    raise ValueError(f"qmin, qmax: codes must fit in int16, found [{qmin}, {qmax}]; use fewer bits")


class QuantizationScheme(Enum):
    """A set of consecutive integers, in two's complement or unsigned.

    With b bits there are 2^b codes: -2^(b-1) … 2^(b-1) - 1 signed, 0 … 2^b - 1 unsigned.
    Two's complement has one more negative code than positive ones, because 0 takes one
    of the codes without a sign bit.

    >>> s = QuantizationScheme.INT4
    >>> s.qmin, s.qmax, s.levels, s.bit_width, s.signed, s.dtype
    (-8, 7, 16, 4, True, torch.int8)
    """

    INT2 = (2, True)
    INT3 = (3, True)
    INT4 = (4, True)
    INT5 = (5, True)
    INT6 = (6, True)
    INT7 = (7, True)
    INT8 = (8, True)
    INT16 = (16, True)
    UINT2 = (2, False)
    UINT3 = (3, False)
    UINT4 = (4, False)
    UINT5 = (5, False)
    UINT6 = (6, False)
    UINT7 = (7, False)
    UINT8 = (8, False)

    @property
    def bit_width(self) -> int:
        """b, in bits."""
        return self.value[0]

    @property
    def signed(self) -> bool:
        """Whether there are negative codes."""
        return self.value[1]

    @property
    def qmin(self) -> int:
        """The least code."""
        return -(2 ** (self.bit_width - 1)) if self.signed else 0

    @property
    def qmax(self) -> int:
        """The greatest code."""
        return self.qmin + self.levels - 1

    @property
    def levels(self) -> int:
        """How many codes there are: 2^b."""
        return 2**self.bit_width

    @property
    def dtype(self) -> torch.dtype:
        """The torch dtype that stores one code (int4 too takes a byte, until it is packed)."""
        return storage_dtype(self.qmin, self.qmax)

    @classmethod
    def from_bits(cls, bits: int, signed: bool = True) -> QuantizationScheme:
        """The member with that bit width and signedness.

        Raises TypeError if `bits` is not an integer, ValueError if there is no such member.

        >>> QuantizationScheme.from_bits(4, signed=False).name
        'UINT4'
        """
        try:
            return cls((index(bits), bool(signed)))
        except TypeError:
            raise TypeError(f"bits: expected an int, found {bits!r}") from None
        except ValueError:
            known = [s.bit_width for s in cls if s.signed == bool(signed)]
            raise ValueError(
                f"bits: no {'signed' if signed else 'unsigned'} scheme has {bits} bits; "
                f"use one of {known}"
            ) from None


def float_levels(exponent_bits: int, mantissa_bits: int) -> Tensor:
    """Every finite value of a small float without infinities, ascending, float64.

    value = (-1)^sign · 2^(e - bias) · (1 + m/2^M), or 2^(1 - bias) · m/2^M where e = 0,
    with bias = 2^(E-1) - 1. Source: OCP Microscaling Formats 1.0, 5.3.
    E2M1 (FP4) uses every code. For FP8 take torch's own dtypes, which know its NaN codes.

    >>> float_levels(2, 1).tolist()[7:]
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
    """
    if exponent_bits < 1 or mantissa_bits < 0:
        raise ValueError(
            "exponent_bits, mantissa_bits: expected at least 1 and 0, "
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
    Source: Dettmers et al. 2023 (QLoRA), section 3 and appendix E.

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
