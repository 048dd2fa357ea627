"""Quantize, dequantize, and both at once with a gradient.

Chapter 4. The semantics are those of ONNX QuantizeLinear and DequantizeLinear:

    q = clamp(rint(x / s) + z, qmin, qmax),   x̂ = s (q - z)

rint rounds halves to the even neighbour; z is added after rounding; / is a true division.
"""

from __future__ import annotations

from itertools import repeat

import torch
from torch import Tensor

from .params import QuantizationParams, compute_dtype, require_codes, require_float_tensor

PIECE = 2**19  # how many values are taken through all operations before the next ones


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
        x = x.detach() if isinstance(x, Tensor) else x
        scale, zero_point = self.layout(x)
        unclamped = torch.round(x.to(scale.dtype) / scale) + zero_point
        if unclamped.isnan().any():
            raise _nan_error(x)
        return unclamped.clamp(p.qmin, p.qmax).to(p.dtype)

    def dequantize(self, q: Tensor) -> Tensor:
        """Map codes to real values: s (q - z), in the scale's dtype and q's shape.

        Raises TypeError if `q` is no integer tensor, ValueError for a code off the grid.
        """
        p = self.params
        require_codes(q, p)
        scale, zero_point = self._spread(q, p.scale), self._spread(q, p.zero_point)
        x = (q.to(scale.dtype) - zero_point).mul_(scale)
        return self._saturate(x, scale.dtype)

    def forward(self, x: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Quantize and dequantize at once ("fake-quantize"): dequantize(quantize(x)).

        x    float tensor; the result has its shape and dtype
        out  a tensor like x that receives the result, for large tensors without gradient

        Gradient (straight-through, Bengio et al. 2013; Krishnamoorthi 2018, section 2.4):
        1 where the unclamped code lies in [qmin, qmax], else 0.
        Raises as `quantize` does; ValueError if `out` is not like x, or a gradient is due.
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
        if out is not None and not isinstance(out, Tensor):
            raise TypeError(f"out: expected a tensor like x, found {type(out).__name__}")
        if out is not None and (out.shape, out.dtype, out.device) != (x.shape, x.dtype, x.device):
            raise ValueError(
                f"out: expected shape {tuple(x.shape)}, {x.dtype}, {x.device}; "
                f"found {tuple(out.shape)}, {out.dtype}, {out.device}"
            )
        in_place = out is not None and out.dtype == scale.dtype
        buffer = out if in_place else torch.empty_like(x, dtype=scale.dtype)
        # clamp(r + z, qmin, qmax) - z = clamp(r, qmin - z, qmax - z): one pass instead of three.
        if p.zero_point.min() == p.zero_point.max():  # clamping to plain numbers is far faster
            zero_point = p.zero_point.max().item()
        whole = (x.to(scale.dtype), buffer, scale, p.qmin - zero_point, p.qmax - zero_point)
        energy = 0.0
        for piece, y, s, low, high in _pieces(*whole):
            torch.div(piece, s, out=y).round_().clamp_(low, high).mul_(s)
            energy = energy + torch.dot(y.flatten(), y.flatten())
        if energy.isnan():  # NaN goes through all of this, and nothing else makes one
            raise _nan_error(x)
        result = self._saturate(buffer, x.dtype).to(x.dtype)
        return result if out is None or in_place else out.copy_(result)

    def in_range(self, x: Tensor) -> Tensor:
        """Where the unclamped code of `x` lies in [qmin, qmax]: a bool tensor of x's shape."""
        scale, zero_point = self.layout(x)
        unclamped = torch.round(x.to(scale.dtype) / scale) + zero_point
        return (unclamped >= self.params.qmin) & (unclamped <= self.params.qmax)

    def layout(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and zero point of each value of x, shaped to broadcast against it."""
        require_float_tensor(x)
        dtype = compute_dtype(x)
        scale = self._spread(x, self.params.scale.to(dtype))
        info = torch.finfo(dtype)  # a float64 scale may be too small for float32
        zero_point = self.params.zero_point.to(torch.int32)  # wide enough to subtract from qmin
        return scale.clamp_min(info.tiny * info.eps), self._spread(x, zero_point)

    def _spread(self, x: Tensor, t: Tensor) -> Tensor:
        """Broadcast one entry per tensor, channel or group against the values of x."""
        p = self.params
        if p.axis is not None:
            if not -x.dim() <= p.axis < x.dim() or x.shape[p.axis] != len(t):
                raise ValueError(
                    f"x: the parameters have {len(t)} channels on axis {p.axis}, "
                    f"found shape {tuple(x.shape)}"
                )
            shape = [1] * x.dim()
            shape[p.axis] = -1
            return t.view(shape)
        if p.group_size is not None:
            n = x.shape[-1] if x.dim() else 0
            if t.shape != (*x.shape[:-1], -(-n // p.group_size)):
                raise ValueError(
                    f"x: the parameters have groups of {p.group_size} in shape "
                    f"{tuple(t.shape)}, found shape {tuple(x.shape)}"
                )
            return t.repeat_interleave(p.group_size, dim=-1)[..., :n]
        return t

    def _saturate(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Keep s (q - z) finite: the outermost code may stand for a value beyond the dtype."""
        p, limit = self.params, torch.finfo(dtype).max
        if p.scale.max().item() * (p.qmax - p.qmin) < limit:
            return x
        return x.clamp_(-limit, limit)


class _StraightThrough(torch.autograd.Function):
    """Fake-quantize forward; backward, the gradient passes where nothing was clamped."""

    @staticmethod
    def forward(ctx, x: Tensor, quantizer: UniformQuantizer) -> Tensor:
        ctx.save_for_backward(quantizer.in_range(x))
        return quantizer._fake_quantize(x)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (in_range,) = ctx.saved_tensors
        return torch.where(in_range, grad, 0), None


def _pieces(x: Tensor, y: Tensor, *others):
    """Cut tensors along their first axis, so that a piece stays in the processor's cache."""
    flat = x.is_contiguous() and y.is_contiguous()
    if flat and all(not isinstance(t, Tensor) or t.dim() == 0 for t in others):
        x, y = x.view(-1), y.view(-1)
    rows = max(1, PIECE * len(x) // x.numel()) if x.dim() else 1
    if x.dim() == 0 or rows >= len(x):
        return [(x, y, *others)]

    def cut(t):
        whole = not isinstance(t, Tensor) or t.dim() < x.dim() or t.shape[0] == 1
        return repeat(t) if whole else t.split(rows)

    return zip(x.split(rows), y.split(rows), *map(cut, others), strict=False)


def _nan_error(x: Tensor) -> ValueError:
    count = x.isnan().sum().item()
    return ValueError(f"x: found {count} NaN of {x.numel()} values; NaN has no code, remove them")
