"""Packing, fixed point, and products without a float; against plain Python integers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quantcore import (
    QuantizationParams,
    QuantizationScheme,
    UniformQuantizer,
    fixed_point_multiplier,
    integer_matmul,
    pack_int4,
    samples,
    unpack_int4,
)
from quantcore.integer import requantize

INT8, UINT8 = QuantizationScheme.INT8, QuantizationScheme.UINT8


@given(st.lists(st.integers(-8, 7), max_size=20))
def test_signed_codes_survive_packing(values):
    codes = torch.tensor(values, dtype=torch.int8)
    packed = pack_int4(codes)
    assert packed.dtype == torch.uint8 and packed.numel() == (len(values) + 1) // 2
    assert torch.equal(unpack_int4(packed, codes.shape), codes)


@given(st.integers(1, 5), st.integers(1, 5), st.randoms())
def test_unsigned_codes_of_any_shape_survive_packing(rows, columns, random):
    values = [[random.randint(0, 15) for _ in range(columns)] for _ in range(rows)]
    codes = torch.tensor(values, dtype=torch.uint8)
    assert torch.equal(unpack_int4(pack_int4(codes), codes.shape, signed=False), codes)


def test_the_low_nibble_comes_first():
    assert pack_int4(torch.tensor([1, 2, 3], dtype=torch.int8)).tolist() == [0x21, 0x03]
    assert pack_int4(torch.tensor([-1, 0], dtype=torch.int8)).tolist() == [0x0F]


def test_packing_refuses_what_does_not_fit():
    with pytest.raises(
        ValueError, match=r"codes: expected INT4 codes in \[-8, 7\], found \[0, 8\]"
    ):
        pack_int4(torch.tensor([0, 8], dtype=torch.int8))
    with pytest.raises(ValueError, match=r"codes: expected UINT4 codes in \[0, 15\]"):
        pack_int4(torch.tensor([16], dtype=torch.uint8))
    with pytest.raises(
        TypeError, match="codes: expected an int8 or uint8 tensor, found torch.int64"
    ):
        pack_int4(torch.tensor([1]))
    with pytest.raises(TypeError, match="packed: expected a uint8 tensor, found torch.int8"):
        unpack_int4(torch.tensor([1], dtype=torch.int8), (2,))
    with pytest.raises(ValueError, match=r"shape: \(5,\) needs 3 bytes, found 2"):
        unpack_int4(torch.zeros(2, dtype=torch.uint8), (5,))


@given(st.floats(1e-8, 1e4))
def test_a_multiplier_is_31_bits_and_a_shift(m):
    mantissa, shift = (t.item() for t in fixed_point_multiplier(m))
    assert 2**30 <= mantissa < 2**31
    assert abs(math.ldexp(mantissa, -31 - shift) / m - 1) <= 2**-31


def test_a_mantissa_that_rounds_to_one_carries():
    mantissa, shift = fixed_point_multiplier(1 - 2**-40)
    assert (mantissa.item(), shift.item()) == (2**30, -1)


@pytest.mark.parametrize("m", [0.0, -1.0, math.nan, math.inf])
def test_a_multiplier_that_is_not_positive_is_refused(m):
    with pytest.raises(ValueError, match="m: expected finite values above 0"):
        fixed_point_multiplier(m)


def gemmlowp(acc, mantissa, shift):
    """gemmlowp's two steps in Python integers, which cannot overflow."""
    acc = max(min(acc << max(-shift, 0), 2**31 - 1), -(2**31))
    product = acc * mantissa
    nudged = product + (2**30 if product >= 0 else 1 - 2**30)
    high = abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)
    right = max(shift, 0)
    half = (1 << right) // 2
    return (abs(high) + half >> right) * (1 if high >= 0 else -1)


@given(st.integers(-(2**31), 2**31 - 1), st.integers(2**30, 2**31 - 1), st.integers(-8, 40))
def test_requantize_is_gemmlowp(acc, mantissa, shift):
    found = requantize(torch.tensor(acc), torch.tensor(mantissa), torch.tensor(shift))
    assert found.item() == gemmlowp(acc, mantissa, shift)


