"""Packing, fixed point, and products without a float; against exact arithmetic in Python."""

import itertools
import math
from fractions import Fraction

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
from quantcore.integer import requantize, saturating_rounding_doubling_high_mul

INT2, INT8, INT16, UINT2, UINT8 = (
    QuantizationScheme[n] for n in ("INT2", "INT8", "INT16", "UINT2", "UINT8")
)

# ---- two codes in a byte -------------------------------------------------------------------


@given(st.lists(st.integers(-8, 7), max_size=20))
def test_signed_codes_survive_packing(values):
    codes = torch.tensor(values, dtype=torch.int8)
    packed = pack_int4(codes)
    assert packed.dtype == torch.uint8 and packed.numel() == (len(values) + 1) // 2
    back = unpack_int4(packed, codes.shape)
    assert back.dtype == torch.int8 and torch.equal(back, codes)


@given(st.integers(1, 5), st.integers(1, 5), st.randoms())
def test_unsigned_codes_of_any_shape_survive_packing(rows, columns, random):
    values = [[random.randint(0, 15) for _ in range(columns)] for _ in range(rows)]
    codes = torch.tensor(values, dtype=torch.uint8)
    back = unpack_int4(pack_int4(codes), codes.shape, signed=False)
    assert back.dtype == torch.uint8 and torch.equal(back, codes)
    assert torch.equal(unpack_int4(pack_int4(codes.T), codes.T.shape, signed=False), codes.T)


def test_the_low_nibble_comes_first():
    # ONNX, "4 bit integer types": pack(x, y) = y << 4 | x & 0xF; an odd count ends with a 0.
    assert pack_int4(torch.tensor([1, 2, 3], dtype=torch.int8)).tolist() == [0x21, 0x03]
    assert pack_int4(torch.tensor([-1, 0], dtype=torch.int8)).tolist() == [0x0F]
    assert pack_int4(torch.tensor([-8, 7, -1], dtype=torch.int8)).tolist() == [0x78, 0x0F]
    assert pack_int4(torch.tensor([15, 8], dtype=torch.uint8)).tolist() == [0x8F]


def test_every_byte_unpacks_to_its_two_nibbles():
    packed = torch.arange(256).to(torch.uint8)
    unsigned = unpack_int4(packed, (256, 2), signed=False).tolist()
    assert unsigned == [[b & 15, b >> 4] for b in range(256)]
    signed = unpack_int4(packed, (256, 2)).tolist()
    assert signed == [[n - 16 if n > 7 else n for n in pair] for pair in unsigned]


def test_packing_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"codes: expected codes in \[-8, 7\], found \[0, 8\]"):
        pack_int4(torch.tensor([0, 8], dtype=torch.int8))
    with pytest.raises(ValueError, match=r"codes: expected codes in .* found \[-9, 0\]"):
        pack_int4(torch.tensor([0, -9], dtype=torch.int8))
    with pytest.raises(ValueError, match=r"codes: expected codes in \[0, 15\]"):
        pack_int4(torch.tensor([16], dtype=torch.uint8))
    for found, codes in (("torch.int64", torch.tensor([1])), ("torch.bool", torch.ones(2) > 0),
                         ("torch.float32", torch.ones(2)), ("list", [1, 2])):  # fmt: skip
        with pytest.raises(TypeError, match=f"codes: expected int8 or uint8 codes, found {found}"):
            pack_int4(codes)
    with pytest.raises(TypeError, match="packed: expected uint8 codes, found torch.int8"):
        unpack_int4(torch.tensor([1], dtype=torch.int8), (2,))
    with pytest.raises(TypeError, match="packed: expected uint8 codes, found bytes"):
        unpack_int4(b"\x21", (2,))
    for shape, needs in (((5,), 3), ((2, 3), 3), ((2,), 1), ((), 1)):
        with pytest.raises(ValueError, match=rf"shape: .* needs {needs} bytes, found 2"):
            unpack_int4(torch.zeros(2, dtype=torch.uint8), shape)


