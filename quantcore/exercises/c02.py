"""Predictions and exercises of chapter 02: codes, bytes, bits."""

from __future__ import annotations

import math

import torch
from hypothesis import strategies as st
from torch import Tensor

from ..integer import pack_int4, unpack_int4
from ..schemes import QuantizationScheme
from .answers import Answers, choice, number, order
from .kinds import Function

FIVE = torch.tensor([1, -2, 7, -8, 3], dtype=torch.int8)


def hexed(codes: Tensor) -> str:
    """The lowest eight bits of each, as two hexadecimal digits."""
    return " ".join(f"{code & 0xFF:02X}" for code in codes.tolist())


# ---- what is packed -------------------------------------------------------------------------


def high_first(codes: Tensor) -> Tensor:
    """Packed with the first code in the high nibble."""
    packed = pack_int4(codes)
    return (packed << 4) | (packed >> 4)


def offset(codes: Tensor) -> Tensor:
    """Packed after 8 was added to each code, to make it positive."""
    return pack_int4((codes + 8).to(torch.uint8))


def one_each(codes: Tensor) -> Tensor:
    """Not packed: one byte for each code."""
    return codes.to(torch.uint8)


def unmasked(codes: Tensor) -> Tensor:
    """Packed without cutting the codes to four bits: the signs of negative ones spill over."""
    pairs = torch.cat([codes, codes.new_zeros(codes.numel() % 2)]).view(-1, 2)
    return (pairs[:, 0] | (pairs[:, 1] << 4)).view(torch.uint8)


# ---- what is unpacked -----------------------------------------------------------------------


def unpack(packed: Tensor) -> Tensor:
    """All codes of the bytes."""
    return unpack_int4(packed, (2 * packed.numel(),))


def unsigned(packed: Tensor) -> Tensor:
    """Unpacked without making the nibbles from 8 on negative."""
    return unpack_int4(packed, (2 * packed.numel(),), signed=False).to(torch.int8)


def from_high(packed: Tensor) -> Tensor:
    """Unpacked with the high nibble first."""
    return unpack(packed).view(-1, 2).flip(1).flatten()


def sign_and_size(packed: Tensor) -> Tensor:
    """Unpacked with the fourth bit as a sign, and the size in the other three."""
    nibbles = unsigned(packed)
    return torch.where(nibbles > 7, -(nibbles & 7), nibbles)


def from_nine(packed: Tensor) -> Tensor:
    """Unpacked so that 8 stays 8."""
    nibbles = unsigned(packed)
    return torch.where(nibbles > 8, nibbles - 16, nibbles)


# ---- predictions ----------------------------------------------------------------------------


def pack_five_codes() -> Answers:
    """The bytes of five packed codes."""
    ways = {"high_first": high_first, "offset": offset, "one_each": one_each}
    return choice(hexed(pack_int4(FIVE)), **{name: hexed(way(FIVE)) for name, way in ways.items()})


def divisor() -> Answers:
    """N of s = max|x| / N for signed 8-bit codes of which none clips."""
    scheme = QuantizationScheme.INT8
    return number(
        scheme.qmax,
        full_range=-scheme.qmin,
        unsigned=QuantizationScheme.UINT8.qmax,
        levels=scheme.levels,
    )


def ternary_bits() -> Answers:
    """The bits of a code with three levels."""
    scheme = QuantizationScheme.TERNARY
    return number(scheme.bit_width, floored=int(math.log2(scheme.levels)), levels=scheme.levels)


def shift_noise() -> Answers:
    """The noise of 8-bit codes shifted right by 4, over that of codes rounded to 4 bits."""
    q = torch.arange(-112, 96)
    noise = [
        (q - 16 * four).double().square().mean().item() + 1 / 12
        for four in (q >> 4, torch.round(q / 16))
    ]
    ratio = noise[0] / noise[1]
    return number(ratio, tolerance=0.15, same=1, one_bit=2, bits_lost=16)


def shrunk_data() -> Answers:
    """How many dB INT8 loses where the data shrink to a sixteenth and the scale stays."""
    shrink = 16
    return number(
        20 * math.log10(shrink),
        tolerance=1,
        ten_log=10 * math.log10(shrink),
        as_float8=0,
        twice=20 * math.log10(shrink**2),
    )


def packed_bits_per_weight() -> Answers:
    """Bits per weight: 4-bit codes, one float16 scale for each 64."""
    return number(
        bits_per_weight(4, 64, 16),
        tolerance=0.005,
        no_scale=4,
        scale_each=4 + 16,
        scale_float32=bits_per_weight(4, 64, 32),
        bytes_for_bits=bits_per_weight(4, 64, 2),
    )


