"""Scale and zero point, and how to find them from a tensor.

Chapter 3. The ends of the range meet the ends of the grid:

    min = s (qmin - z),  max = s (qmax - z)   ⇒   s = (max - min) / (qmax - qmin)

The range is always widened to contain 0, so that 0.0 has a code of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .calibration import METHODS, Grid, calibrate, scale_and_zero_point
from .checks import (
    compute_dtype,
    require_float_tensor,
    require_int,
    require_integer_tensor,
    require_layout,
    require_number,
    scale_shape,
)
from .schemes import QuantizationScheme, storage_dtype

# The options of `from_tensor` for each layout that the course compares; channels are the rows,
# and a group is 16 consecutive values of one.
LAYOUTS: dict[str, dict[str, int]] = {
    "per tensor": {},
    "per channel": {"axis": 0},
    "per group": {"group_size": 16},
}


@dataclass(frozen=True, eq=False)
class QuantizationParams:
    """What turns a real value into a code and back: scale, zero point, and the grid's ends.

    scale       float32 or float64 tensor, > 0; shape () per tensor, (C,) per channel,
                (…, groups) per group
    zero_point  integer tensor of the same shape, in [qmin, qmax]: the code of 0.0
    qmin, qmax  the least and the greatest code
    axis        the channels' axis, or None
    group_size  how many consecutive values of the last axis share a scale, or None

    The tensors are copied. Raises TypeError or ValueError, naming the argument, when it is made
    with anything else: a scale in half precision, or one that requires a gradient, too.

    >>> p = QuantizationParams(torch.tensor(0.5), torch.tensor(3), 0, 15)
    >>> p.dtype
    torch.uint8
    """

    scale: Tensor
    zero_point: Tensor
    qmin: int
    qmax: int
    axis: int | None = None
    group_size: int | None = None

    def __post_init__(self) -> None:
        require_float_tensor(self.scale, "scale")
        require_integer_tensor(self.zero_point, "zero_point", "round it")
        if self.scale.dtype != compute_dtype(self.scale):
            raise TypeError(
                f"scale: expected float32 or float64, found {self.scale.dtype}; use scale.float()"
            )
        if self.scale.requires_grad:
            raise ValueError("scale: found one that requires a gradient; use scale.detach()")
        # Copies: what happens to the caller's tensors later does not reach these.
        object.__setattr__(self, "scale", self.scale.clone())
        object.__setattr__(self, "zero_point", self.zero_point.clone())
        z = self.zero_point.to(torch.int64)  # an unsigned one would compare wrongly with qmin < 0
        if z.shape != self.scale.shape:
            raise ValueError(
                f"zero_point: its shape {tuple(z.shape)} differs from the scale's "
                f"{tuple(self.scale.shape)}"
            )
        require_int(self.qmin, "qmin")
        require_int(self.qmax, "qmax")
        if self.qmin >= self.qmax:
            raise ValueError(f"qmin, qmax: expected qmin < qmax, found {self.qmin}, {self.qmax}")
        storage_dtype(self.qmin, self.qmax)
        if not (self.scale.isfinite() & (self.scale > 0)).all():
            raise ValueError(f"scale: expected finite values above 0, found {self.scale}")
        if not ((z >= self.qmin) & (z <= self.qmax)).all():
            raise ValueError(f"zero_point: expected codes in [{self.qmin}, {self.qmax}], found {z}")
        require_layout(self.axis, self.group_size)
        self._require_dimensions(self.scale.dim())

    def _require_dimensions(self, dims: int) -> None:
        """Refuse a scale with more or fewer axes than `scale_shape` gives it."""
        per_tensor = self.axis is None and self.group_size is None
        if per_tensor and dims != 0:
            raise ValueError(
                f"scale: shape {tuple(self.scale.shape)} without axis or group_size; "
                "give the axis, or a scale of shape ()"
            )
        if (self.axis is not None and dims != 1) or (self.group_size is not None and dims < 1):
            raise ValueError(f"scale: its shape {tuple(self.scale.shape)} does not fit its layout")

    @property
    def dtype(self) -> torch.dtype:
        """The torch dtype of a code."""
        return storage_dtype(self.qmin, self.qmax)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of this shape has one scale here for each of its channels or groups."""
        try:
            return self.scale.shape == scale_shape(shape, self.axis, self.group_size)
        except ValueError:  # it has no such axis
            return False

    @classmethod
    def from_tensor(
        cls,
        x: Tensor,
        scheme: QuantizationScheme,
        symmetric: bool = True,
        *,
        axis: int | None = None,
        group_size: int | None = None,
        full_range: bool = False,
        method: str = "minmax",
        percentile: float = 99.9,
    ) -> QuantizationParams:
        """Choose a range for `x`, and from it the scale and the zero point.

        x           float tensor of any shape; its gradient is not followed
        method      one of calibration.METHODS.
                    "minmax": the whole range. "percentile": the range that `percentile`
                    percent of the values do not exceed (nor fall below, when asymmetric).
                    "mse", "entropy": of 100 evenly shrunk ranges the one with the least mean
                    squared error, or with the least Kullback–Leibler divergence.
                    "aciq": the range that is best for a Gaussian with the mean and the
                    variance of x
        percentile  in (50, 100]

        Raises TypeError for what is no float tensor or no scheme, and for an option of the wrong
        type; ValueError for an empty tensor, NaN, infinities, or an option out of range.

        >>> x = torch.tensor([-1.0, 0.0, 2.0])
        >>> p = QuantizationParams.from_tensor(x, QuantizationScheme.UINT8, symmetric=False)
        >>> round(p.scale.item() * 255, 5), p.zero_point.item()
        (3.0, 85)
        """
        require_float_tensor(x)
        grid = Grid(scheme, symmetric, full_range)
        if not isinstance(method, str) or method not in METHODS:
            raise ValueError(f"method: {method!r} is not known; use one of {list(METHODS)}")
        require_number(percentile, "percentile")
        if not 50 < percentile <= 100:
            raise ValueError(f"percentile: expected a value in (50, 100], found {percentile}")
        shape = scale_shape(x.shape, axis, group_size)
        x = x.detach().to(compute_dtype(x))

        if axis is not None:
            parts = [x.movedim(axis, 0).reshape(x.shape[axis], -1)]
        elif group_size is not None:
            parts = list(x.split(min(group_size, x.shape[-1]), dim=-1))
        else:
            parts = [x.flatten()]
        ranges = [calibrate(part, method, percentile, grid) for part in parts]
        lo, hi = (torch.stack(ends, -1).view(shape) for ends in zip(*ranges, strict=True))
        scale, zero_point = scale_and_zero_point(lo, hi, grid)
        return cls(scale, zero_point, scheme.qmin, scheme.qmax, axis, group_size)