# ---- fixed point ---------------------------------------------------------------------------


@given(st.floats(min_value=5e-324, max_value=1.7e308))
def test_a_multiplier_is_31_bits_and_a_shift(m):
    mantissa, shift = (t.item() for t in fixed_point_multiplier(m))
    assert 2**30 <= mantissa < 2**31
    rebuilt = Fraction(mantissa, 2**31) / Fraction(2) ** shift
    assert abs(rebuilt / Fraction(m) - 1) <= Fraction(1, 2**31)


def test_multipliers_of_one_and_more_shift_to_the_left():
    m = torch.tensor([0.25, 0.5, 0.75, 1.0, 3.0, 2.0**20])
    mantissa, shift = fixed_point_multiplier(m)
    assert mantissa.tolist() == [2**30, 2**30, 3 * 2**29, 2**30, 3 * 2**29, 2**30]
    assert shift.tolist() == [1, 0, 0, -1, -2, -21]
    assert mantissa.dtype == shift.dtype == torch.int64


def test_a_mantissa_that_rounds_to_one_carries():
    for exponent in (-20, 0, 3):
        mantissa, shift = fixed_point_multiplier((1 - 2**-40) * 2.0**exponent)
        assert (mantissa.item(), shift.item()) == (2**30, -1 - exponent)
    mantissa, shift = fixed_point_multiplier(1 - 2**-31)  # the largest that does not
    assert (mantissa.item(), shift.item()) == (2**31 - 1, 0)


@pytest.mark.parametrize("m", [0.0, -1.0, math.nan, math.inf])
def test_a_multiplier_that_is_not_positive_is_refused(m):
    for value in (m, torch.tensor([1.0, m])):
        with pytest.raises(ValueError, match="m: expected finite values above 0, found"):
            fixed_point_multiplier(value)


def saturate(v):
    return max(min(v, 2**31 - 1), -(2**31))


def gemmlowp(acc, mantissa, shift):
    """gemmlowp's two roundings, in exact rational arithmetic.

    The high multiply rounds a · b / 2^31 with halves upwards, the right shift with halves away
    from zero. (gemmlowp/fixedpoint.h: SaturatingRoundingDoublingHighMul, RoundingDivideByPOT.)
    """
    acc = saturate(acc * 2 ** max(-shift, 0))
    high = saturate(math.floor(Fraction(acc * mantissa, 2**31) + Fraction(1, 2)))
    quotient = Fraction(high, 2 ** max(shift, 0))
    return math.floor(abs(quotient) + Fraction(1, 2)) * (1 if high >= 0 else -1)


@given(st.integers(-(2**31), 2**31 - 1), st.integers(2**30, 2**31 - 1), st.integers(-31, 70))
def test_requantize_is_gemmlowp(acc, mantissa, shift):
    found = requantize(torch.tensor(acc), torch.tensor(mantissa), torch.tensor(shift))
    assert found.item() == gemmlowp(acc, mantissa, shift)


def test_requantize_is_gemmlowp_on_every_edge():
    positive = [0, 1, 2, 3, 4, 5, 6, 2**15, 2**30 - 1, 2**30, 2**31 - 2, 2**31 - 1]
    accs = torch.tensor(positive + [-1 - n for n in positive])
    mantissas = torch.tensor([2**30, 2**30 + 1, 3 * 2**29, 2**31 - 1])
    grid = torch.cartesian_prod(accs, mantissas, torch.arange(-31, 34))
    assert requantize(*grid.T).tolist() == [gemmlowp(*row) for row in grid.tolist()]


def test_requantize_takes_sums_in_int32_too_and_saturates_before_it_multiplies():
    acc = torch.tensor([2**20, -(2**20), 3], dtype=torch.int32)
    found = requantize(acc, *fixed_point_multiplier(2.0**12))
    assert found.dtype == torch.int64 and found.tolist() == [2**30, -(2**30), 3 * 2**12]


