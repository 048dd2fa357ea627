"""Every refusal that more than one room needs: what was found, and what to do about it.

Each message names the argument, says what was expected and found, and what to use instead.
TypeError is for the wrong kind of thing, ValueError for a value that cannot be.
"""

from __future__ import annotations

from numbers import Real

import torch
from torch import Tensor

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def compute_dtype(x: Tensor) -> torch.dtype:
    """float64 for float64, float32 for everything else (half precisions included)."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def require_int(value: int, name: str) -> None:
    """Refuse what is not a plain integer."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name}: expected an int, found {value!r}")


def require_bool(value: bool, name: str) -> None:
    """Refuse what is not True or False: "no" and 0 would count as one of them silently."""
    if not isinstance(value, bool):
        raise TypeError(f"{name}: expected True or False, found {value!r}")


def require_number(value: float, name: str) -> None:
    """Refuse what is not a real number of Python's."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name}: expected a number, found {value!r}")


def require_number_or_tensor(value: float | Tensor, name: str) -> None:
    """Refuse what is neither a real number nor a tensor of floats or integers."""
    if isinstance(value, Tensor):
        _require_plain(value, name)
        if value.dtype not in FLOATS + INTEGERS:
            raise TypeError(f"{name}: expected a tensor of real numbers, found {value.dtype}")
    else:
        require_number(value, name)


def _require_plain(x: Tensor, name: str) -> None:
    """Refuse tensors whose values do not lie in memory one by one."""
    if x.is_nested or x.layout != torch.strided:
        kind = "nested" if x.is_nested else str(x.layout).removeprefix("torch.")
        advice = "use its parts" if x.is_nested else f"use {name}.to_dense()"
        raise TypeError(f"{name}: expected a dense tensor, found a {kind} one; {advice}")
    if x.is_meta:
        raise TypeError(f"{name}: a tensor on the meta device has no values; use a real device")


def require_float_tensor(x: Tensor, name: str = "x") -> None:
    """Refuse what is not a dense float tensor of 16, 32 or 64 bits with at least one value."""
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{name}: expected a torch.Tensor, found {type(x).__name__}; use torch.as_tensor"
        )
    if x.is_quantized:
        raise TypeError(
            f"{name}: expected a float tensor, found one that torch has quantized "
            f"({x.dtype}); use {name}.dequantize()"
        )
    if x.dtype not in FLOATS:
        raise TypeError(
            f"{name}: expected a float16, bfloat16, float32 or float64 tensor, found {x.dtype}; "
            f"use {name}.{'real' if x.is_complex() else 'float()'}"
        )
    _require_plain(x, name)
    if x.numel() == 0:
        raise ValueError(f"{name}: the tensor is empty (shape {tuple(x.shape)}); give it a value")


def require_integer_tensor(t: Tensor, name: str, advice: str = "use quantize") -> None:
    """Refuse what is not a dense tensor of uint8, int8, int16, int32 or int64."""
    if not isinstance(t, Tensor) or t.dtype not in INTEGERS:
        found = t.dtype if isinstance(t, Tensor) else type(t).__name__
        if found in (torch.uint16, torch.uint32, torch.uint64):
            advice = f"torch computes little with it, use {name}.to(torch.int64)"
        raise TypeError(f"{name}: expected an integer tensor, found {found}; {advice}")
    _require_plain(t, name)


def require_codes(q: Tensor, qmin: int, qmax: int, name: str = "q") -> None:
    """Refuse what is not a tensor of integers in [qmin, qmax]."""
    require_integer_tensor(q, name)
    least, greatest = (v.item() for v in q.aminmax()) if q.numel() else (qmin, qmax)
    if least < qmin or greatest > qmax:
        raise ValueError(
            f"{name}: expected codes in [{qmin}, {qmax}], found [{least}, {greatest}]; "
            "use quantize with the same parameters"
        )


def require_matrix(w: Tensor, name: str = "x") -> None:
    """Refuse what is not a float matrix: rows and columns."""
    require_float_tensor(w, name)
    if w.dim() != 2:
        raise ValueError(
            f"{name}: expected a matrix, found shape {tuple(w.shape)}; use {name}.flatten(1)"
        )


# ---- the layout of scales ------------------------------------------------------------------


def scale_shape(
    shape: tuple[int, ...], axis: int | None, group_size: int | None
) -> tuple[int, ...]:
    """The shape of the scales of a tensor of this shape.

    () per tensor, (C,) per channel of `axis`, (…, ⌈n/g⌉) per group of g along the last axis.
    Raises TypeError or ValueError for an `axis` or `group_size` that the shape does not have.

    >>> scale_shape((8, 10), None, None), scale_shape((8, 10), 0, None)
    ((), (8,))
    >>> scale_shape((8, 10), None, 4)
    (8, 3)
    """
    require_layout(axis, group_size)
    if axis is not None:
        if not -len(shape) <= axis < len(shape):
            raise ValueError(
                f"axis: {axis} is out of range for shape {tuple(shape)}; "
                f"use one of {list(range(-len(shape), len(shape)))}"
            )
        return (shape[axis],)
    if group_size is not None:
        if not shape:
            raise ValueError(
                f"group_size: {group_size} needs a tensor with an axis to cut, found shape ()"
            )
        return (*shape[:-1], -(-shape[-1] // group_size))
    return ()


def require_layout(axis: int | None, group_size: int | None) -> None:
    """Refuse an `axis` and a `group_size` that fit no tensor."""
    for name, value in (("axis", axis), ("group_size", group_size)):
        if value is not None:
            require_int(value, name)
    if axis is not None and group_size is not None:
        raise ValueError(f"axis, group_size: give one of them, found {axis} and {group_size}")
    if group_size is not None and group_size < 1:
        raise ValueError(f"group_size: expected at least 1, found {group_size}")


# ---- a tensor that receives the result ------------------------------------------------------


def require_out(out: Tensor, x: Tensor) -> None:
    """Refuse an `out` that is not like x, or whose memory is not its own or exactly x's."""
    if not isinstance(out, Tensor):
        raise TypeError(f"out: expected a tensor like x, found {type(out).__name__}")
    if (out.shape, out.dtype, out.device) != (x.shape, x.dtype, x.device):
        raise ValueError(
            f"out: expected shape {tuple(x.shape)}, {x.dtype}, {x.device}; "
            f"found {tuple(out.shape)}, {out.dtype}, {out.device}"
        )
    _require_plain(out, "out")
    if out.requires_grad and torch.is_grad_enabled():
        raise ValueError("out: it requires a gradient; use torch.no_grad(), or out.detach()")
    if not out.is_contiguous() and _occupied(out, out) < out.numel():
        raise ValueError(
            f"out: some of its values share one place in memory (strides {out.stride()}); "
            "use torch.empty_like(x)"
        )
    if not is_same_view(out, x) and overlap(out, x):
        raise ValueError("out: it shares memory with x without being x; use x itself, or a copy")


