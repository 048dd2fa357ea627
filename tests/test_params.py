"""Scale and zero point, and every refusal."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer, samples

INT4, INT8, UINT8 = (QuantizationScheme[n] for n in ("INT4", "INT8", "UINT8"))
X = torch.tensor([-1.0, 0.5, 3.0])


def scale_of(values, scheme, symmetric, **options):
    p = QuantizationParams.from_tensor(torch.tensor(values), scheme, symmetric, **options)
    return p.scale.item(), p.zero_point.item()


def test_the_formulas_of_the_design():
    assert scale_of([-1.0, 3.0], INT8, False) == (pytest.approx(4 / 255), -64)
    assert scale_of([-1.0, 3.0], UINT8, False) == (pytest.approx(4 / 255), 64)
    assert scale_of([-1.0, 3.0], INT8, True) == (pytest.approx(3 / 127), 0)
    assert scale_of([-1.0, 3.0], INT8, True, full_range=True) == (pytest.approx(3 / 128), 0)
    assert scale_of([1.0, 3.0], UINT8, True) == (pytest.approx(3 / 255), 0)


def test_the_range_always_contains_zero():
    assert scale_of([2.0, 3.0], UINT8, False) == (pytest.approx(3 / 255), 0)
    assert scale_of([-3.0, -2.0], INT8, False) == (pytest.approx(3 / 255), 127)


def test_all_zeros_have_scale_one():
    for scheme in QuantizationScheme:
        for symmetric in (True, False):
            assert scale_of([0.0, 0.0], scheme, symmetric)[0] == 1
    p = QuantizationParams.from_tensor(torch.tensor([[0.0, 0.0], [1.0, -7.0]]), INT4, axis=0)
    assert p.scale.tolist() == [1, 1]


@given(st.floats(-(2.0**120), 2.0**120, width=32), st.sampled_from(QuantizationScheme))
def test_a_constant_comes_back_as_itself(value, scheme):
    x = torch.full((3,), value)
    for symmetric in (True, False):
        if symmetric and not scheme.signed and value < 0:
            continue
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, scheme, symmetric))
        # The scale is rounded once, and below 1e-38 to a multiple of the least positive float.
        slack = 2e-7 * abs(value) + scheme.levels * 0.75e-45
        assert (quantizer(x) - x).abs().max() <= slack


def test_the_scale_takes_the_precision_to_compute_in():
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        expected = torch.float64 if dtype == torch.float64 else torch.float32
        p = QuantizationParams.from_tensor(X.to(dtype), INT8)
        assert p.scale.dtype == expected and p.zero_point.dtype == torch.int32


def test_huge_and_tiny_values_have_a_finite_positive_scale():
    for x in (torch.tensor([3e38, -3e38]), torch.tensor([1e-45, 0.0])):
        for symmetric in (True, False):
            scale = QuantizationParams.from_tensor(x, INT8, symmetric).scale
            assert scale.isfinite() and scale > 0


def test_a_gradient_is_not_followed():
    assert not QuantizationParams.from_tensor(X.clone().requires_grad_(), INT8).scale.requires_grad


def test_per_channel_equals_each_channel_alone():
    x = samples.distribution("laplace", 60).view(3, 4, 5)
    for axis in (0, 1, 2, -1):
        p = QuantizationParams.from_tensor(x, INT8, False, axis=axis)
        alone = [QuantizationParams.from_tensor(c, INT8, False) for c in x.unbind(axis)]
        assert torch.equal(p.scale, torch.stack([a.scale for a in alone]))
        assert torch.equal(p.zero_point, torch.stack([a.zero_point for a in alone]))


@pytest.mark.parametrize("method", ["minmax", "percentile", "mse", "entropy"])
def test_per_group_equals_each_group_alone_and_the_last_may_be_shorter(method):
    x = samples.distribution("normal", 14).view(2, 7)
    p = QuantizationParams.from_tensor(x, INT4, group_size=4, method=method)
    assert p.scale.shape == (2, 2)
    for i in range(2):
        for j, part in enumerate(x[i].split(4)):
            alone = QuantizationParams.from_tensor(part, INT4, method=method)
            assert p.scale[i, j] == alone.scale


NAN, INF = torch.tensor([1.0, torch.nan]), torch.tensor([torch.inf, -torch.inf, 1.0])
FLOATS = "x: expected a real floating-point tensor, found torch"
REFUSED = [
    (TypeError, "x: expected a torch.Tensor, found list; use torch.as_tensor", [1.0], {}),
    (TypeError, FLOATS + ".int64; use x.float", torch.arange(3), {}),
    (TypeError, FLOATS + ".bool", X > 0, {}),
    (TypeError, FLOATS + ".complex64", X + 0j, {}),
    (TypeError, "scheme: expected a QuantizationScheme, found 'INT8'; use", X, {"scheme": "INT8"}),
    (ValueError, r"x: the tensor is empty \(shape \(0, 3\)\); give", torch.ones(0, 3), {}),
    (ValueError, "x: found 1 NaN and 0 infinite values; remove", NAN, {}),
    (ValueError, "x: found 0 NaN and 2 infinite values; remove", INF, {}),
    (ValueError, "no negative codes, found the minimum -1; use symm", X, {"scheme": UINT8}),
    (ValueError, "found the minimum -1; use", X, {"scheme": UINT8, "method": "mse"}),
    (ValueError, r"axis: 1 is out of range for shape \(3,\); use one of", X, {"axis": 1}),
    (ValueError, "axis: -2 is out of range", X, {"axis": -2}),
    (ValueError, "group_size: expected at least 1.*found 0", X, {"group_size": 0}),
    (ValueError, "axis, group_size: give one of them", X, {"axis": 0, "group_size": 2}),
    (ValueError, "method: 'max' is not known; use one of", X, {"method": "max"}),
    (ValueError, r"percentile: expected a value in \(50, 100\], found 0", X, {"percentile": 0}),
    (ValueError, "percentile: .* found 100.1", X, {"percentile": 100.1}),
    (ValueError, "full_range: True needs a", X, {"symmetric": False, "full_range": True}),
]


@pytest.mark.parametrize("error, message, x, options", REFUSED)
def test_bad_input_is_refused_with_what_was_found_and_what_to_do(error, message, x, options):
    with pytest.raises(error, match=message):
        QuantizationParams.from_tensor(x, **{"scheme": INT8} | options)


ONE, ZERO = torch.tensor(1.0), torch.tensor(0)
GOOD = {"scale": ONE, "zero_point": ZERO, "qmin": 0, "qmax": 9}
IN_A_ROW = {"scale": ONE.view(1), "zero_point": ZERO.view(1)}
MADE_WRONG = [
    (TypeError, "scale: expected a torch.Tensor, found float", {"scale": 0.1}),
    (TypeError, "scale: expected a real floating-point", {"scale": ZERO}),
    (TypeError, "zero_point: expected an integer tensor, found torch.float32", {"zero_point": ONE}),
    (TypeError, "zero_point: expected an integer tensor, found int", {"zero_point": 0}),
    (TypeError, "zero_point: .* found torch.bool", {"zero_point": ZERO > 1}),
    (TypeError, "qmin: expected an int, found 0.0", {"qmin": 0.0}),
    (ValueError, "zero_point: its shape", {"zero_point": torch.zeros(2).int()}),
    (ValueError, "scale: expected finite values above 0", {"scale": ZERO.float()}),
    (ValueError, "scale: expected finite", {"scale": torch.tensor(torch.nan)}),
    (ValueError, "qmin, qmax: expected qmin < qmax, found 9, 9", {"qmin": 9}),
    (ValueError, r"zero_point: expected codes in \[1, 9\]", {"qmin": 1}),
    (ValueError, "codes must fit in int16", {"qmax": 10**6}),
    (ValueError, "give one of them", IN_A_ROW | {"axis": 0, "group_size": 4}),
    (ValueError, r"scale: shape \(1,\) without axis", IN_A_ROW),
    (ValueError, "does not fit its layout", {"axis": 0}),
    (ValueError, "group_size: expected at least 1", IN_A_ROW | {"group_size": 0}),
]


@pytest.mark.parametrize("error, message, wrong", MADE_WRONG)
def test_parameters_are_validated_when_they_are_made(error, message, wrong):
    QuantizationParams(**GOOD)
    with pytest.raises(error, match=message):
        QuantizationParams(**GOOD | wrong)


def test_parameters_are_frozen():
    p = QuantizationParams(ONE, ZERO, 0, 9)
    with pytest.raises(dataclasses.FrozenInstanceError):
        p.qmax = 3


@pytest.mark.parametrize("percentile", [60.0, 90.0, 99.0, 99.9, 100.0])
def test_percentile_is_an_order_statistic(percentile):
    x = samples.distribution("laplace", 1000)
    k = math.ceil(percentile * 1000 / 100 - 1e-9)
    p = QuantizationParams.from_tensor(x, INT8, method="percentile", percentile=percentile)
    assert p.scale.item() == pytest.approx(x.abs().sort().values[k - 1].item() / 127)
    p = QuantizationParams.from_tensor(x, INT8, False, method="percentile", percentile=percentile)
    ordered = x.sort().values
    assert p.scale.item() == pytest.approx((ordered[k - 1] - ordered[1000 - k]).item() / 255)


@pytest.mark.parametrize("n", [3000, 20_000])
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("shape", samples.SHAPES)
def test_mse_is_within_one_percent_of_a_full_search(shape, symmetric, bits, n):
    x, scheme = samples.distribution(shape, n), QuantizationScheme.from_bits(bits)

    def mse(p):
        return (UniformQuantizer(p)(x) - x).double().square().mean().item()

    ends = torch.stack([x.min(), x.max()])
    full = [
        QuantizationParams.from_tensor(ends * f / 100, scheme, symmetric) for f in range(1, 101)
    ]
    found = QuantizationParams.from_tensor(x, scheme, symmetric, method="mse")
    assert mse(found) <= 1.01 * min(map(mse, full))


def test_entropy_keeps_uniform_data_whole_and_cuts_outliers():
    uniform = samples.distribution("uniform", 100_000)
    whole = QuantizationParams.from_tensor(uniform, INT8)
    assert QuantizationParams.from_tensor(uniform, INT8, method="entropy").scale == whole.scale
    outliers = samples.distribution("outliers", 100_000)
    whole = QuantizationParams.from_tensor(outliers, INT8)
    assert QuantizationParams.from_tensor(outliers, INT8, method="entropy").scale < whole.scale