def test_the_one_product_that_does_not_fit_saturates():
    least = torch.tensor(-(2**31))
    assert saturating_rounding_doubling_high_mul(least, least).item() == 2**31 - 1
    assert saturating_rounding_doubling_high_mul(least, -least - 1).item() == 1 - 2**31


@given(st.integers(-(2**31), 2**31 - 1), st.floats(1e-9, 0.999))
def test_requantize_is_near_the_real_product(acc, m):
    found = requantize(torch.tensor(acc), *fixed_point_multiplier(m)).item()
    # ½ from each of the two roundings, and at most ½ from the mantissa: 2^-32 of a sum < 2^31.
    assert abs(found - acc * Fraction(m)) <= Fraction(3, 2)


def test_halves_are_rounded_away_from_zero():
    eighth = fixed_point_multiplier(0.125)
    acc = torch.tensor([4, 12, 20, -4, -12, -20, 2, -2])
    assert requantize(acc, *eighth).tolist() == [1, 2, 3, -1, -2, -3, 0, 0]


# ---- products ------------------------------------------------------------------------------


def make(scale, zero_point, scheme, **layout):
    scale, zero_point = torch.as_tensor(scale), torch.as_tensor(zero_point)
    return QuantizationParams(scale, zero_point, scheme.qmin, scheme.qmax, **layout)


def reference(qa, qb, pa, pb, po):
    """Every sum and product in Python's integers and fractions; a scale per row or per column."""
    *_, rows, _ = qa.shape
    columns = qb.shape[1]
    s_a, z_a = (t.expand(rows).tolist() for t in (pa.scale, pa.zero_point))
    s_b, z_b = (t.expand(columns).tolist() for t in (pb.scale, pb.zero_point))
    out = []
    for matrix in qa.reshape(-1, *qa.shape[-2:]).tolist():
        for (i, row), j in itertools.product(enumerate(matrix), range(columns)):
            column = qb[:, j].tolist()
            acc = sum((u - z_a[i]) * (v - z_b[j]) for u, v in zip(row, column, strict=True))
            multiplier = fixed_point_multiplier(s_a[i] * s_b[j] / po.scale.item())
            q = gemmlowp(acc, *(t.item() for t in multiplier)) + po.zero_point.item()
            out.append(max(min(q, po.qmax), po.qmin))
    return torch.tensor(out).view(*qa.shape[:-1], columns)