def test_halves_are_rounded_away_from_zero():
    eighth = fixed_point_multiplier(0.125)
    acc = torch.tensor([4, 12, -4, -12, 2, -2])
    assert requantize(acc, *eighth).tolist() == [1, 2, -1, -2, 0, 0]


def product(a_options, b_options, a_symmetric=False, b_symmetric=False):
    a = samples.distribution("normal", 2 * 3 * 40).view(2, 3, 40) + 0.5
    b = samples.distribution("laplace", 40 * 5, seed=1).view(40, 5)
    pa = QuantizationParams.from_tensor(
        a, UINT8 if not a_symmetric else INT8, a_symmetric, **a_options
    )
    pb = QuantizationParams.from_tensor(b, INT8, b_symmetric, **b_options)
    po = QuantizationParams.from_tensor(a @ b, INT8, False)
    return a, b, pa, pb, po


@pytest.mark.parametrize("b_options", [{}, {"axis": 1}, {"axis": -1}])
@pytest.mark.parametrize("symmetric", [True, False])
def test_integer_matmul_is_exact(b_options, symmetric):
    a, b, pa, pb, po = product({}, b_options, symmetric, symmetric)
    qa, qb = UniformQuantizer(pa).quantize(a), UniformQuantizer(pb).quantize(b)
    found = integer_matmul(qa, qb, pa, pb, po)
    acc = (qa.long() - pa.zero_point) @ (qb.long() - pb.zero_point)
    scale = (pa.scale.double() * pb.scale.double() / po.scale.double()).broadcast_to(acc.shape[-1:])
    mantissa, shift = fixed_point_multiplier(scale)
    for index in np.ndindex(*acc.shape):
        column = index[-1]
        q = gemmlowp(acc[index].item(), mantissa[column].item(), shift[column].item())
        q = max(min(q + po.zero_point.item(), 127), -128)
        assert found[index].item() == q
    assert found.dtype == torch.int8


def test_integer_matmul_agrees_with_float_within_one_code():
    a, b, pa, pb, po = product({}, {"axis": 1})
    qa, qb = UniformQuantizer(pa).quantize(a), UniformQuantizer(pb).quantize(b)
    simulated = UniformQuantizer(pa)(a) @ UniformQuantizer(pb)(b)
    codes = UniformQuantizer(po).quantize(simulated)
    difference = integer_matmul(qa, qb, pa, pb, po).int() - codes.int()
    assert difference.abs().max() <= 1


def test_a_scale_per_row_of_the_first_factor():
    a, b, _, pb, po = product({}, {})
    a = a[0]
    pa = QuantizationParams.from_tensor(a, INT8, axis=0)
    qa, qb = UniformQuantizer(pa).quantize(a), UniformQuantizer(pb).quantize(b)
    codes = UniformQuantizer(po).quantize(UniformQuantizer(pa)(a) @ UniformQuantizer(pb)(b))
    assert (integer_matmul(qa, qb, pa, pb, po).int() - codes.int()).abs().max() <= 1


def test_integer_matmul_refuses_what_cannot_be():
    a, b, pa, pb, po = product({}, {})
    qa, qb = UniformQuantizer(pa).quantize(a), UniformQuantizer(pb).quantize(b)
    along_k = QuantizationParams.from_tensor(b, INT8, axis=0)
    with pytest.raises(ValueError, match="b_params: expected a scale per tensor or along axis 1"):
        integer_matmul(qa, UniformQuantizer(along_k).quantize(b), pa, along_k, po)
    with pytest.raises(TypeError, match="a: expected an integer tensor, found torch.float32"):
        integer_matmul(a, qb, pa, pb, po)
    with pytest.raises(ValueError, match=r"a, b: expected shapes \(…, M, K\) and \(K, N\)"):
        integer_matmul(qa, qb.T, pa, pb, po)
    wide = QuantizationParams(torch.tensor(1.0), torch.tensor(0), -32768, 32767)
    with pytest.raises(OverflowError, match="a, b: a sum over K = 4 leaves int32"):
        full = torch.full((4, 4), 32767, dtype=torch.int16)
        integer_matmul(full, full, wide, wide, wide)
