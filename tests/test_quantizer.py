"""Quantize, dequantize, fake-quantize: bit for bit what the definition says."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer, samples
from quantcore.calibration import METHODS
from quantcore.pieces import PIECE

SCHEMES = list(QuantizationScheme)
INT4, INT8, UINT8 = (QuantizationScheme[n] for n in ("INT4", "INT8", "UINT8"))
DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
LAYOUTS = {"per tensor": {}, "per channel": {"axis": 0}, "per group": {"group_size": 7}}


def spread(t, params, shape):
    """One entry per tensor, channel or group, for each value of a tensor of that shape."""
    if params.axis is not None:
        t = t.reshape([-1 if d == params.axis % len(shape) else 1 for d in range(len(shape))])
    if params.group_size is not None:
        t = np.repeat(t, params.group_size, -1)[..., : shape[-1]]
    return t


def reference(x, params):
    """The definition, in numpy: codes, and the values that they stand for."""
    x, scale, zero = x.numpy(), params.scale.numpy(), params.zero_point.numpy()
    scale, zero = spread(scale, params, x.shape), spread(zero.astype(x.dtype), params, x.shape)
    codes = np.clip(np.rint(x / scale) + zero, params.qmin, params.qmax)
    return codes, scale * (codes - zero)


def assert_bit_exact(x, params, device="cpu"):
    """Forward, quantize and dequantize against the reference; -0 counts as 0."""
    codes, values = map(torch.from_numpy, reference(x, params))
    scale, zero_point = params.scale.to(device), params.zero_point.to(device)
    quantizer = UniformQuantizer(replace(params, scale=scale, zero_point=zero_point))
    x = x.to(device)
    q = quantizer.quantize(x)
    assert q.dtype == params.dtype
    assert torch.equal(q.cpu().to(codes.dtype), codes)
    assert torch.equal(quantizer(x).cpu(), values)
    assert torch.equal(quantizer.dequantize(q).cpu(), values)


def make(scale, zero_point, scheme, **layout):
    scale, zero_point = torch.as_tensor(scale), torch.as_tensor(zero_point)
    return QuantizationParams(scale, zero_point, scheme.qmin, scheme.qmax, **layout)


def unit(zero_point=0, scheme=UINT8):
    return UniformQuantizer(make(1.0, zero_point, scheme))


# ---- values --------------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_million_values_are_bit_exact(scheme, layout, device):
    x = samples.distribution("laplace", 10**6).view(1000, 1000)
    for symmetric, part in ((False, x), (True, x[:50].abs())):  # a third of the range is clipped
        params = QuantizationParams.from_tensor(part / 3, scheme, symmetric, **LAYOUTS[layout])
        assert_bit_exact(part, params, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_tie_and_its_two_neighbours_are_bit_exact(scheme, device):
    scales = torch.tensor([1.0, 0.1, 3e-5])
    zeros = torch.tensor([0 if scheme.signed else 1, scheme.qmin, scheme.qmax])
    ties = torch.arange(scheme.qmin - 3, scheme.qmax + 4) + 0.5
    x = (ties - zeros[:, None]) * scales[:, None]  # (k + ½) s for every code and some more
    n = len(ties)
    for near in (x, torch.nextafter(x, x + 1), torch.nextafter(x, x - 1)):
        for row, s, z in zip(near, scales, zeros, strict=True):
            assert_bit_exact(row, make(s, z, scheme), device)
        assert_bit_exact(near, make(scales, zeros, scheme, axis=0), device)
        assert_bit_exact(near.T, make(scales, zeros, scheme, axis=-1), device)
        groups = make(scales[None], zeros[None], scheme, group_size=n)
        assert_bit_exact(near.reshape(1, -1)[:, :-2], groups, device)  # the last one is shorter


@given(
    st.floats(-(2.0**20), 2.0**20, width=32),
    st.integers(-20, 20),
    st.sampled_from(SCHEMES),
    st.data(),
)
def test_with_a_scale_of_a_power_of_two_it_is_exact_arithmetic(x, exponent, scheme, data):
    z = data.draw(st.integers(scheme.qmin, scheme.qmax))
    quantizer = UniformQuantizer(make(2.0**exponent, z, scheme))
    rounded = round(Fraction(x) / Fraction(2) ** exponent)  # Python rounds halves to even, too
    code = min(max(rounded + z, scheme.qmin), scheme.qmax)
    assert quantizer.quantize(torch.tensor([x])).item() == code
    assert quantizer(torch.tensor([x])).item() == Fraction(2) ** exponent * (code - z)


def test_the_order_is_round_add_clamp():
    assert unit(1).quantize(torch.tensor([0.5, 1.5, 2.5])).tolist() == [1, 3, 3]
    assert unit(250).quantize(torch.tensor([-250.0, 4.5, 5.5, 9.0])).tolist() == [0, 254, 255, 255]


def test_it_divides_and_does_not_multiply_by_the_reciprocal():
    s = torch.tensor(0.7)
    x = (torch.arange(256) + 0.5) * s
    assert not torch.equal(torch.round(x / s), torch.round(x * (1 / s))), "they differ on ties"
    assert_bit_exact(x, make(s, 0, UINT8))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32_and_rounded_once(dtype, layout):
    x = samples.distribution("normal", 3000).view(30, 100).to(dtype)
    for scheme in (INT4, INT8):
        params = QuantizationParams.from_tensor(x / 2, scheme, False, **LAYOUTS[layout])
        assert params.scale.dtype == torch.float32
        codes, values = reference(x.float(), params)
        quantizer = UniformQuantizer(params)
        assert torch.equal(quantizer(x), torch.from_numpy(values).to(dtype))
        assert np.array_equal(quantizer.quantize(x).numpy(), codes)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_float64_is_computed_in_float64(layout):
    x = samples.distribution("normal", 3000).view(30, 100).double() / 3
    params = QuantizationParams.from_tensor(x / 2, INT8, False, **LAYOUTS[layout])
    assert params.scale.dtype == torch.float64
    assert_bit_exact(x, params)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_forward_is_dequantize_of_quantize_in_the_input_dtype(dtype, layout):
    x = samples.distribution("normal", 3000).view(30, 100).to(dtype)
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT4, **LAYOUTS[layout]))
    assert quantizer(x).dtype == dtype
    assert torch.equal(quantizer(x), quantizer.dequantize(quantizer.quantize(x)).to(dtype))


def test_a_tensor_without_axes_and_one_that_is_not_contiguous():
    assert unit()(torch.tensor(2.6)).item() == 3 and unit()(torch.tensor(2.6)).shape == ()
    x = samples.distribution("normal", 600).view(20, 30)
    params = QuantizationParams.from_tensor(x, INT4, False, axis=1)
    assert_bit_exact(x, params)
    assert_bit_exact(x.T, replace(params, axis=0))
    assert_bit_exact(x[::2], params)


def test_rows_longer_than_a_piece_are_taken_one_by_one():
    x = samples.distribution("normal", 3 * (PIECE + 5)).view(3, -1)
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT8, axis=0))
    assert torch.equal(quantizer(x), quantizer.dequantize(quantizer.quantize(x)))


def test_large_tensors_are_taken_in_pieces_without_a_seam():
    x = samples.distribution("normal", 1_300_000)
    for view, layout in ((x, {}), (x.view(13, -1), {"axis": 0}), (x.view(-1, 13), {"axis": 1}),
                         (x.view(-1, 13), {"group_size": 5}), (x.view(13, -1).T, {})):  # fmt: skip
        assert_bit_exact(view, QuantizationParams.from_tensor(view, INT8, False, **layout))


def test_a_row_longer_than_a_piece_is_taken_whole():
    x = samples.distribution("normal", 3 * (2**19 + 5)).view(3, -1)
    assert_bit_exact(x, QuantizationParams.from_tensor(x, INT8, False, axis=0))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int64])
def test_zero_points_may_have_any_integer_dtype(dtype):
    # ONNX stores them like the codes; qmin - z would wrap around in 8 bits.
    scheme = UINT8 if dtype == torch.uint8 else INT8
    zeros = torch.tensor([7, 100], dtype=dtype)
    x = torch.linspace(-300, 300, 50).view(2, 25)
    assert_bit_exact(x, make([1.0, 2.0], zeros, scheme, axis=0))
    assert_bit_exact(x, make(1.0, zeros[0], INT8))


def test_codes_may_have_any_integer_dtype():
    for q in (torch.tensor([0, 7], dtype=torch.uint8), torch.tensor([0, 7], dtype=torch.int8)):
        for scheme in (INT8, UINT8):
            assert unit(0, scheme).dequantize(q).tolist() == [0, 7]
    assert unit().dequantize(torch.empty(0, dtype=torch.uint8)).shape == (0,)


def test_infinities_saturate():
    x = torch.tensor([torch.inf, -torch.inf])
    assert unit().quantize(x).tolist() == [255, 0]
    assert unit().forward(x).tolist() == [255, 0]
    tiny = UniformQuantizer(make(1e-45, 0, INT8))  # x / s overflows for finite x, too
    assert tiny.quantize(torch.tensor([3e38, -3e38, 0.0])).tolist() == [127, -128, 0]


def test_a_float64_scale_beyond_float32_does_not_become_infinite():
    p = make(torch.tensor(1e300, dtype=torch.float64), 0, INT4)
    x = torch.tensor([-1.0, 0.5, 3e38])
    quantizer = UniformQuantizer(p)
    assert quantizer.quantize(x).tolist() == [0, 0, 1]  # the scale is the largest float32
    assert quantizer(x).tolist() == [0, 0, torch.finfo(torch.float32).max]


def test_a_float64_scale_that_float32_cannot_hold_does_not_become_zero():
    p = make(torch.tensor(1e-300, dtype=torch.float64), 0, INT8)
    x = torch.tensor([0.0, 1.0])
    assert UniformQuantizer(p).quantize(x).tolist() == [0, 127]
    assert UniformQuantizer(p)(x).isfinite().all()


def test_a_scale_that_float32_can_hold_is_taken_as_it_is():
    p = make(torch.tensor(1e-37, dtype=torch.float64), 0, INT8)
    assert UniformQuantizer(p).quantize(torch.tensor([1e-37, 2e-37])).tolist() == [1, 2]


@pytest.mark.parametrize("shape", [(11,), (2, 11), (2, 3, 11), (2, 3, 2, 11)])
def test_groups_lie_along_the_last_axis_whatever_the_number_of_axes(shape):
    x = samples.distribution("laplace", math.prod(shape)).view(shape).float()
    p = QuantizationParams.from_tensor(x, INT4, group_size=4)
    each = [
        UniformQuantizer(QuantizationParams.from_tensor(part, INT4, axis=0))
        for part in (x.view(-1, 11)[:, i : i + 4] for i in (0, 4, 8))
    ]
    parts = [q(x.view(-1, 11)[:, i : i + 4]) for q, i in zip(each, (0, 4, 8), strict=True)]
    assert torch.equal(UniformQuantizer(p)(x).view(-1, 11), torch.cat(parts, -1))


# ---- out -----------------------------------------------------------------------------------


def test_x_may_be_named_and_out_must_be():
    x = torch.tensor([0.4, 1.6])
    assert torch.equal(unit().forward(x=x, out=torch.empty(2)), torch.tensor([0.0, 2.0]))
    with pytest.raises(TypeError, match="positional argument"):
        unit().forward(x, torch.empty(2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_out_receives_the_same_and_is_returned(layout, dtype):
    x = samples.distribution("normal", 1000).view(40, 25).to(dtype)
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT8, **LAYOUTS[layout]))
    expected, buffer = quantizer(x), torch.empty_like(x)
    assert quantizer.forward(x, out=buffer) is buffer
    assert torch.equal(buffer, expected)
    for other in (torch.empty(40, 50, dtype=dtype)[:, ::2], torch.empty(25, 40, dtype=dtype).T):
        assert torch.equal(quantizer.forward(x, out=other), expected)
    assert quantizer.forward(x, out=x) is x
    assert torch.equal(x, expected), "x itself may receive the result"


def test_out_may_be_x_itself_where_x_is_taken_in_pieces():
    x = samples.distribution("normal", 1_300_000)
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT8))
    expected = quantizer(x)
    assert torch.equal(quantizer.forward(x, out=x), expected)


def test_an_out_that_overlaps_x_is_refused_where_x_is_taken_in_pieces():
    buffer = samples.distribution("normal", 2**21)
    x, before = buffer[: 2**20], buffer.clone()
    for view, out in ((x, buffer[2**19 : 2**19 + 2**20]), (x.view(1024, -1), x.view(1024, -1).T)):
        with pytest.raises(ValueError, match="out: it shares memory with x without being x"):
            unit().forward(view, out=out)
    one = torch.zeros(1, 2**20)
    with pytest.raises(ValueError, match="out: some of its values share one place in memory"):
        unit().forward(buffer.view(2, -1), out=one.expand(2, -1))
    assert torch.equal(buffer, before) and not one.any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_x_is_not_written_over_where_it_holds_a_nan(dtype):
    x = samples.distribution("normal", 1_300_000).to(dtype)
    x[-1] = torch.nan
    before = x.clone()
    with pytest.raises(ValueError, match="x: found 1 NaN of 1300000 values"):
        unit().forward(x, out=x)
    assert torch.equal(x[:-1], before[:-1])


def test_a_wrong_out_is_refused():
    with pytest.raises(ValueError, match=r"out: expected shape \(3,\).*found \(4,\)"):
        unit().forward(torch.ones(3), out=torch.ones(4))
    with pytest.raises(ValueError, match=r"out: expected .* torch.float32.*found .*torch.float64"):
        unit().forward(torch.ones(3), out=torch.ones(3).double())
    with pytest.raises(TypeError, match="out: expected a tensor like x, found list"):
        unit().forward(torch.ones(3), out=[0.0, 0.0, 0.0])


# ---- refusals ------------------------------------------------------------------------------

FLOATS = "x: expected a float16, bfloat16, float32 or float64 tensor, found torch"
REFUSED = [
    (TypeError, FLOATS + ".int64; use x.float", torch.arange(3)),
    (TypeError, FLOATS + ".bool; use x.float", torch.ones(3) > 0),
    (TypeError, FLOATS + ".complex64; use x.real", torch.ones(3) + 0j),
    (TypeError, "x: expected a torch.Tensor, found list; use torch.as_tensor", [1.0]),
    (TypeError, "x: expected a torch.Tensor, found ndarray; use torch.as_tensor", np.ones(3)),
    (ValueError, r"x: the tensor is empty \(shape \(0,\)\); give it a value", torch.empty(0)),
    (ValueError, "x: found 2 NaN of 3 values; NaN has no code, remove them",
     torch.tensor([torch.nan, 1.0, torch.nan])),
    (ValueError, "x: found 1 NaN of 3 values",
     torch.tensor([torch.nan, torch.inf, -torch.inf], dtype=torch.float16)),
]  # fmt: skip


@pytest.mark.parametrize("error, message, x", REFUSED)
def test_what_has_no_code_is_refused(error, message, x):
    for call in (unit().quantize, unit().forward, unit(3)):
        with pytest.raises(error, match=message):
            call(x)


def test_one_nan_among_many_values_is_found_on_every_path():
    x = samples.distribution("normal", 1_300_000).view(13, -1)
    x[7, 77_777] = torch.nan
    for scale, zero, layout in ((1.0, 0, {}), ([1.0] * 13, list(range(13)), {"axis": 0})):
        quantizer = UniformQuantizer(make(scale, zero, INT8, **layout))
        for call in (quantizer.quantize, quantizer, lambda v, q=quantizer: q.forward(v, out=v)):
            with pytest.raises(ValueError, match="x: found 1 NaN of 1300000 values"):
                call(x.clone())


def test_layouts_that_do_not_fit_are_refused():
    x = torch.rand(4, 10)
    channels = UniformQuantizer(QuantizationParams.from_tensor(x, INT8, axis=0))
    groups = UniformQuantizer(QuantizationParams.from_tensor(x, INT8, group_size=4))
    for call in (channels, channels.quantize):
        for shape in ((5, 10), (), (10, 4)):
            with pytest.raises(ValueError, match="x: the parameters have 4 channels on axis 0, fo"):
                call(torch.ones(shape))
    for call in (groups, groups.quantize):
        for shape in ((4, 20), (5, 10), (10,), ()):
            with pytest.raises(ValueError, match="x: the parameters have groups of 4 in shape"):
                call(torch.ones(shape))


def test_what_is_no_code_is_refused():
    for found, q in (("torch.float32", torch.ones(3)), ("torch.bool", torch.ones(3) > 0),
                     ("torch.complex64", torch.ones(3) + 0j), ("int", 3)):  # fmt: skip
        with pytest.raises(
            TypeError, match=f"q: expected an integer tensor, found {found}; use quantize"
        ):
            unit().dequantize(q)
    with pytest.raises(ValueError, match=r"q: expected codes in \[0, 255\], found \[-1, 7\]; use"):
        unit().dequantize(torch.tensor([-1, 7]))
    with pytest.raises(ValueError, match=r"q: expected codes in \[-8, 7\], found \[0, 8\]"):
        unit(0, INT4).dequantize(torch.tensor([0, 8], dtype=torch.uint8))
    with pytest.raises(
        TypeError, match="params: expected QuantizationParams, found float; use .*from_tensor"
    ):
        UniformQuantizer(0.1)


# ---- gradient ------------------------------------------------------------------------------


def gradient(f, x, upstream):
    x = x.clone().requires_grad_()
    f(x).backward(upstream)
    return x.grad


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("scheme", [s for s in SCHEMES if s.bit_width <= 8])  # what torch takes
def test_the_gradient_is_that_of_torchs_fake_quantize(scheme, symmetric, device):
    x = samples.distribution("normal", 12_000).view(6, -1)
    x = x.abs() if symmetric and not scheme.signed else x
    upstream = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).to(device)
    for layout in ({}, {"axis": 0}):
        p = QuantizationParams.from_tensor(x / 2, scheme, symmetric, **layout)
        scale = p.scale.view(-1, 1) if layout else p.scale
        # torch multiplies by 1/s, and so may round to the other code next to a tie.
        safe = (((x / scale).frac().abs() - 0.5).abs() > 1e-3).to(device)
        s, z = p.scale.to(device), p.zero_point.to(device)
        ours = gradient(UniformQuantizer(replace(p, scale=s, zero_point=z)), x.to(device), upstream)

        def torchs(v, s=s, z=z, p=p):
            if p.axis is None:
                return torch.fake_quantize_per_tensor_affine(v, s, z, p.qmin, p.qmax)
            return torch.fake_quantize_per_channel_affine(v, s, z, p.axis, p.qmin, p.qmax)

        theirs = gradient(torchs, x.to(device), upstream)
        assert torch.equal(ours[safe], theirs[safe])
        assert 0 < (ours[safe] == 0).sum() < safe.sum() and safe.double().mean() > 0.99


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_gradient_is_the_mask_on_the_very_boundaries(scheme):
    for s, z in ((0.5, 0), (0.5, scheme.qmax), (0.1, scheme.qmin), (0.1, 1)):
        p = make(s, z, scheme)
        ends = torch.tensor([scheme.qmin - 0.5 - z, scheme.qmax + 0.5 - z]) * p.scale
        x = torch.cat([ends, torch.nextafter(ends, ends - 1), torch.nextafter(ends, ends + 1)])
        unclamped = np.rint(x.numpy() / p.scale.numpy()) + z
        mask = torch.from_numpy((unclamped >= scheme.qmin) & (unclamped <= scheme.qmax))
        upstream = torch.arange(1.0, len(x) + 1)
        grad = gradient(UniformQuantizer(p), x, upstream)
        assert torch.equal(grad, upstream * mask)
        assert torch.equal(UniformQuantizer(p).in_range(x), mask)
        assert mask.any() and not mask.all()
        if s == 0.5 and scheme.bit_width <= 8:  # 1/s is exact: torch must agree everywhere

            def torchs(v, p=p):
                zero = p.zero_point.int()
                return torch.fake_quantize_per_tensor_affine(v, p.scale, zero, p.qmin, p.qmax)

            assert torch.equal(grad, gradient(torchs, x, upstream))


def test_the_gradient_ends_where_clamping_begins():
    x = torch.tensor([-0.51, -0.5, 0.0, 255.49, 255.51, 1e9])
    assert gradient(unit(), x, torch.ones(6)).tolist() == [0, 1, 1, 1, 0, 0]
    far = torch.tensor([-1e38, -torch.inf, 300.0, torch.inf])
    upstream = torch.tensor([1.0, torch.inf, torch.nan, -5.0])
    assert gradient(unit(), far, upstream).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_gradient_has_the_inputs_dtype_and_layout(dtype):
    x = samples.distribution("normal", 210).view(2, 105).to(dtype)
    for layout in LAYOUTS.values():
        p = QuantizationParams.from_tensor(x / 2, INT4, False, **layout)
        codes, _ = reference(x.float() if dtype.itemsize == 2 else x, p)
        grad = gradient(UniformQuantizer(p), x, torch.ones_like(x))
        assert grad.dtype == dtype and set(grad.flatten().tolist()) == {0, 1}
        strictly_inside = torch.from_numpy((codes > p.qmin) & (codes < p.qmax))
        assert (grad[strictly_inside] == 1).all()


def test_torch_func_takes_the_same_gradient():
    x = samples.distribution("normal", 100)
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x / 2, INT4))
    expected = gradient(quantizer, x, torch.ones_like(x))
    assert torch.equal(torch.func.grad(lambda v: quantizer(v).sum())(x), expected)


def test_there_is_no_gradient_through_out():
    x = torch.ones(3, requires_grad=True)
    with pytest.raises(ValueError, match="out: x requires a gradient; use torch.no_grad"):
        unit().forward(x, out=torch.empty(3))
    with torch.no_grad():
        assert not unit()(x).requires_grad
        assert not unit().forward(x, out=torch.empty(3)).requires_grad
    assert unit()(x).requires_grad and not unit().quantize(x).requires_grad


# ---- properties ----------------------------------------------------------------------------

floats = st.floats(-(2.0**100), 2.0**100, width=32)


@given(st.lists(floats, min_size=1, max_size=30), st.sampled_from(SCHEMES), st.booleans())
def test_properties_of_any_tensor(values, scheme, symmetric):
    x = torch.tensor(values)
    if symmetric and not scheme.signed:
        x = x.abs()
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, scheme, symmetric))
    x_hat, s = quantizer(x), quantizer.params.scale
    # x/s and s (q - z) are each rounded once, by at most half a unit in the last place of x;
    # 4 eps |x| is four such units. Below 1e-38 a unit is the least positive number, 1.4e-45.
    slack = 4 * torch.finfo(x.dtype).eps * x.abs() + 1.5e-45
    inside = quantizer.in_range(x)
    assert ((x - x_hat).abs() <= s / 2 + slack)[inside].all()
    # The scale itself is rounded, and so is z: the ends may be clipped by less than half a step,
    # and where s is below 1e-38 by half of the least positive number for each code.
    coarse = scheme.levels * 0.75e-45
    assert ((x - x_hat).abs() <= s + slack + coarse).all()
    assert torch.equal(quantizer(x_hat), x_hat), "idempotent"
    assert (quantizer(x.sort().values).diff() >= 0).all(), "monotone"
    assert (quantizer(torch.zeros(1)) == 0).all(), "zero is exact"
    assert quantizer.quantize(torch.zeros(1)) == quantizer.params.zero_point


def finite(dtype):
    """What stresses a float: its ends, its smallest normal number, its least positive number."""
    info = torch.finfo(dtype)
    edges = [info.max, info.max / 2, info.tiny, info.tiny / 3, info.tiny * info.eps, 0.0, 1.0]
    width = 32 if dtype == torch.bfloat16 else dtype.itemsize * 8
    return st.sampled_from(edges + [-e for e in edges]) | st.floats(
        -info.max, info.max, width=width
    )


@st.composite
def a_way_to_quantize(draw):
    dtype = draw(st.sampled_from(DTYPES))
    x = torch.tensor(draw(st.lists(finite(dtype), min_size=6, max_size=6)), dtype=torch.float64)
    x = x.to(dtype).view(2, 3)
    scheme = draw(st.sampled_from(SCHEMES))
    symmetric, full_range = draw(st.sampled_from([(False, False), (True, False), (True, True)]))
    if symmetric and not scheme.signed:
        x, full_range = x.abs(), False
    layout = draw(st.sampled_from([{}, {"axis": 0}, {"axis": -1}, {"group_size": 2}]))
    return x, {"scheme": scheme, "symmetric": symmetric, "full_range": full_range} | layout


EXAMPLES = {"minmax": 300, "percentile": 100, "mse": 20, "entropy": 5}  # the last two search


@pytest.mark.parametrize("method", METHODS)
def test_finite_input_never_becomes_infinite_or_nan(method):
    @settings(max_examples=EXAMPLES.get(method, 100))
    @given(a_way_to_quantize())
    def check(case):
        x, options = case
        params = QuantizationParams.from_tensor(x, method=method, percentile=80.0, **options)
        assert params.scale.isfinite().all() and (params.scale > 0).all()
        quantizer = UniformQuantizer(params)
        q = quantizer.quantize(x)
        assert params.qmin <= q.min() and q.max() <= params.qmax
        assert quantizer(x).isfinite().all() and quantizer(x).dtype == x.dtype
        assert quantizer.dequantize(q).isfinite().all()
        assert torch.equal(quantizer(x), quantizer.forward(x, out=torch.empty_like(x)))
        assert gradient(quantizer, x, torch.ones_like(x)).isfinite().all()

    check()