def codes(scheme, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(scheme.qmin, scheme.qmax + 1, shape, generator=generator).to(scheme.dtype)


SCALES_A = {"per tensor": (0.02, {}), "per row": ([0.02, 0.5, 0.001], {"axis": -2})}
SCALES_B = {"per tensor": (0.03, {}), "per column": ([0.3, 0.03, 0.003, 1.0], {"axis": 1})}


@pytest.mark.parametrize("batch", [(), (2,), (2, 2)])
@pytest.mark.parametrize("b_scales", SCALES_B)
@pytest.mark.parametrize("a_scales", SCALES_A)
@pytest.mark.parametrize("a_scheme, b_scheme", [(UINT8, INT8), (INT8, INT8), (UINT8, UINT8)])
def test_integer_matmul_is_exact(a_scheme, b_scheme, a_scales, b_scales, batch):
    (sa, la), (sb, lb) = SCALES_A[a_scales], SCALES_B[b_scales]
    za = torch.linspace(a_scheme.qmin, a_scheme.qmax, 3).int() if la else torch.tensor(100)
    zb = torch.linspace(b_scheme.qmin, b_scheme.qmax, 4).int() if lb else torch.tensor(-5)
    zb = zb.clamp(b_scheme.qmin, b_scheme.qmax)
    pa, pb = make(sa, za, a_scheme, **la), make(sb, zb, b_scheme, **lb)
    qa, qb = codes(a_scheme, *batch, 3, 20), codes(b_scheme, 20, 4, seed=1)
    for scheme, scale in ((INT8, 1.0), (UINT8, 0.37), (INT16, 0.002)):
        po = make(scale, 3, scheme)
        found = integer_matmul(qa, qb, pa, pb, po)
        assert found.dtype == scheme.dtype
        assert torch.equal(found.long(), reference(qa, qb, pa, pb, po))


@pytest.mark.parametrize("a_scheme", [INT2, UINT2])
@pytest.mark.parametrize("b_scheme", [INT2, UINT2])
def test_integer_matmul_is_exact_for_every_pair_of_zero_points(a_scheme, b_scheme):
    qa, qb = codes(a_scheme, 3, 9), codes(b_scheme, 9, 4, seed=1)
    for z_a in range(a_scheme.qmin, a_scheme.qmax + 1):
        for z_b in range(b_scheme.qmin, b_scheme.qmax + 1):
            case = qa, qb, make(0.5, z_a, a_scheme), make(0.25, z_b, b_scheme), make(0.3, -7, INT8)
            assert torch.equal(integer_matmul(*case).long(), reference(*case))


@given(st.integers(1, 40), st.floats(1e-6, 10), st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_integer_matmul_is_exact_for_any_scale(k, scale, z, seed):
    qa, qb = codes(UINT8, 2, k, seed=seed), codes(INT8, k, 2, seed=seed + 1)
    case = qa, qb, make(scale, z, UINT8), make(0.01, z - 128, INT8), make(0.1, z, UINT8)
    assert torch.equal(integer_matmul(*case).long(), reference(*case))


@pytest.mark.parametrize("b_options", [{}, {"axis": 1}])
@pytest.mark.parametrize("a_options", [{}, {"axis": -2}])
@pytest.mark.parametrize("symmetric", [True, False])
def test_integer_matmul_agrees_with_float_within_one_code(symmetric, a_options, b_options):
    a = samples.distribution("normal", 3 * 40).view(3, 40) + 0.5
    b = samples.distribution("laplace", 40 * 5, seed=1).view(40, 5)
    pa = QuantizationParams.from_tensor(a, INT8 if symmetric else UINT8, symmetric, **a_options)
    pb = QuantizationParams.from_tensor(b, INT8, symmetric, **b_options)
    po = QuantizationParams.from_tensor(a @ b, INT8, False)
    qa, qb = UniformQuantizer(pa).quantize(a), UniformQuantizer(pb).quantize(b)
    simulated = UniformQuantizer(pa)(a).double() @ UniformQuantizer(pb)(b).double()
    expected = UniformQuantizer(po).quantize(simulated)
    found = integer_matmul(qa, qb, pa, pb, po)
    assert (found.int() - expected.int()).abs().max() <= 1
    assert expected.unique().numel() > 10, "the codes differ enough to tell"


def test_a_product_without_terms_is_the_zero_point():
    unit = make(1.0, 5, INT8)
    empty = torch.zeros(2, 0, dtype=torch.int8), torch.zeros(0, 3, dtype=torch.int8)
    assert integer_matmul(*empty, unit, unit, unit).tolist() == [[5, 5, 5]] * 2


def test_a_sum_that_leaves_int32_is_refused_and_the_last_that_fits_is_not():
    wide = make(1.0, 0, INT16)
    row, column = torch.full((1, 4), -32768), torch.full((4, 1), 16384)
    assert integer_matmul(row, column, wide, wide, wide).item() == -32768  # the sum is -2^31
    with pytest.raises(
        OverflowError, match=r"a, b: a sum over K = 4 leaves int32, found \[2147483648, 21.*; use"
    ):
        integer_matmul(row, -column, wide, wide, wide)
    greatest = torch.tensor([[32767, 32767, 4, 1]])  # Σ is 2^31 - 1
    factors = torch.tensor([[32767], [32767], [32767], [1]])
    assert integer_matmul(greatest, factors, wide, wide, wide).item() == 32767
    # Codes and products are small, but for the zero points, which from_tensor gives as int32.
    far = make(1.0, torch.tensor(-32768, dtype=torch.int32), INT16)
    zeros = torch.zeros(2, 1, 4).int(), torch.zeros(4, 1).int()
    with pytest.raises(OverflowError, match="a, b: a sum over K = 4 leaves int32"):
        integer_matmul(*zeros, far, far, wide)


def test_one_sum_among_many_that_leaves_int32_is_found():
    wide = make(1.0, 0, INT16)
    column = torch.full((4, 1), 32767)
    for code, found in ((-32768, r"\[-4294836224, 0\]"), (32767, r"\[0, 4294705156\]")):
        rows = torch.tensor([[code] * 4, [0] * 4])
        with pytest.raises(OverflowError, match=f"leaves int32, found {found}"):
            integer_matmul(rows, column, wide, wide, wide)


def test_scales_whose_product_float32_cannot_hold_still_have_a_ratio():
    tiny, column = make(1e-30, 5, INT8), torch.tensor([[5], [6]])
    assert integer_matmul(torch.tensor([[105, 7]]), column, tiny, tiny, tiny).item() == 5
    coarse = make(1e-32, 0, INT8)  # M = 1e-28 · 1e-4 / 1e-32 = 1
    row, small = make(1e-28, 5, INT8), make(1e-4, 5, INT8)
    assert integer_matmul(torch.tensor([[105, 7]]), column, row, small, coarse).item() == 2


def test_integer_matmul_refuses_what_cannot_be():
    unit = make(1.0, 0, INT8)
    qa, qb = codes(INT8, 3, 4), codes(INT8, 4, 5)

    def refused(error, message, **changed):
        case = {"a": qa, "b": qb, "a_params": unit, "b_params": unit, "out_params": unit}
        with pytest.raises(error, match=message):
            integer_matmul(**case | changed)

    for found, bad in (("torch.float32", qa.float()), ("torch.bool", qa > 0), ("list", [[1]])):
        message = f": expected an integer tensor, found {found}; use quantize"
        refused(TypeError, "a" + message, a=bad)
        refused(TypeError, "b" + message, b=bad)
    off_the_grid = torch.tensor([[0, 128, 0, 0]])
    grid = r": expected codes in \[-128, 127\], found "
    refused(ValueError, "a" + grid + r"\[0, 128\]; use quantize", a=off_the_grid)
    refused(ValueError, "b" + grid, b=qb.long() * 2)
    shapes = r"a, b: expected shapes \(…, M, K\) and \(K, N\), found "
    refused(ValueError, shapes + r"\(3, 4\), \(5, 4\)", b=qb.T)
    refused(ValueError, shapes + r"\(4,\)", a=qa[0])
    refused(ValueError, shapes + r".*\(1, 4, 5\)", b=qb[None])
    rows, columns, wrong_count = (
        make(torch.ones(n), torch.zeros(n).int(), INT8, axis=axis)
        for n, axis in ((4, 0), (4, 1), (7, 1))
    )
    groups = make(torch.ones(3, 2), torch.zeros(3, 2).int(), INT8, group_size=2)
    expected = "_params: expected a scale per tensor"  # a scale that changes along K is refused
    refused(ValueError, "a" + expected + " or along axis 0, found axis=1", a_params=columns)
    refused(ValueError, "b" + expected + " or along axis 1, found axis=0", b_params=rows)
    refused(ValueError, "out" + expected + r", found axis=0, .*shape \(4,\)", out_params=rows)
    refused(ValueError, "b" + expected + r".*axis=1.*shape \(7,\)", b_params=wrong_count)
    refused(ValueError, "a" + expected + ".*group_size=2", a_params=groups)


def test_the_reference_itself_on_numbers_done_by_hand():
    assert [gemmlowp(v, 2**30, 2) for v in (4, 12, -4, -12)] == [1, 2, -1, -2]
    assert gemmlowp(2**31 - 1, 2**30, -5) == 2**30, "the left shift saturates"
    qa, qb = torch.tensor([[3, 5]]), torch.tensor([[10], [20]])
    case = qa, qb, make(1.0, 1, UINT8), make(1.0, 10, UINT8), make(8.0, 7, UINT8)
    assert reference(*case).item() == integer_matmul(*case).item() == 7 + 40 // 8