def file_sizes() -> Answers:
    """As many codes, kept in three ways: from the smallest file to the largest."""
    codes = FIVE.repeat(1024)
    size = {
        "packed": pack_int4(codes).nbytes,
        "int8": codes.nbytes,
        "float": codes.float().nbytes,
    }
    right = sorted(size, key=size.__getitem__)
    return order(*right, labelled=("packed", "float", "int8"), backwards=right[::-1])


PREDICTIONS = {
    "pack-five-codes": pack_five_codes,
    "divisor": divisor,
    "ternary-bits": ternary_bits,
    "shift-noise": shift_noise,
    "shrunk-data": shrunk_data,
    "packed-bits-per-weight": packed_bits_per_weight,
    "file-sizes": file_sizes,
}

# ---- exercises ------------------------------------------------------------------------------


def bits_per_weight(bits: int, group_size: int, scale_bits: int) -> float:
    """Bits that a weight takes, with its share of the group's scale."""
    return bits + scale_bits / group_size


def code_range(bits: int, signed: bool) -> tuple[int, int]:
    """The least and the greatest code."""
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def bits_needed(levels: int) -> int:
    """The bits that number so many levels."""
    return (levels - 1).bit_length()


def integer_codes(x: Tensor, scale: float) -> Tensor:
    """Round, clamp, and store in int8."""
    return torch.round(x / scale).clamp(-128, 127).to(torch.int8)


INT4_CODES = st.lists(st.integers(-8, 7), min_size=1, max_size=9).map(
    lambda codes: (torch.tensor(codes, dtype=torch.int8),)
)
BYTES = st.lists(st.integers(0, 255), min_size=1, max_size=5).map(
    lambda codes: (torch.tensor(codes, dtype=torch.uint8),)
)
# Sixteenths, so that a tie is a tie and no answer depends on the last bit of a float.
SIXTEENTHS = st.lists(st.integers(-4000, 4000), min_size=1, max_size=6).map(
    lambda numbers: torch.tensor(numbers) / 16
)

EXERCISES = {
    "pack-int4": Function(
        pack_int4,
        ((FIVE,), (torch.tensor([-3, 5], dtype=torch.int8),)),
        INT4_CODES,
        {"high_first": high_first, "offset": offset, "one_each": one_each, "unmasked": unmasked},
        catches=(8,),
        minutes=8,
        difficulty=2,
    ),
    "unpack-int4": Function(
        unpack,
        ((pack_int4(FIVE),), (torch.tensor([0x5D], dtype=torch.uint8),)),
        BYTES,
        {
            "unsigned": unsigned,
            "from_high": from_high,
            "sign_and_size": sign_and_size,
            "from_nine": from_nine,
        },
        minutes=8,
        difficulty=2,
    ),
    "code-range": Function(
        code_range,
        ((4, True), (8, False)),
        st.tuples(st.integers(2, 16), st.booleans()),
        {
            "symmetric": lambda b, signed: (
                (1 - 2 ** (b - 1), 2 ** (b - 1) - 1) if signed else (0, 2**b - 1)
            ),
            "one_too_many": lambda b, signed: (
                (-(2 ** (b - 1)), 2 ** (b - 1)) if signed else (0, 2**b)
            ),
            "signed_only": lambda b, signed: code_range(b, True),
            "sign_extra": lambda b, signed: (-(2**b), 2**b - 1) if signed else (0, 2**b - 1),
        },
        catches=(2,),
        minutes=4,
    ),
    "bits-needed": Function(
        bits_needed,
        ((16,), (255,), (3,)),
        st.tuples(st.integers(2, 70_000)),
        {
            "floored": lambda levels: int(math.log2(levels)),
            "one_less": lambda levels: int(math.log2(levels - 1)),
            "one_more": lambda levels: levels.bit_length(),
            "not_whole": math.log2,
        },
    ),
    "integer-codes": Function(
        integer_codes,
        ((torch.tensor([0.5, -1.0, 100.0]), 0.5), (torch.tensor([0.25, 0.75]), 0.5)),
        st.tuples(SIXTEENTHS, st.sampled_from([0.25, 0.5, 1.0, 2.0])),
        {
            "float_codes": lambda x, scale: torch.round(x / scale).clamp(-128, 127),
            "wraps": lambda x, scale: torch.round(x / scale).to(torch.int32).to(torch.int8),
            "truncates": lambda x, scale: (x / scale).clamp(-128, 127).to(torch.int8),
            "clamps_first": lambda x, scale: torch.round(x.clamp(-128, 127) / scale).to(torch.int8),
            "half_up": lambda x, scale: (
                torch.floor(x / scale + 0.5).clamp(-128, 127).to(torch.int8)
            ),
        },
        catches=(4, 8),
    ),
}
