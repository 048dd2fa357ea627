"""Scale and zero point, and every refusal. How a range is chosen is in test_calibration.py."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer, samples
from quantcore.calibration import METHODS

SCHEMES = list(QuantizationScheme)
INT4, INT8, UINT8 = (QuantizationScheme[n] for n in ("INT4", "INT8", "UINT8"))
X = torch.tensor([-1.0, 0.5, 3.0])


def scale_of(values, scheme, symmetric, **options):
    p = QuantizationParams.from_tensor(torch.tensor(values), scheme, symmetric, **options)
    return p.scale.item(), p.zero_point.item()


# ---- the formulas --------------------------------------------------------------------------


def test_the_formulas_of_the_design():
    assert scale_of([-1.0, 3.0], INT8, False) == (pytest.approx(4 / 255), -64)
    assert scale_of([-1.0, 3.0], UINT8, False) == (pytest.approx(4 / 255), 64)
    assert scale_of([-1.0, 3.0], INT8, True) == (pytest.approx(3 / 127), 0)
    assert scale_of([-1.0, 3.0], INT8, True, full_range=True) == (pytest.approx(3 / 128), 0)
    assert scale_of([1.0, 3.0], UINT8, True) == (pytest.approx(3 / 255), 0)


values = st.lists(st.floats(-(2.0**60), 2.0**60), min_size=1, max_size=20)


@given(values, st.sampled_from(SCHEMES))
def test_asymmetric_lays_the_ends_of_the_range_on_the_ends_of_the_grid(x, scheme):
    p = QuantizationParams.from_tensor(torch.tensor(x, dtype=torch.float64), scheme, False)
    lo, hi = min(*x, 0.0), max(*x, 0.0)
    s = (hi - lo) / (scheme.qmax - scheme.qmin) if hi > lo else 1.0
    assert p.scale.item() == pytest.approx(s, rel=1e-15, abs=5e-324)
    z = np.clip(np.rint(scheme.qmin - lo / p.scale.item()), scheme.qmin, scheme.qmax)
    assert p.zero_point.item() == z and p.zero_point.dtype == torch.int32


@given(values, st.sampled_from(SCHEMES), st.booleans())
def test_symmetric_lays_the_largest_magnitude_on_qmax(x, scheme, full_range):
    if not scheme.signed:
        x, full_range = [abs(v) for v in x], False
    t = torch.tensor(x, dtype=torch.float64)
    p = QuantizationParams.from_tensor(t, scheme, True, full_range=full_range)
    reach = max(map(abs, x))
    steps = -scheme.qmin if full_range else scheme.qmax
    s = max(reach / steps, 5e-324) if reach else 1.0
    assert (p.scale.item(), p.zero_point.item()) == (s, 0)


def test_the_range_always_contains_zero():
    assert scale_of([2.0, 3.0], UINT8, False) == (pytest.approx(3 / 255), 0)
    assert scale_of([-3.0, -2.0], INT8, False) == (pytest.approx(3 / 255), 127)


@pytest.mark.parametrize("method", METHODS)
def test_all_zeros_have_scale_one_and_come_back_as_zeros(method):
    for scheme in SCHEMES if method == "minmax" else (INT8, UINT8):
        for symmetric in (True, False):
            x = torch.zeros(5)
            p = QuantizationParams.from_tensor(x, scheme, symmetric, method=method)
            assert p.scale == 1 and torch.equal(UniformQuantizer(p)(x), x)
    p = QuantizationParams.from_tensor(torch.tensor([[0.0, 0.0], [1.0, -7.0]]), INT4, axis=0)
    assert p.scale.tolist() == [1, 1]


@given(st.floats(-(2.0**126), 2.0**126, width=32), st.sampled_from(SCHEMES), st.booleans())
def test_a_constant_comes_back_as_itself(value, scheme, symmetric):
    if symmetric and not scheme.signed:
        value = abs(value)
    x = torch.full((3,), value)
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, scheme, symmetric))
    # The scale is rounded once and s (q - z) once, each by half a unit in the last place, which
    # is at most 6e-8 of the value, or below 1e-38 half of the least positive number: for each
    # code one.
    slack = 2 * 6e-8 * abs(value) + scheme.levels * 0.75e-45
    assert (quantizer(x) - x).abs().max() <= slack


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [3.0, -0.1, 1e-30, -1e30])
def test_a_constant_comes_back_as_itself_by_every_method(method, value):
    x = torch.full((50,), value)
    for scheme, symmetric in ((INT4, True), (INT8, False), (UINT8, False)):
        p = QuantizationParams.from_tensor(x, scheme, symmetric, method=method)
        assert UniformQuantizer(p)(x).numpy() == pytest.approx(x.numpy(), rel=2e-7)


def test_the_scale_takes_the_precision_to_compute_in():
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        expected = torch.float64 if dtype == torch.float64 else torch.float32
        p = QuantizationParams.from_tensor(X.to(dtype), INT8)
        assert p.scale.dtype == expected and p.zero_point.dtype == torch.int32


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_huge_and_tiny_values_have_a_finite_positive_scale(dtype):
    info = torch.finfo(dtype)
    least = info.tiny * info.eps
    for ends in ((info.max, -info.max), (least, 0.0), (-least, 0.0), (info.max, -least)):
        for scheme in SCHEMES:
            p = QuantizationParams.from_tensor(torch.tensor(ends, dtype=dtype), scheme, False)
            assert p.scale.isfinite() and p.scale > 0


@given(st.integers(-4000, 4000), st.integers(-4000, 4000), st.sampled_from(SCHEMES))
def test_a_range_of_subnormal_numbers_is_divided_once(a, b, scheme):
    least = 2.0**-149
    x = torch.tensor([a, b]) * torch.tensor(least)
    lo, hi = min(a, b, 0), max(a, b, 0)
    steps = max(round((hi - lo) / (scheme.qmax - scheme.qmin)), 1) * least if hi > lo else 1
    assert QuantizationParams.from_tensor(x, scheme, False).scale.item() == steps


def test_a_gradient_is_not_followed():
    assert not QuantizationParams.from_tensor(X.clone().requires_grad_(), INT8).scale.requires_grad


# ---- granularity ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_per_channel_equals_each_channel_alone(axis, method):
    x = samples.distribution("laplace", 60).view(3, 4, 5)
    p = QuantizationParams.from_tensor(x, INT8, False, axis=axis, method=method)
    alone = [QuantizationParams.from_tensor(c, INT8, False, method=method) for c in x.unbind(axis)]
    assert torch.equal(p.scale, torch.stack([a.scale for a in alone]))
    assert torch.equal(p.zero_point, torch.stack([a.zero_point for a in alone]))


@pytest.mark.parametrize("method", METHODS)
def test_per_group_equals_each_group_alone_and_the_last_may_be_shorter(method):
    x = samples.distribution("normal", 14).view(2, 7)
    p = QuantizationParams.from_tensor(x, INT4, False, group_size=4, method=method)
    assert p.scale.shape == p.zero_point.shape == (2, 2)
    for i in range(2):
        for j, part in enumerate(x[i].split(4)):
            alone = QuantizationParams.from_tensor(part, INT4, False, method=method)
            assert (p.scale[i, j], p.zero_point[i, j]) == (alone.scale, alone.zero_point)


def test_a_group_may_be_one_value_or_longer_than_the_axis():
    x = samples.distribution("normal", 10)
    one = QuantizationParams.from_tensor(x, INT8, group_size=1)
    assert one.scale.shape == (10,)
    back = UniformQuantizer(one)(x)
    assert back.numpy() == pytest.approx(x.numpy(), rel=2e-7), "each value is a constant"
    whole = QuantizationParams.from_tensor(x, INT8, group_size=99)
    assert torch.equal(whole.scale, QuantizationParams.from_tensor(x, INT8).scale.view(1))


def test_a_tensor_without_axes_has_one_scale():
    assert QuantizationParams.from_tensor(torch.tensor(-2.0), INT8).scale == 2 / torch.tensor(127.0)


# ---- refusals ------------------------------------------------------------------------------

NAN, INF = torch.tensor([1.0, torch.nan]), torch.tensor([torch.inf, -torch.inf, 1.0])
FLOATS = "x: expected a float16, bfloat16, float32 or float64 tensor, found torch"
RANGE = r"percentile: expected a value in \(50, 100\], found "
REFUSED = [
    (TypeError, "x: expected a torch.Tensor, found list; use torch.as_tensor", [1.0], {}),
    (TypeError, "x: expected a torch.Tensor, found ndarray; use", np.ones(3), {}),
    (TypeError, FLOATS + ".int64; use x.float", torch.arange(3), {}),
    (TypeError, FLOATS + ".uint8; use x.float", torch.arange(3).byte(), {}),
    (TypeError, FLOATS + ".bool; use x.float", X > 0, {}),
    (TypeError, FLOATS + ".complex64; use x.real", X + 0j, {}),
    (TypeError, "scheme: expected a QuantizationScheme, found 'INT8'; use", X, {"scheme": "INT8"}),
    (TypeError, "scheme: expected a QuantizationScheme, found 8; use .*from_bits", X,
     {"scheme": 8}),
    (ValueError, r"x: the tensor is empty \(shape \(0, 3\)\); give it a value", torch.ones(0, 3),
     {}),
    (ValueError, "x: found 1 NaN and 0 infinite values; remove them", NAN, {}),
    (ValueError, "x: found 0 NaN and 2 infinite values; remove them", INF, {}),
    (ValueError, "x: found 0 NaN and 2 infinite values; remove them", INF.half(), {"axis": 0}),
    (ValueError, "x: found 1 NaN and 0 infinite values", NAN.double(), {"group_size": 2}),
    (ValueError, "no negative codes, found the minimum -1; use symmetric=False or a signed sch", X,
     {"scheme": UINT8}),
    (ValueError, "found the minimum -1; use", X, {"scheme": UINT8, "method": "mse"}),
    (ValueError, "found the minimum -1; use", X, {"scheme": UINT8, "method": "entropy"}),
    (ValueError, r"axis: 1 is out of range for shape \(3,\); use one of \[-1, 0\]", X, {"axis": 1}),
    (ValueError, "axis: -2 is out of range", X, {"axis": -2}),
    (ValueError, r"axis: 0 is out of range for shape \(\)", X[0], {"axis": 0}),
    (TypeError, "axis: expected an int, found 0.0", X, {"axis": 0.0}),
    (TypeError, "axis: expected an int, found True", X, {"axis": True}),
    (ValueError, "group_size: expected at least 1.*found 0", X, {"group_size": 0}),
    (ValueError, "group_size: expected at least 1.*found -4", X, {"group_size": -4}),
    (ValueError, r"group_size: 2 needs a tensor with an axis to cut, found shape \(\)", X[0],
     {"group_size": 2}),
    (TypeError, "group_size: expected an int, found 2.5", X, {"group_size": 2.5}),
    (ValueError, "axis, group_size: give one of them, found 0 and 2", X,
     {"axis": 0, "group_size": 2}),
    (ValueError, r"method: 'max' is not known; use one of \['minmax', 'percentile', 'mse', 'entr",
     X, {"method": "max"}),
    (ValueError, "method: None is not known; use one of", X, {"method": None}),
    (ValueError, RANGE + "0", X, {"percentile": 0}),
    (ValueError, RANGE + "50", X, {"percentile": 50}),
    (ValueError, RANGE + "100.1", X, {"percentile": 100.1}),
    (ValueError, RANGE + "nan", X, {"percentile": float("nan")}),
    (ValueError, "full_range: True needs a symmetric signed grid; use full_range=False", X,
     {"symmetric": False, "full_range": True}),
    (ValueError, "full_range: True needs a symmetric signed", X.abs(),
     {"scheme": UINT8, "full_range": True}),
]  # fmt: skip


@pytest.mark.parametrize("error, message, x, options", REFUSED)
def test_bad_input_is_refused_with_what_was_found_and_what_to_do(error, message, x, options):
    with pytest.raises(error, match=message):
        QuantizationParams.from_tensor(x, **{"scheme": INT8} | options)


ONE, ZERO = torch.tensor(1.0), torch.tensor(0)
GOOD = {"scale": ONE, "zero_point": ZERO, "qmin": 0, "qmax": 9}
IN_A_ROW = {"scale": ONE.view(1), "zero_point": ZERO.view(1)}
TWO = {"scale": torch.ones(2), "zero_point": torch.zeros(2).int(), "axis": 0}
INTEGERS = "zero_point: expected an integer tensor, found "
MADE_WRONG = [
    (TypeError, "scale: expected a torch.Tensor, found float; use torch.as_tensor", {"scale": 0.1}),
    (TypeError, "scale: expected a float16, bfloat16, float32", {"scale": ZERO}),
    (TypeError, INTEGERS + "torch.float32; round it", {"zero_point": ONE}),
    (TypeError, INTEGERS + "int; round it", {"zero_point": 0}),
    (TypeError, INTEGERS + "torch.bool; round it", {"zero_point": ZERO > 1}),
    (TypeError, INTEGERS + "torch.complex64", {"zero_point": ONE + 0j}),
    (TypeError, "qmin: expected an int, found 0.0", {"qmin": 0.0}),
    (TypeError, "qmax: expected an int, found None", {"qmax": None}),
    (TypeError, "axis: expected an int, found '0'", IN_A_ROW | {"axis": "0"}),
    (TypeError, "group_size: expected an int, found 2.0", IN_A_ROW | {"group_size": 2.0}),
    (ValueError, "scale: the tensor is empty", {"scale": torch.ones(0)}),
    (ValueError, r"zero_point: its shape \(2,\) differs", {"zero_point": torch.zeros(2).int()}),
    (ValueError, "scale: expected finite values above 0, found 0.0", {"scale": ZERO.float()}),
    (ValueError, "scale: expected finite values above 0", {"scale": -ONE}),
    (ValueError, "scale: expected finite", {"scale": torch.tensor(torch.nan)}),
    (ValueError, "scale: expected finite", {"scale": torch.tensor(torch.inf)}),
    (
        ValueError,
        "scale: expected finite values above 0, found tensor",
        TWO | {"scale": torch.tensor([1.0, -1.0])},
    ),
    (
        ValueError,
        r"zero_point: expected codes in \[0, 9\]",
        TWO | {"zero_point": torch.tensor([0, 10])},
    ),
    (
        ValueError,
        r"zero_point: expected codes in \[0, 9\]",
        TWO | {"zero_point": torch.tensor([-1, 0])},
    ),
    (ValueError, "qmin, qmax: expected qmin < qmax, found 9, 9", {"qmin": 9}),
    (ValueError, "qmin, qmax: expected qmin < qmax, found 12, 9", {"qmin": 12}),
    (ValueError, r"zero_point: expected codes in \[1, 9\]", {"qmin": 1}),
    (ValueError, r"zero_point: expected codes in \[0, 9\]", {"zero_point": ZERO + 10}),
    (ValueError, r"codes must fit in int16, found \[0, 1000000\]; use fewer", {"qmax": 10**6}),
    (ValueError, "axis, group_size: give one of them", IN_A_ROW | {"axis": 0, "group_size": 4}),
    (ValueError, r"scale: shape \(1,\) without axis or group_size; give the axis", IN_A_ROW),
    (ValueError, r"scale: its shape \(\) does not fit its layout", {"axis": 0}),
    (ValueError, "does not fit its layout", {"group_size": 4}),
    (ValueError, "group_size: expected at least 1, found 0", IN_A_ROW | {"group_size": 0}),
]


@pytest.mark.parametrize("error, message, wrong", MADE_WRONG)
def test_parameters_are_validated_when_they_are_made(error, message, wrong):
    QuantizationParams(**GOOD)
    with pytest.raises(error, match=message):
        QuantizationParams(**GOOD | wrong)


def test_an_unsigned_zero_point_is_compared_as_a_number():
    z = torch.tensor(3, dtype=torch.uint8)  # in uint8, -128 would wrap around to 128
    assert QuantizationParams(ONE, z, -128, 127).zero_point == 3
    with pytest.raises(ValueError, match="zero_point: expected codes"):
        QuantizationParams(ONE, torch.tensor(200, dtype=torch.uint8), -128, 127)


def test_parameters_are_compared_as_objects():
    p, twin = QuantizationParams(**GOOD), QuantizationParams(**GOOD)
    assert p == p and p != twin, "tensors have no truth value to compare by"
    assert len({p, twin}) == 2


def test_parameters_are_frozen():
    p = QuantizationParams(ONE, ZERO, 0, 9)
    with pytest.raises(dataclasses.FrozenInstanceError):
        p.qmax = 3


def test_the_codes_dtype_follows_from_the_grid():
    assert QuantizationParams(ONE, ZERO, 0, 255).dtype == torch.uint8
    assert QuantizationParams(ONE, ZERO, -1, 127).dtype == torch.int8
    assert QuantizationParams(ONE, ZERO, -1, 255).dtype == torch.int16


def test_percentile_is_99_9_unless_it_is_given():
    x = torch.arange(10_000.0)
    default, given = (
        QuantizationParams.from_tensor(x, UINT8, False, method="percentile", **more)
        for more in ({}, {"percentile": 99.9})
    )
    assert torch.equal(default.scale, given.scale)


def test_percentile_reaches_from_just_above_50_to_100():
    x, method = torch.arange(1000.0), {"symmetric": False, "method": "percentile"}
    widest = QuantizationParams.from_tensor(x, UINT8, percentile=100, **method)
    narrowest = QuantizationParams.from_tensor(x, UINT8, percentile=50.5, **method)
    assert widest.scale * 255 == 999
    assert 0 < narrowest.scale * 255 < 510
