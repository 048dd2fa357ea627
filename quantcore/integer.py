"""Integer-only arithmetic, and two 4-bit codes in one byte.

Chapters 2 and 4. A product of quantized matrices needs no float at run time: codes are
multiplied and added in int32, and one fixed-point multiplication brings the sum to the
output's scale. Source: Jacob et al. 2018, sections 2.2 to 2.4.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .checks import require_codes, require_int, require_integer_tensor, require_number_or_tensor
from .params import QuantizationParams
from .schemes import QuantizationScheme

INT32 = torch.iinfo(torch.int32)


def pack_int4(codes: Tensor) -> Tensor:
    """Put two 4-bit codes in each byte, the first one in the low nibble (as ONNX does).

    codes: int8 in [-8, 7] or uint8 in [0, 15], any shape; read in row-major order.
    Returns ⌈n/2⌉ bytes, uint8; the spare nibble of an odd count is 0.
    Raises TypeError for another dtype, ValueError for a code outside the range.

    >>> pack_int4(torch.tensor([1, -2, 7], dtype=torch.int8)).tolist()  # 0xE1, 0x07
    [225, 7]
    """
    _require_dtype(codes, "codes", torch.int8, torch.uint8)
    scheme = QuantizationScheme.from_bits(4, signed=codes.dtype == torch.int8)
    require_codes(codes, scheme.qmin, scheme.qmax, "codes")
    flat = codes.flatten().view(torch.uint8)  # the same bits
    packed, second = flat[::2] & 0xF, flat[1::2] << 4
    packed[: len(second)] |= second
    return packed


def unpack_int4(packed: Tensor, shape: tuple[int, ...], signed: bool = True) -> Tensor:
    """Take the codes out of the bytes again: the inverse of `pack_int4`.

    packed: uint8 bytes; shape: the codes' shape. Returns int8 codes, or uint8 if not signed.
    Raises TypeError for another dtype or what is no shape, ValueError if the bytes do not make
    that shape.

    >>> unpack_int4(torch.tensor([225, 7], dtype=torch.uint8), (3,)).tolist()
    [1, -2, 7]
    """
    _require_dtype(packed, "packed", torch.uint8)
    if not isinstance(shape, tuple | list):
        raise TypeError(f"shape: expected a tuple of ints, found {shape!r}")
    for n in shape:
        require_int(n, "shape")
        if n < 0:
            raise ValueError(f"shape: expected lengths of at least 0, found {tuple(shape)}")
    count = math.prod(shape)
    if packed.numel() != (count + 1) // 2:
        raise ValueError(
            f"shape: {tuple(shape)} needs {(count + 1) // 2} bytes, found {packed.numel()}"
        )
    flat = packed.flatten().view(torch.int8 if signed else torch.uint8)
    # Moved up and down again, the low nibble loses the high one; int8 repeats its sign bit.
    return torch.stack([flat << 4 >> 4, flat >> 4], dim=-1).flatten()[:count].view(shape)


def _require_dtype(t: Tensor, name: str, *dtypes: torch.dtype) -> None:
    if not isinstance(t, Tensor) or t.dtype not in dtypes:
        expected = " or ".join(str(d).removeprefix("torch.") for d in dtypes)
        found = t.dtype if isinstance(t, Tensor) else type(t).__name__
        raise TypeError(f"{name}: expected {expected} codes, found {found}")
    require_integer_tensor(t, name)


def fixed_point_multiplier(m: float | Tensor) -> tuple[Tensor, Tensor]:
    """Write a positive real m as mantissa · 2^(-31) · 2^(-shift), integers only.

    mantissa is in [2^30, 2^31), so that m0 = mantissa · 2^(-31) is in [½, 1); shift counts
    places to the right, negative where m ≥ 1. Both are int64 tensors of m's shape.
    Raises TypeError if m is no number, ValueError if it is not finite and positive.

    >>> mantissa, shift = fixed_point_multiplier(0.0625)
    >>> mantissa.item() == 2**30, shift.item()
    (True, 3)
    """
    require_number_or_tensor(m, "m")
    m = torch.as_tensor(m, dtype=torch.float64)
    if not (m.isfinite() & (m > 0)).all():
        raise ValueError(f"m: expected finite values above 0, found {m}")
    m0, exponent = torch.frexp(m)
    mantissa = torch.round(m0 * 2**31).to(torch.int64)
    carried = mantissa == 2**31  # m0 was rounded up to 1
    return torch.where(carried, 2**30, mantissa), -(exponent.to(torch.int64) + carried)


def saturating_rounding_doubling_high_mul(a: Tensor, b: Tensor) -> Tensor:
    """The high 32 bits of 2ab: a · b / 2^31 to the nearest, as gemmlowp and ARM's SQRDMULH do.

    Halves go up: ½ → 1, -½ → 0. a, b: int64 tensors that hold int32 values. The one product
    that does not fit, (-2^31)², saturates.
    """
    product = a * b
    nudge = torch.where(product >= 0, 2**30, 1 - 2**30)
    return torch.div(product + nudge, 2**31, rounding_mode="trunc").clamp(INT32.min, INT32.max)


def rounding_right_shift(x: Tensor, shift: Tensor) -> Tensor:
    """round(x / 2^shift), halves away from zero. x, shift: int64 tensors, shift ≥ 0."""
    mask = (torch.ones_like(shift) << shift) - 1
    threshold = (mask >> 1) + (x < 0)
    return (x >> shift) + ((x & mask) > threshold)


def requantize(acc: Tensor, mantissa: Tensor, shift: Tensor) -> Tensor:
    """Multiply int32 sums by mantissa · 2^(-31-shift) with integers only; int64 result.

    Two roundings: of acc · mantissa / 2^31, halves up, then of that / 2^shift, halves away from
    zero. Some 2^(-shift-1) of the results differ by 1 from a product that is rounded once.
    A negative shift (a factor of 1 or more) moves acc to the left first, where it saturates at
    the ends of int32. Source: gemmlowp; Jacob et al. 2018, appendix B.

    >>> requantize(torch.tensor([100, -100]), *fixed_point_multiplier(0.125)).tolist()
    [13, -13]
    """
    left, right = (-shift).clamp(0, 31), shift.clamp(0, 62)
    widened = (acc.to(torch.int64) << left).clamp(INT32.min, INT32.max)
    return rounding_right_shift(saturating_rounding_doubling_high_mul(widened, mantissa), right)


def integer_matmul(
    a: Tensor,
    b: Tensor,
    a_params: QuantizationParams,
    b_params: QuantizationParams,
    out_params: QuantizationParams,
) -> Tensor:
    """Multiply two quantized matrices in integer arithmetic; the result is codes too.

        Σ (q_a - z_a)(q_b - z_b) = Σ q_a q_b - z_b Σ q_a - z_a Σ q_b + K z_a z_b
        q_out = clamp(z_out + requantize(Σ …, M), qmin, qmax),   M = s_a s_b / s_out

    a: codes (…, M, K), scale per tensor or per row (axis -2); b: codes (K, N), scale per tensor
    or per column (axis 1); out_params: per tensor. A scale that changes along K could not be
    taken out of the sum. Returns codes (…, M, N) in out_params' dtype.
    Raises TypeError for codes that are no integers, ValueError for codes off the grid and for
    shapes and layouts that do not fit, OverflowError if a sum leaves int32.

    >>> unit = QuantizationParams(torch.tensor(1.0), torch.tensor(0), -128, 127)
    >>> row, column = torch.tensor([[1, 2]]), torch.tensor([[3], [4]])
    >>> integer_matmul(row, column, unit, unit, unit).item()
    11
    """
    for name, codes, params in (("a", a, a_params), ("b", b, b_params)):
        require_codes(codes, params.qmin, params.qmax, name)
    if a.dim() < 2 or b.dim() != 2 or a.shape[-1] != b.shape[0]:
        raise ValueError(
            f"a, b: expected shapes (…, M, K) and (K, N), found {tuple(a.shape)}, {tuple(b.shape)}"
        )
    s_a, z_a = _row_layout("a_params", a_params, a.dim() - 2, a)
    s_b, z_b = _row_layout("b_params", b_params, 1, b)
    s_out, z_out = _row_layout("out_params", out_params, None, a)

    # Exact: float64 holds every integer up to 2^53, and unlike int32 it multiplies on CUDA too.
    products = (a.double() @ b.double()).to(torch.int64)
    a, b = a.to(torch.int64), b.to(torch.int64)
    sums_a, sums_b = a.sum(-1, keepdim=True), b.sum(0, keepdim=True)
    acc = products - z_b * sums_a - z_a * sums_b + a.shape[-1] * z_a * z_b
    if acc.numel() and (acc.min() < INT32.min or acc.max() > INT32.max):
        raise OverflowError(
            f"a, b: a sum over K = {a.shape[-1]} leaves int32, found "
            f"[{acc.min().item()}, {acc.max().item()}]; use fewer bits or split K"
        )
    q = requantize(acc, *fixed_point_multiplier(s_a * s_b / s_out)) + z_out
    return q.clamp(out_params.qmin, out_params.qmax).to(out_params.dtype)


def _row_layout(
    name: str, params: QuantizationParams, axis: int | None, codes: Tensor
) -> tuple[Tensor, Tensor]:
    """Scale (float64) and zero point (int64) that broadcast against the product's (…, M, N)."""
    scale, zero_point = params.scale.double(), params.zero_point.to(torch.int64)
    if params.axis is None and params.group_size is None:
        return scale, zero_point
    along = params.axis is not None and axis is not None and params.axis % codes.dim() == axis
    if not along or not params.fits(codes.shape):
        where = "per tensor" if axis is None else f"per tensor or along axis {axis}"
        raise ValueError(
            f"{name}: expected a scale {where}, found axis={params.axis}, "
            f"group_size={params.group_size}, shape {tuple(scale.shape)}"
        )
    shape = (-1, 1) if axis == codes.dim() - 2 else (1, -1)
    return scale.view(shape), zero_point.view(shape)
