"""Quantize, dequantize, fake-quantize: bit for bit what the definition says."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer, samples

SCHEMES = list(QuantizationScheme)
DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
LAYOUTS = {"per tensor": {}, "per channel": {"axis": 0}, "per group": {"group_size": 7}}


def reference(x, params):
    """The definition, in numpy: codes and values."""
    x, scale = x.numpy(), params.scale.numpy()
    zero = params.zero_point.numpy().astype(x.dtype)
    if params.axis is not None:
        shape = [-1 if d == params.axis % x.ndim else 1 for d in range(x.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    if params.group_size is not None:
        scale, zero = (
            np.repeat(t, params.group_size, -1)[..., : x.shape[-1]] for t in (scale, zero)
        )
    codes = np.clip(np.rint(x / scale) + zero, params.qmin, params.qmax)
    return codes, scale * (codes - zero)


def unit(zero_point=0, scheme=QuantizationScheme.UINT8):
    return UniformQuantizer(
        QuantizationParams(torch.tensor(1.0), torch.tensor(zero_point), scheme.qmin, scheme.qmax)
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_million_values_are_bit_exact(scheme, layout):
    x = samples.distribution("laplace", 10**6).view(100, -1)
    params = QuantizationParams.from_tensor(x / 3, scheme, False, **LAYOUTS[layout])
    codes, values = reference(x, params)
    quantizer = UniformQuantizer(params)
    assert np.array_equal(quantizer(x).numpy(), values)
    assert np.array_equal(quantizer.quantize(x).numpy(), codes)
    assert quantizer.quantize(x).dtype == scheme.dtype


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("scale", [1.0, 0.1, 3e-5])
def test_every_tie_is_bit_exact(scheme, scale):
    for z in {scheme.qmin, 0, 1, scheme.qmax}:
        params = QuantizationParams(torch.tensor(scale), torch.tensor(z), scheme.qmin, scheme.qmax)
        k = torch.arange(scheme.qmin - 3, scheme.qmax + 4) - z + 0.5
        x = k * params.scale
        for near in (x, torch.nextafter(x, x + 1), torch.nextafter(x, x - 1)):
            codes, values = reference(near, params)
            quantizer = UniformQuantizer(params)
            assert np.array_equal(quantizer(near).numpy(), values)
            assert np.array_equal(quantizer.quantize(near).numpy(), codes)


def test_the_order_is_round_add_clamp():
    assert unit(1).quantize(torch.tensor([0.5, 1.5, 2.5])).tolist() == [1, 3, 3]


def test_infinities_saturate_and_nan_is_refused():
    assert unit().quantize(torch.tensor([torch.inf, -torch.inf])).tolist() == [255, 0]
    for call in (unit().quantize, unit().forward):
        with pytest.raises(ValueError, match="x: found 1 NaN of 2 values; .* remove"):
            call(torch.tensor([1.0, torch.nan]))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_forward_is_dequantize_of_quantize_in_the_input_dtype(dtype, layout):
    x = samples.distribution("normal", 3000).view(30, 100).to(dtype)
    params = QuantizationParams.from_tensor(x, QuantizationScheme.INT4, **LAYOUTS[layout])
    quantizer = UniformQuantizer(params)
    x_hat = quantizer(x)
    assert x_hat.dtype == dtype
    assert params.scale.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.equal(x_hat, quantizer.dequantize(quantizer.quantize(x)).to(dtype))


def test_out_receives_the_same_and_is_returned():
    for shape in ((1000,), (40, 25)):
        x = samples.distribution("normal", 1000).view(shape)
        for layout in ({}, {"axis": 0}):
            params = QuantizationParams.from_tensor(x, QuantizationScheme.INT8, **layout)
            quantizer, buffer = UniformQuantizer(params), torch.empty(shape)
            assert quantizer.forward(x, out=buffer) is buffer
            assert torch.equal(buffer, quantizer(x))


def test_out_may_be_x_itself_or_a_strided_view_or_half_precision():
    quantizer, x = unit(), torch.rand(64) * 9
    expected = quantizer(x)
    strided = torch.empty(128)[::2]
    assert torch.equal(quantizer.forward(x, out=strided), expected)
    assert torch.equal(quantizer.forward(x, out=x), expected)
    half = (torch.rand(64) * 9).half()
    assert torch.equal(quantizer.forward(half, out=torch.empty_like(half)), quantizer(half))


def test_large_tensors_are_taken_in_pieces_without_a_seam():
    x = samples.distribution("normal", 1_300_000)
    for view, layout in ((x, {}), (x.view(13, -1), {"axis": 0}), (x.view(-1, 13), {"axis": 1})):
        for symmetric in (True, False):
            params = QuantizationParams.from_tensor(
                view, QuantizationScheme.INT8, symmetric, **layout
            )
            assert np.array_equal(
                UniformQuantizer(params)(view).numpy(), reference(view, params)[1]
            )


def test_a_wrong_out_is_refused():
    with pytest.raises(ValueError, match=r"out: expected shape \(3,\).*found \(4,\)"):
        unit().forward(torch.ones(3), out=torch.ones(4))
    with pytest.raises(ValueError, match="out: x requires a gradient; use torch.no_grad"):
        unit().forward(torch.ones(3, requires_grad=True), out=torch.ones(3))


def test_layouts_that_do_not_fit_are_refused():
    x = torch.rand(4, 10)
    channels = UniformQuantizer(QuantizationParams.from_tensor(x, SCHEMES[0], axis=0))
    with pytest.raises(ValueError, match=r"x: the parameters have 4 channels on axis 0, found"):
        channels(torch.rand(5, 10))
    groups = UniformQuantizer(QuantizationParams.from_tensor(x, SCHEMES[0], group_size=4))
    with pytest.raises(ValueError, match="x: the parameters have groups of 4"):
        groups(torch.rand(4, 20))


@pytest.mark.parametrize("x", [torch.arange(3), torch.ones(3, dtype=torch.bool), [1.0],
                               torch.ones(2, dtype=torch.complex64)])  # fmt: skip
def test_what_is_no_float_tensor_is_refused(x):
    for call in (unit().quantize, unit().forward):
        with pytest.raises(TypeError, match="x: expected a"):
            call(x)


def test_empty_tensors_and_wrong_codes_are_refused():
    with pytest.raises(ValueError, match="x: the tensor is empty"):
        unit()(torch.empty(0))
    with pytest.raises(TypeError, match="q: expected an integer tensor, found torch.float32"):
        unit().dequantize(torch.ones(3))
    with pytest.raises(ValueError, match=r"q: expected codes in \[0, 255\], found \[-1, 7\]"):
        unit().dequantize(torch.tensor([-1, 7]))
    with pytest.raises(TypeError, match="params: expected QuantizationParams, found float"):
        UniformQuantizer(0.1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("symmetric", [True, False])
def test_the_gradient_is_that_of_torchs_fake_quantize(device, symmetric):
    data = samples.distribution("normal", 10_000).to(device)
    p = QuantizationParams.from_tensor(
        data, QuantizationScheme.INT4, symmetric, method="percentile", percentile=95
    )
    upstream = torch.randn(10_000, generator=torch.Generator().manual_seed(1)).to(device)
    gradients = []
    for f in (
        UniformQuantizer(p),
        lambda x: torch.fake_quantize_per_tensor_affine(x, p.scale, p.zero_point, p.qmin, p.qmax),
    ):
        x = data.clone().requires_grad_()
        f(x).backward(upstream)
        gradients.append(x.grad)
    assert torch.equal(*gradients)
    assert 0 < (gradients[0] == 0).sum() < 10_000


def test_the_gradient_per_channel_is_that_of_torchs():
    data = samples.distribution("laplace", 1000).view(10, 100)
    p = QuantizationParams.from_tensor(
        data, QuantizationScheme.INT4, axis=0, method="percentile", percentile=90
    )
    ours, theirs = (data.clone().requires_grad_() for _ in range(2))
    UniformQuantizer(p)(ours).sum().backward()
    torch.fake_quantize_per_channel_affine(
        theirs, p.scale, p.zero_point, 0, p.qmin, p.qmax
    ).sum().backward()
    assert torch.equal(ours.grad, theirs.grad)


def test_the_gradient_ends_where_clamping_begins():
    x = torch.tensor([-0.51, -0.5, 0.0, 255.49, 255.51, 1e9], requires_grad=True)
    unit()(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0, 0]
    with torch.no_grad():
        assert not unit()(x).requires_grad


floats = st.floats(-(2.0**100), 2.0**100, width=32)


@given(st.lists(floats, min_size=1, max_size=30), st.sampled_from(SCHEMES), st.booleans())
def test_properties_of_any_tensor(values, scheme, symmetric):
    x = torch.tensor(values)
    if symmetric and not scheme.signed:
        x = x.abs()
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, scheme, symmetric))
    x_hat, s = quantizer(x), quantizer.params.scale
    # s and z (q - z) s are each rounded once: a few units in the last place of x, or one of the
    # least positive number, come on top of s/2.
    slack = 4 * torch.finfo(x.dtype).eps * x.abs() + 300 * 1.5e-45
    inside = quantizer.in_range(x)
    assert x_hat.isfinite().all()
    assert ((x - x_hat).abs() <= s / 2 + slack)[inside].all()
    assert ((x - x_hat).abs() <= s + slack).all(), "rounding z clips less than half a step"
    assert torch.equal(quantizer(x_hat), x_hat)
    assert (quantizer(x.sort().values).diff() >= 0).all()
    assert (quantizer(torch.zeros(1)) == 0).all()


EXTREMES = [0.0, 1e-45, -1e-45, 1.17e-38, 1.0, -1.0, 3e38, -3e38, 3.4e38, -3.4e38]


@pytest.mark.parametrize("method", ["minmax", "percentile", "mse", "entropy"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_finite_input_never_becomes_infinite_or_nan(dtype, method):
    largest = torch.finfo(dtype).max
    ends = [min(max(v, -largest), largest) for v in EXTREMES] + [largest, -largest]
    for pair in itertools.combinations(ends, 2):
        x = torch.tensor(pair, dtype=torch.float64).to(dtype)
        for scheme in (QuantizationScheme.INT8, QuantizationScheme.UINT8):
            params = QuantizationParams.from_tensor(x, scheme, symmetric=False, method=method)
            assert params.scale.isfinite().all() and (params.scale > 0).all()
            assert UniformQuantizer(params)(x).isfinite().all()
