"""Scale and zero point, and how to find them from a tensor.

Chapter 3. The ends of the range meet the ends of the grid:

    min = s (qmin - z),  max = s (qmax - z)   ⇒   s = (max - min) / (qmax - qmin)

The range is always widened to contain 0, so that 0.0 has a code of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .calibration import METHODS, calibrate, scale_and_zero_point
from .schemes import QuantizationScheme, storage_dtype


def require_float_tensor(x: Tensor, name: str = "x") -> None:
    """Refuse what is not a real floating-point tensor with at least one value."""
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{name}: expected a torch.Tensor, found {type(x).__name__}; use torch.as_tensor"
        )
    if not x.is_floating_point():
        raise TypeError(
            f"{name}: expected a real floating-point tensor, found {x.dtype}; use {name}.float()"
        )
    if x.numel() == 0:
        raise ValueError(f"{name}: the tensor is empty (shape {tuple(x.shape)}); give it a value")


def require_integer_tensor(t: Tensor, name: str, advice: str = "use quantize") -> None:
    """Refuse what is not a tensor of integers."""
    kind = t.dtype if isinstance(t, Tensor) else None
    if kind is None or kind.is_floating_point or kind.is_complex or kind == torch.bool:
        found = kind or type(t).__name__
        raise TypeError(f"{name}: expected an integer tensor, found {found}; {advice}")


def require_int(value: int, name: str) -> None:
    """Refuse what is not a plain integer."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name}: expected an int, found {value!r}")


def compute_dtype(x: Tensor) -> torch.dtype:
    """float64 for float64, float32 for everything else (half precisions included)."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def check_layout(shape: torch.Size, axis: int | None, group_size: int | None) -> None:
    """Refuse an `axis` or `group_size` that does not fit a tensor of this shape."""
    for name, value in (("axis", axis), ("group_size", group_size)):
        if value is not None:
            require_int(value, name)
    if axis is not None and group_size is not None:
        raise ValueError(f"axis, group_size: give one of them, found {axis} and {group_size}")
    if axis is not None and not -len(shape) <= axis < len(shape):
        raise ValueError(
            f"axis: {axis} is out of range for shape {tuple(shape)}; "
            f"use one of {list(range(-len(shape), len(shape)))}"
        )
    if group_size is not None and (group_size < 1 or not shape):
        raise ValueError(
            f"group_size: expected at least 1, and a tensor with an axis to cut; "
            f"found {group_size} for shape {tuple(shape)}"
        )


@dataclass(frozen=True, eq=False)
class QuantizationParams:
    """What turns a real value into a code and back: scale, zero point, and the grid's ends.

    scale       float32 or float64 tensor, > 0; shape () per tensor, (C,) per channel,
                (…, groups) per group
    zero_point  integer tensor of the same shape, in [qmin, qmax]: the code of 0.0
    qmin, qmax  the least and the greatest code
    axis        the channels' axis, or None
    group_size  how many consecutive values of the last axis share a scale, or None

    Raises TypeError or ValueError, naming the argument, when it is made with anything else.

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
        z = self.zero_point.to(torch.int64)  # an unsigned one would compare wrongly with qmin < 0
        if z.shape != self.scale.shape:
            raise ValueError(
                f"zero_point: its shape {tuple(z.shape)} differs from the scale's "
                f"{tuple(self.scale.shape)}"
            )
        for name in ("qmin", "qmax", "axis", "group_size"):
            value = getattr(self, name)
            if value is not None or name in ("qmin", "qmax"):
                require_int(value, name)
        if self.qmin >= self.qmax:
            raise ValueError(f"qmin, qmax: expected qmin < qmax, found {self.qmin}, {self.qmax}")
        storage_dtype(self.qmin, self.qmax)
        if not (self.scale.isfinite() & (self.scale > 0)).all():
            raise ValueError(f"scale: expected finite values above 0, found {self.scale}")
        if not ((z >= self.qmin) & (z <= self.qmax)).all():
            raise ValueError(f"zero_point: expected codes in [{self.qmin}, {self.qmax}], found {z}")
        if self.axis is not None and self.group_size is not None:
            raise ValueError("axis, group_size: give one of them, not both")
        if self.group_size is not None and self.group_size < 1:
            raise ValueError(f"group_size: expected at least 1, found {self.group_size}")
        dims = self.scale.dim()
        if (self.axis is not None and dims != 1) or (self.group_size is not None and dims < 1):
            raise ValueError(f"scale: its shape {tuple(self.scale.shape)} does not fit its layout")
        if self.axis is None and self.group_size is None and dims != 0:
            raise ValueError(
                f"scale: shape {tuple(self.scale.shape)} without axis or group_size; "
                "give the axis, or a scale of shape ()"
            )

    @property
    def dtype(self) -> torch.dtype:
        """The torch dtype of a code."""
        return storage_dtype(self.qmin, self.qmax)

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
        method      "minmax": the whole range. "percentile": the range that `percentile`
                    percent of the values do not exceed (nor fall below, when asymmetric).
                    "mse", "entropy": of 100 evenly shrunk ranges the one with the least mean
                    squared error, or with the least Kullback–Leibler divergence
        percentile  in (50, 100]

        Raises TypeError for what is no float tensor or no scheme; ValueError for an empty
        tensor, NaN, infinities, or an option out of range.

        >>> x = torch.tensor([-1.0, 0.0, 2.0])
        >>> p = QuantizationParams.from_tensor(x, QuantizationScheme.UINT8, symmetric=False)
        >>> round(p.scale.item() * 255, 5), p.zero_point.item()
        (3.0, 85)
        """
        require_float_tensor(x)
        if not isinstance(scheme, QuantizationScheme):
            raise TypeError(
                f"scheme: expected a QuantizationScheme, found {scheme!r}; "
                "use QuantizationScheme.INT8 or QuantizationScheme.from_bits"
            )
        if method not in METHODS:
            raise ValueError(f"method: {method!r} is not known; use one of {list(METHODS)}")
        if not 50 < percentile <= 100:
            raise ValueError(f"percentile: expected a value in (50, 100], found {percentile}")
        check_layout(x.shape, axis, group_size)
        x = x.detach().to(compute_dtype(x))

        if axis is not None:
            parts = [x.movedim(axis, 0).reshape(x.shape[axis], -1)]
        elif group_size is not None:
            parts = list(x.split(group_size, dim=-1))
        else:
            parts = [x.flatten()]
        grid = scheme, symmetric, full_range
        ranges = [calibrate(part, method, percentile, *grid) for part in parts]
        if group_size is None:
            lo, hi = ranges[0]
        else:
            lo, hi = (torch.stack(ends, -1) for ends in zip(*ranges, strict=True))
        scale, zero_point = scale_and_zero_point(lo, hi, *grid)
        return cls(scale, zero_point, scheme.qmin, scheme.qmax, axis, group_size)


def require_codes(q: Tensor, params: QuantizationParams, name: str = "q") -> None:
    """Refuse what is not a tensor of codes on the parameters' grid."""
    require_integer_tensor(q, name)
    least, greatest = (v.item() for v in q.aminmax()) if q.numel() else (params.qmin, params.qmax)
    if least < params.qmin or greatest > params.qmax:
        raise ValueError(
            f"{name}: expected codes in [{params.qmin}, {params.qmax}], "
            f"found [{least}, {greatest}]; use quantize with the same parameters"
        )
