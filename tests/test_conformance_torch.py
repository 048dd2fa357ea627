"""Beside torch's own quantizers: equal, but for where torch leaves the ONNX standard.

torch multiplies by 1/s where the standard divides by s; its quantized tensors of whole bytes
add the zero point before they round; and some kernels cast to an integer before they saturate.
"""

from itertools import product

import pytest
import torch
from conformance import DTYPES, SCALES, cases, drawn, finite, on_x86, params
from hypothesis import given, settings
from hypothesis import strategies as st

from quantcore import QuantizationScheme, UniformQuantizer, pack_int4

SCHEMES = list(QuantizationScheme)
LAYOUTS = ["per tensor", "per axis"]
NORMAL = SCALES[:-1]  # the reciprocal of 1e-40 is infinite: see the last test
LIMIT = 2.0**30  # of |x/s|, for the kernels that cast
QUANTIZED = {  # qint8, quint8, and the packed quint4x2 and quint2x4
    scheme: getattr(torch, name)
    for scheme, name in product(SCHEMES, dir(torch))
    if name.split("x")[0] == f"q{scheme.name.lower()}"
}
WHOLE_BYTES = [s for s in QUANTIZED if s.bit_width == 8]
PACKED = [s for s in QUANTIZED if s not in WHOLE_BYTES]
# torch is to drop them; until then they are what old models were computed with.
old = pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor, torch.quantize_per_channel")


def orders(x, p):
    """Scale, zero point, and clamped: rint(x/s) + z, and the three ways of torch with 1/s.

    They add z after they round, before, or before and in one operation with the product.
    """
    s, z = (t[:, None] if p.axis == 0 else t for t in (p.scale, p.zero_point))
    times, fused = x.float() * (1 / s), (x.double() * (1 / s).double() + z).float()
    found = (x.float() / s).round() + z, times.round() + z, (times + z).round(), fused.round()
    return s, z, [q.clamp(p.qmin, p.qmax) for q in found]


def fake_quantize(x, p):
    if p.axis is None:
        return torch.fake_quantize_per_tensor_affine(x, p.scale, p.zero_point, p.qmin, p.qmax)
    return torch.fake_quantize_per_channel_affine(
        x, p.scale, p.zero_point, p.axis % x.dim(), p.qmin, p.qmax
    )


def count_differences(x, p):
    """Predict quantcore by the quotient, torch by the product; they part only near ties."""
    s, z, (divided, times, *_) = orders(x, p)
    assert torch.equal(UniformQuantizer(p)(x), finite(s * (divided - z), x.dtype))
    assert torch.equal(fake_quantize(x, p), (s * (times - z)).to(x.dtype))
    ratio = (x.double() / s)[divided != times]
    assert ((ratio % 1 - 0.5).abs() <= ratio.abs() * 3 / 2**24).all()  # three roundings
    return len(ratio)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_fake_quantize_differs_by_its_reciprocal_alone(scheme, dtype, layout):
    different = sum(count_differences(*c) for c in cases(scheme, layout, dtype, LIMIT, NORMAL))
    assert different > 0 or dtype != torch.float32 or scheme.levels < 16


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=50)
@given(st.data())
def test_fake_quantize_is_predicted_whatever_the_scale_and_the_zero_point(scheme, data):
    count_differences(*data.draw(drawn(scheme, LIMIT, least=2.0**-126)))


def test_quantized_tensors_are_of_these_schemes():
    names = {s.name for s in QUANTIZED}
    assert names in ({"INT8", "UINT8", "UINT4", "UINT2"}, set())
    pytest.skip(f"quantized tensors: all but {[s.name for s in SCHEMES if s not in QUANTIZED]}")


@old
@pytest.mark.parametrize(
    "scheme, layout", [*product(WHOLE_BYTES, LAYOUTS), *product(PACKED, LAYOUTS[:1])]
)
def test_a_quantized_tensor_is_rounded_in_one_of_torchs_orders(scheme, layout):
    possible = {"after", "before", "fused"}
    for x, p in cases(scheme, layout, limit=LIMIT, scales=NORMAL):
        if p.axis is None:
            q = torch.quantize_per_tensor(x, p.scale, p.zero_point, QUANTIZED[scheme])
        else:
            q = torch.quantize_per_channel(x, p.scale, p.zero_point, p.axis % 2, QUANTIZED[scheme])
        codes = q.int_repr()
        if scheme in PACKED:  # the first code is the lowest
            shifts = torch.arange(0, 8, scheme.bit_width, dtype=torch.uint8)
            codes = ((codes[:, None] >> shifts) & scheme.qmax).flatten()[: len(x)]
            assert scheme.bit_width != 4 or torch.equal(pack_int4(codes), q.int_repr())
        ways = zip(["after", "before", "fused"], orders(x, p)[2][1:], strict=True)
        possible &= {name for name, way in ways if torch.equal(codes, way.to(codes.dtype))}
        assert torch.equal(q.dequantize(), UniformQuantizer(p).dequantize(codes))
    assert possible and (scheme in WHOLE_BYTES or possible == {"after"})


@old
@on_x86
@pytest.mark.parametrize("scheme", QUANTIZED)
def test_whole_bytes_add_the_zero_point_before_they_round(scheme):
    x = torch.tensor([0.5, 1.5, 2.5] * 6)  # 18 values: a vector, and the rest one by one
    codes = torch.quantize_per_tensor(x, 1.0, 1, QUANTIZED[scheme]).dequantize() + 1
    assert codes.tolist() == ([2, 2, 4] if scheme in WHOLE_BYTES else [1, 3, 3]) * 6
    assert UniformQuantizer(params(1.0, 1, scheme)).quantize(x).tolist() == [1, 3, 3] * 6


@old
@on_x86
def test_torch_loses_infinities_that_it_casts_and_zeros_of_a_tiny_scale():
    x, scheme = torch.tensor([torch.inf, -torch.inf] * 9), QuantizationScheme.UINT4
    p, channel = params(1.0, 0, scheme), params([1.0], [0], scheme, axis=0)
    assert UniformQuantizer(p)(x).tolist() == fake_quantize(x, p).tolist() == [15, 0] * 9
    assert UniformQuantizer(channel)(x[None])[0].tolist() == [15, 0] * 9
    assert fake_quantize(x[None], channel)[0].tolist() == [0, 0] * 9
    if scheme in QUANTIZED:
        assert not torch.quantize_per_tensor(x, 1.0, 0, QUANTIZED[scheme]).int_repr().any()
    # 1 / 1e-40 is infinite, 0 times that is NaN, and NaN becomes the least code.
    zeros, p = torch.zeros(9), params(1e-40, 3, scheme)
    assert torch.equal(UniformQuantizer(p)(zeros), zeros)
    assert torch.equal(fake_quantize(zeros, p), -3 * p.scale.expand(9))