def is_same_view(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors of one shape have each value in the same place."""
    return a.data_ptr() == b.data_ptr() and a.stride() == b.stride()


def overlap(a: Tensor, b: Tensor) -> bool:
    """Whether a byte belongs to both tensors, which have one dtype."""
    (a_start, a_end), (b_start, b_end) = _extent(a), _extent(b)
    if a_end <= b_start or b_end <= a_start:
        return False
    if (a_start - b_start) % a.element_size():
        return True
    return _occupied(a, a, b) < _occupied(a, a) + _occupied(b, b)


def _extent(t: Tensor) -> tuple[int, int]:
    """The addresses of its first byte and of the byte after its last."""
    last = sum((n - 1) * s for n, s in zip(t.shape, t.stride(), strict=True))
    return t.data_ptr(), t.data_ptr() + (last + 1) * t.element_size()


def _occupied(like: Tensor, *tensors: Tensor) -> int:
    """How many places in memory the tensors take together, counted one by one."""
    size, extents = like.element_size(), [_extent(t) for t in tensors]
    start = min(first for first, _ in extents)
    places = torch.zeros((max(end for _, end in extents) - start) // size, dtype=torch.bool)
    for t in tensors:
        places.as_strided(t.shape, t.stride(), (t.data_ptr() - start) // size).fill_(True)
    return int(places.count_nonzero())
