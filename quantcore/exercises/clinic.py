"""The clinic of chapter 05: eight quantized tensors in a random order that stays the same.

Each fault of the generator's list comes with its tensor and its quantizer; the label is what a
prediction takes for right. Two tensors are healthy, so that none is known by elimination.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from ..params import QuantizationParams
from ..quantizer import UniformQuantizer
from ..samples import distribution
from ..schemes import QuantizationScheme

INT4, UINT4 = QuantizationScheme.INT4, QuantizationScheme.UINT4
FAULTS = ("healthy", "clipped", "wasted", "zero", "outlier", "outlier_zero", "wrapped")
SEED = 294  # so that the four in class, A to D, differ from each other
SPIKE = 40.0  # the outlier, in standard deviations


@dataclass(frozen=True)
class Case:
    """A tensor, the quantizer it was given, and what is wrong with the two: one of FAULTS."""

    fault: str
    x: Tensor
    quantizer: UniformQuantizer


class HalfStep(UniformQuantizer):
    """Its zero point is not an integer: half a step beside, so that 0 has no code."""

    def forward(self, x, *, out=None):
        """Quantize and dequantize, with the fault."""
        half = self.params.scale / 2
        return torch.add(super().forward(x - half, out=out), half, out=out)

    __call__ = forward


class NoClamp(UniformQuantizer):
    """It forgot to clamp: a code that does not fit comes back at the other end."""

    def forward(self, x, *, out=None):
        """Quantize and dequantize, with the fault."""
        p = self.params
        levels = p.qmax - p.qmin + 1
        codes = torch.round(x / p.scale) + p.zero_point
        wrapped = torch.remainder(codes - p.qmin, levels) + p.qmin
        return torch.mul(wrapped - p.zero_point, p.scale, out=out)

    __call__ = forward


def with_step(scale: float) -> QuantizationParams:
    """Symmetric INT4 with that step."""
    return QuantizationParams(torch.tensor(scale), torch.tensor(0), INT4.qmin, INT4.qmax)


def minmax(x: Tensor, scheme: QuantizationScheme = INT4) -> QuantizationParams:
    """What the whole range asks for: symmetric where the codes are signed."""
    return QuantizationParams.from_tensor(x, scheme, symmetric=scheme.signed)


@cache
def cases() -> dict[str, Case]:
    """The eight cases, A to H, in the order that SEED draws."""
    normal, relu = distribution("normal"), distribution("relu")
    spiked, spiked_relu = (torch.cat([torch.tensor([SPIKE]), x[1:]]) for x in (normal, relu))
    made = [
        Case("healthy", normal, UniformQuantizer(minmax(normal))),
        Case("healthy", relu, UniformQuantizer(minmax(relu, UINT4))),
        Case("clipped", normal, UniformQuantizer(with_step(0.15))),
        Case("wasted", normal, UniformQuantizer(with_step(1.8))),
        Case("zero", relu, HalfStep(minmax(relu, UINT4))),
        Case("outlier", spiked, UniformQuantizer(minmax(spiked))),
        Case("outlier_zero", spiked_relu, HalfStep(minmax(spiked_relu, UINT4))),
        Case("wrapped", normal, NoClamp(with_step(0.3))),
    ]
    drawn = torch.randperm(len(made), generator=torch.Generator().manual_seed(SEED))
    return {name: made[i] for name, i in zip("ABCDEFGH", drawn.tolist(), strict=True)}
