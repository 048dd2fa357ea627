"""The grids."""

from fractions import Fraction
from itertools import product

import pytest
import torch

from quantcore import QuantizationScheme, float_levels, nf4_levels
from quantcore.schemes import format_levels, round_to_levels, storage_dtype, unclamped_codes


@pytest.mark.parametrize("scheme", [s for s in QuantizationScheme if s.name != "TERNARY"])
def test_a_scheme_follows_from_its_name(scheme):
    bits = int(scheme.name.removeprefix("U").removeprefix("INT"))
    signed = not scheme.name.startswith("U")
    assert (scheme.bit_width, scheme.signed, scheme.levels) == (bits, signed, 2**bits)
    assert scheme.qmin == (-(2 ** (bits - 1)) if signed else 0)
    assert scheme.qmax == scheme.qmin + 2**bits - 1
    info = torch.iinfo(scheme.dtype)
    assert info.min <= scheme.qmin and scheme.qmax <= info.max
    assert QuantizationScheme.from_bits(bits, signed) is scheme


def test_the_family_is_complete():
    names = {f"{u}INT{b}" for u in ("", "U") for b in range(2, 9)} | {"INT16", "TERNARY"}
    assert set(QuantizationScheme.__members__) == names
    # Enum would make an alias of a member whose value is already there, and loops pass it over.
    assert [s.name for s in QuantizationScheme] == list(QuantizationScheme.__members__)


def test_ternary_has_three_codes_in_two_bits():
    s = QuantizationScheme.TERNARY
    found = (s.qmin, s.qmax, s.levels, s.bit_width, s.signed, s.dtype)
    assert found == (-1, 1, 3, 2, True, torch.int8)
    assert QuantizationScheme.from_bits(2) is QuantizationScheme.INT2


def test_a_scheme_is_signed_unless_said_otherwise():
    assert QuantizationScheme.from_bits(4) is QuantizationScheme.INT4
    assert QuantizationScheme.from_bits(4, signed=False) is QuantizationScheme.UINT4


def test_the_documents_schemes():
    found = [(s.qmin, s.qmax, s.dtype) for s in map(QuantizationScheme.__getitem__,
             ("INT8", "UINT8", "INT4", "INT16"))]  # fmt: skip
    assert found == [
        (-128, 127, torch.int8),
        (0, 255, torch.uint8),
        (-8, 7, torch.int8),
        (-32768, 32767, torch.int16),
    ]


@pytest.mark.parametrize(
    "bits, signed", [(1, True), (9, True), (16, False), (0, False), (-4, True)]
)
def test_a_bit_width_out_of_range_is_refused(bits, signed):
    with pytest.raises(ValueError, match=rf"bits: no .*signed scheme has {bits} bits; use one of"):
        QuantizationScheme.from_bits(bits, signed)


def test_the_refusal_lists_the_widths_that_exist():
    with pytest.raises(ValueError, match=r"no signed scheme .* one of \[2, 3, 4, 5, 6, 7, 8, 16\]"):
        QuantizationScheme.from_bits(9)
    with pytest.raises(ValueError, match=r"no unsigned scheme .* one of \[2, 3, 4, 5, 6, 7, 8\]"):
        QuantizationScheme.from_bits(16, signed=False)


@pytest.mark.parametrize("bits", [4.0, "4", None])
def test_a_bit_width_that_is_no_integer_is_refused(bits):
    with pytest.raises(TypeError, match="bits: expected an int, found"):
        QuantizationScheme.from_bits(bits)


def test_a_signedness_that_is_no_bool_is_refused():
    with pytest.raises(TypeError, match="signed: expected True or False, found 'no'"):
        QuantizationScheme.from_bits(8, "no")


def test_unclamped_codes_are_rounded_before_the_zero_point_is_added():
    x, scale, zero_point = torch.tensor([5.0, 7.0, 1e6]), torch.tensor(2.0), torch.tensor(3)
    assert unclamped_codes(x, scale, zero_point).tolist() == [5, 7, 500_003]  # 2.5 → 2, 3.5 → 4


def test_codes_beyond_int16_are_refused():
    assert storage_dtype(-1, 255) == torch.int16
    with pytest.raises(ValueError, match=r"codes must fit in int16, found \[0, 32768\]"):
        storage_dtype(0, 2**15)


def test_e2m1_is_the_fp4_of_the_microscaling_formats():
    positive = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    expected = [-v for v in reversed(positive[1:])] + positive
    assert float_levels(2, 1).tolist() == expected


def value(bits, exponent_bits, mantissa_bits):
    """What the bits of a small float mean, by the definition of OCP Microscaling Formats 5.3."""
    e, m = divmod(bits, 2**mantissa_bits)
    bias = 2 ** (exponent_bits - 1) - 1
    if e == 0:
        return Fraction(2) ** (1 - bias) * Fraction(m, 2**mantissa_bits)
    return Fraction(2) ** (e - bias) * (1 + Fraction(m, 2**mantissa_bits))


@pytest.mark.parametrize("exponent_bits, mantissa_bits", [*product((1, 2, 3), range(4)), (8, 10)])
def test_a_small_float_has_a_level_for_every_code(exponent_bits, mantissa_bits):
    formats = exponent_bits, mantissa_bits
    positive = [value(bits, *formats) for bits in range(2 ** (exponent_bits + mantissa_bits))]
    expected = [-v for v in reversed(positive[1:])] + positive
    levels = float_levels(*formats)
    assert levels.tolist() == expected and levels.dtype == torch.float64


@pytest.mark.parametrize("bits", [(0, 3), (2, -1), (9, 0), (2, 11)])
def test_a_float_out_of_range_is_refused(bits):
    with pytest.raises(ValueError, match=f"exponent_bits, .*found {bits[0]} and {bits[1]}"):
        float_levels(*bits)


def test_a_float_with_parts_of_bits_is_refused():
    with pytest.raises(TypeError, match="mantissa_bits: expected an int, found 1.5"):
        float_levels(2, 1.5)
    with pytest.raises(TypeError, match="exponent_bits: expected an int, found '2'"):
        float_levels("2", 1)


def test_nf4_is_the_published_table():
    # Dettmers et al. 2023, appendix E.
    published = [
        -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
        -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
        0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
        0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
    ]  # fmt: skip
    assert nf4_levels().tolist() == pytest.approx(published, abs=1e-4)


@pytest.mark.parametrize(
    "name, count, largest",
    [
        ("INT4", 16, 7), ("INT8", 256, 127), ("FP4 E2M1", 15, 6), ("NF4", 16, 1),
        ("FP8 E4M3", 253, 448), ("FP8 E5M2", 247, 57344),
    ],
)  # fmt: skip
def test_formats_have_the_levels_of_their_definitions(name, count, largest):
    levels = format_levels(name)
    assert len(levels) == count and levels.max() == largest
    assert (levels.diff() > 0).all() and 0 in levels


def test_rounding_to_levels_takes_the_nearest():
    levels = torch.tensor([-1.0, 0.0, 0.5, 4.0], dtype=torch.float64)
    x = torch.tensor([-9.0, -0.6, 0.2, 0.3, 2.0, 2.5])
    assert round_to_levels(x, levels).tolist() == [-1, -1, 0, 0.5, 0.5, 4]


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="name: 'FP6' is not known; use one of .*'FP8 E5M2'"):
        format_levels("FP6")
