"""Quantize, dequantize, and both at once with a gradient.

Chapter 4. The semantics are those of ONNX QuantizeLinear and DequantizeLinear:

    q = clamp(rint(x / s) + z, qmin, qmax),   x̂ = s (q - z)

rint rounds halves to the even neighbour; z is added after rounding; / is a true division.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import pieces
from .checks import (
    compute_dtype,
    is_same_view,
    require_codes,
    require_float_tensor,
    require_out,
)
from .params import QuantizationParams
from .schemes import QuantizationScheme, unclamped_codes


class UniformQuantizer:
    """The quantizer that belongs to a set of parameters.

    Raises TypeError if `params` is not a QuantizationParams.

    >>> params = QuantizationParams(torch.tensor(1.0), torch.tensor(1), 0, 255)
    >>> quantizer = UniformQuantizer(params)
    >>> quantizer.quantize(torch.tensor([0.5, 1.5, 300.0]))
    tensor([  1,   3, 255], dtype=torch.uint8)
    >>> quantizer(torch.tensor([0.5, 1.5, 300.0]))
    tensor([  0.,   2., 254.])
    """

    def __init__(self, params: QuantizationParams) -> None:
        if not isinstance(params, QuantizationParams):
            raise TypeError(
                f"params: expected QuantizationParams, found {type(params).__name__}; "
                "use QuantizationParams.from_tensor"
            )
        self.params = params

    def __repr__(self) -> str:
        return f"UniformQuantizer({self.params})"

    def quantize(self, x: Tensor) -> Tensor:
        """Map real values to codes: clamp(rint(x/s) + z, qmin, qmax).

        x: float tensor that fits the parameters' layout; ±inf saturates.
        Returns codes of x's shape, in the smallest integer dtype that holds them.
        Raises TypeError if `x` is no float tensor, ValueError if it is empty, holds NaN, or
        does not fit the layout.
        """
        p = self.params
        scale, zero_point = self.layout(x)
        codes = torch.empty_like(x, dtype=p.dtype)
        values = x.detach().to(scale.dtype)
        if pieces.quantize(values, scale, zero_point, p.qmin, p.qmax, codes):
            raise _nan_error(x)
        return codes

    def dequantize(self, q: Tensor) -> Tensor:
        """Map codes to real values: s (q - z), in the scale's dtype and q's shape.

        Raises TypeError if `q` is no integer tensor, ValueError for a code off the grid.
        """
        p = self.params
        require_codes(q, p.qmin, p.qmax)
        scale, zero_point = self._spread(q, p.scale), self._spread(q, p.zero_point)
        x = (q.to(scale.dtype) - zero_point).mul_(scale)
        return self._saturate(x, scale.dtype)

    def forward(self, x: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Quantize and dequantize at once ("fake-quantize").

        This is dequantize(quantize(x)), computed in float32 (float64 for a float64 x) and
        rounded to x's dtype once.

        x    float tensor; the result has its shape and dtype
        out  a tensor like x that receives the result, for large tensors without gradient: x
             itself, or one that shares no memory with it. Where the call raises, x is unchanged

        Gradient (a straight-through estimator): the derivative of rint is taken as 1 and that of
        clamp is kept, so it is 1 where the unclamped code lies in [qmin, qmax], else 0, as in
        torch's fake-quantize. Bengio et al. 2013 have no such mask; that of Krishnamoorthi 2018,
        section 2.4, is half a step narrower at each end.
        Raises as `quantize` does; TypeError if `out` is no tensor, ValueError if it is not like
        x, shares memory with it, or a gradient is due.
        torch.func's grad works on it; vmap and jvp do not.
        """
        if isinstance(x, Tensor) and x.requires_grad and torch.is_grad_enabled():
            if out is not None:
                raise ValueError("out: x requires a gradient; use torch.no_grad(), or no out")
            return _StraightThrough.apply(x, self)
        return self._fake_quantize(x, out)

    __call__ = forward

    def _fake_quantize(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        p = self.params
        scale, zero_point = self.layout(x)
        buffer = None
        if out is not None:
            require_out(out, x)
            buffer = out if out.dtype == scale.dtype else None
            if is_same_view(out, x) and pieces.has_nan(x):  # looked for before x is written over
                raise _nan_error(x)
        if buffer is None:
            buffer = torch.empty_like(x, dtype=scale.dtype)
        # clamp(r + z, qmin, qmax) - z = clamp(r, qmin - z, qmax - z): one pass instead of three.
        # Clamping to plain numbers is far faster than to tensors.
        least, greatest = (int(v) for v in p.zero_point.aminmax())
        z = least if least == greatest else zero_point
        if pieces.fake_quantize(x.to(scale.dtype), scale, p.qmin - z, p.qmax - z, buffer):
            raise _nan_error(x)
        result = self._saturate(buffer, x.dtype).to(x.dtype)
        return result if out is None or out is buffer else out.copy_(result)

    def in_range(self, x: Tensor) -> Tensor:
        """Where the unclamped code of `x` lies in [qmin, qmax]: a bool tensor of x's shape."""
        scale, zero_point = self.layout(x)
        unclamped = unclamped_codes(x.to(scale.dtype), scale, zero_point)
        return (unclamped >= self.params.qmin) & (unclamped <= self.params.qmax)

    def layout(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and zero point of each value of x, shaped to broadcast against it."""
        require_float_tensor(x)
        dtype = compute_dtype(x)
        info = torch.finfo(dtype)  # a float64 scale may be too small or too large for float32
        scale = self.params.scale.to(dtype).clamp(info.tiny * info.eps, info.max)
        zero_point = self.params.zero_point.to(torch.int32)  # wide enough to subtract from qmin
        return self._spread(x, scale), self._spread(x, zero_point)

    def _spread(self, x: Tensor, t: Tensor) -> Tensor:
        """Broadcast one entry per tensor, channel or group against the values of x."""
        p = self.params
        if not p.fits(x.shape):
            layout = f"groups of {p.group_size} in shape {tuple(t.shape)}"
            if p.axis is not None:
                layout = f"{len(t)} channels on axis {p.axis}"
            raise ValueError(f"x: the parameters have {layout}, found shape {tuple(x.shape)}")
        if p.axis is not None:
            return t.view([-1 if d == p.axis % x.dim() else 1 for d in range(x.dim())])
        if p.group_size is not None:
            n = x.shape[-1]
            return t.repeat_interleave(min(p.group_size, n), dim=-1)[..., :n]
        return t

    def _saturate(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Keep s (q - z) finite: the outermost code may stand for a value beyond the dtype."""
        p, limit = self.params, torch.finfo(dtype).max
        if p.scale.max().item() * (p.qmax - p.qmin) < limit:
            return x
        return x.clamp_(-limit, limit)


def fit(x: Tensor, bits: int, symmetric: bool = True, **options: Any) -> UniformQuantizer:
    """The signed quantizer of `bits` bits whose parameters are found from x.

    x        float tensor
    options  what `QuantizationParams.from_tensor` takes besides: axis, group_size, method
    Raises what `QuantizationScheme.from_bits` and `from_tensor` raise.

    >>> fit(torch.tensor([-1.5, 0.5]), bits=2)(torch.tensor([-1.5, 0.5]))
    tensor([-1.5000,  0.0000])
    """
    scheme = QuantizationScheme.from_bits(bits)
    return UniformQuantizer(QuantizationParams.from_tensor(x, scheme, symmetric, **options))


class _StraightThrough(torch.autograd.Function):
    """Fake-quantize forward; backward, the gradient passes where nothing was clamped."""

    @staticmethod
    def forward(x: Tensor, quantizer: UniformQuantizer) -> Tensor:
        return quantizer._fake_quantize(x)

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: Tensor) -> None:
        x, quantizer = inputs
        ctx.save_for_backward(quantizer.in_range(x))

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (in_range,) = ctx.saved_tensors
        return torch.where(in_range, grad, 0), None


def _nan_error(x: Tensor) -> ValueError:
    count = x.isnan().sum().item()
    return ValueError(f"x: found {count} NaN of {x.numel()} values; NaN has no code, remove them")
