"""Noise, SQNR, entropy and rate–distortion, against exact and brute numbers."""

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
    entropy,
    gaussian_distortion,
    noise_power,
    samples,
    sqnr_db,
)
from quantcore.information import error_report, spectrum

INT4, INT8 = QuantizationScheme.INT4, QuantizationScheme.INT8


# ---- noise and its ratio to the signal -----------------------------------------------------


def test_noise_power_is_the_mean_square_of_an_even_error():
    for step in (0.5, 3.0):
        even = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 1e5 * step - step / 2
        assert noise_power(step) == pytest.approx(even.square().mean().item(), rel=1e-8)
    steps = torch.tensor([1.0, 2.0])
    assert torch.equal(noise_power(steps), torch.tensor([1 / 12, 4 / 12]))


def test_rounding_makes_the_noise_that_is_predicted():
    x = samples.distribution("uniform", 500_000)
    p = QuantizationParams.from_tensor(x, INT8, symmetric=False)
    measured = (UniformQuantizer(p)(x) - x).double().square().mean().item()
    assert measured == pytest.approx(noise_power(p.scale.item()), rel=0.01)


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), min_size=1, max_size=20))
def test_sqnr_is_a_ratio_of_powers(pairs):
    x, x_hat = (torch.tensor(v, dtype=torch.float64) for v in zip(*pairs, strict=True))
    signal = math.fsum(a * a for a, _ in pairs)
    noise = math.fsum((a - b) * (a - b) for a, b in pairs)
    if signal > 1e-200 and noise > 1e-200:
        expected = 10 * math.log10(signal / noise)
        assert sqnr_db(x, x_hat) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert not math.isnan(sqnr_db(x, x_hat))


def test_sqnr_of_large_half_and_extreme_tensors():
    x = samples.distribution("normal", 600_000)
    assert sqnr_db(x, 0.99 * x) == pytest.approx(40, abs=1e-3)
    for size in (1e-37, 1e-30, 5e36):  # no square of these fits into a float32
        assert sqnr_db(x * size, 0.9 * x * size) == pytest.approx(20, abs=1e-3)
    for size in (1e-300, 1e300):
        assert sqnr_db(x.double() * size, 0.9 * x.double() * size) == pytest.approx(20, abs=1e-3)
    half = x[:1000].half()
    assert sqnr_db(half, half * 0.5) == pytest.approx(6.02, abs=0.01)


def test_sqnr_of_float32_is_computed_in_float64():
    x = samples.distribution("laplace", 1000)
    x_hat = x * 0.9
    exact, near = x.numpy().astype(np.float64), x_hat.numpy().astype(np.float64)
    expected = 10 * math.log10((exact**2).sum() / ((exact - near) ** 2).sum())
    for pair in ((x, x_hat), (x.requires_grad_(), x_hat.requires_grad_())):
        found = sqnr_db(*pair)
        assert found == pytest.approx(expected, abs=1e-11) and type(found) is float


def test_sqnr_where_many_values_are_zero():
    one, nothing = torch.tensor([0.0, 1.0]), torch.zeros(2)
    assert sqnr_db(one, nothing) == 0
    assert sqnr_db(nothing, one) == -math.inf


def test_sqnr_sees_an_error_far_below_the_largest_value():
    x = torch.tensor([1e-300, 1e300], dtype=torch.float64)
    assert sqnr_db(x, torch.tensor([0.0, 1e300], dtype=torch.float64)) == pytest.approx(12_000)
    far = torch.tensor([1.7e308], dtype=torch.float64)
    assert sqnr_db(far, -far) == pytest.approx(20 * math.log10(0.5))
    least = torch.tensor([5e-324], dtype=torch.float64)
    assert sqnr_db(least, 2 * least) == 0


def test_sqnr_of_errors_of_which_one_overflows():
    x, x_hat = (torch.tensor(v, dtype=torch.float64) for v in ([1.7e308, 1.0], [-1.7e308, 0.0]))
    assert sqnr_db(x, x_hat) == pytest.approx(20 * math.log10(0.5))


def test_sqnr_without_noise_or_signal_is_infinite():
    x = torch.tensor([1.0, -2.0])
    assert sqnr_db(x, x) == math.inf
    assert sqnr_db(torch.zeros(3), torch.zeros(3)) == math.inf
    assert sqnr_db(torch.zeros(3), torch.ones(3)) == -math.inf


def test_sqnr_refuses_what_it_cannot_compare():
    one = torch.ones(3)
    with pytest.raises(ValueError, match=r"x_hat: expected x's shape \(3,\), found \(4,\)"):
        sqnr_db(one, torch.ones(4))
    for bad in (torch.nan, torch.inf, -torch.inf):
        one_bad = torch.tensor([1.0, bad, 1.0])
        for pair in ((one * bad, one), (one, one * bad), (one_bad, one), (one, one_bad)):
            with pytest.raises(ValueError, match="x, x_hat: found NaN or infinite values"):
                sqnr_db(*pair)
    with pytest.raises(
        TypeError,
        match="x_hat: expected a float16",
    ):
        sqnr_db(one, one.int())
    with pytest.raises(TypeError, match="x: expected a torch.Tensor, found list; use"):
        sqnr_db([1.0], one)
    with pytest.raises(ValueError, match="x: the tensor is empty"):
        sqnr_db(one[:0], one[:0])


# ---- the report on a quantizer -------------------------------------------------------------


@pytest.mark.parametrize("n", [1000, 2_500_000])  # in one piece, and in several
@pytest.mark.parametrize("layout", [{}, {"axis": 0}, {"group_size": 10}])
def test_an_error_report_is_that_of_the_whole_tensor(n, layout):
    x = samples.distribution("laplace", n).view(10, -1)
    params = QuantizationParams.from_tensor(x * 0.7, INT4, False, **layout)  # some are clipped
    quantizer = UniformQuantizer(params)
    report = error_report(x, quantizer)
    error = (x - quantizer(x)).double()
    assert report.mse == pytest.approx(error.square().mean().item(), rel=1e-5)
    assert report.sqnr_db == pytest.approx(sqnr_db(x, quantizer(x)), abs=1e-4)
    assert report.clipped == (~quantizer.in_range(x)).sum().item() / n > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_an_error_report_in_other_precisions(dtype):
    x = samples.distribution("normal", 5000).to(dtype)
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT4, method="mse"))
    error = quantizer(x).double() - x.double()
    report = error_report(x, quantizer)
    assert report.mse == pytest.approx(error.square().mean().item(), rel=2e-3)
    assert report.sqnr_db == pytest.approx(sqnr_db(x, quantizer(x)), abs=1e-4)
    assert error_report(x[0], quantizer).clipped in (0, 1), "a tensor without axes has a report"


def test_an_error_report_follows_no_gradient():
    x = samples.distribution("normal", 100)
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT4))
    expected = error_report(x, quantizer)
    assert error_report(x.requires_grad_(), quantizer) == expected
    assert all(type(v) is float for v in expected)


def test_an_error_report_is_exact_to_a_ten_thousandth_of_a_decibel():
    x = samples.distribution("normal", 3_000_000) + 1000
    for scheme in (INT8, QuantizationScheme.INT16):
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, scheme))
        report, exact = error_report(x, quantizer), sqnr_db(x, quantizer(x))
        assert report.sqnr_db == pytest.approx(exact, abs=1e-4)


def test_an_error_report_of_the_smallest_values_holds_numbers_too():
    x = torch.tensor([1e-20, 3e-20])
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT4))
    assert all(type(v) is float for v in error_report(x, quantizer))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_an_error_report_of_half_precision_is_computed_in_float32(dtype):
    x = samples.distribution("normal", 5000).to(dtype)
    for reach in (1, 0.1):  # the error of a clipped value has digits that x has not
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(x * reach, INT8))
        exact = (quantizer(x).double() - x.double()).square().mean().item()
        assert error_report(x, quantizer).mse == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("size", [1e-40, 1e-20, 1.0, 1e20, 3e37])
def test_an_error_report_survives_tiny_and_huge_values(size):
    x = samples.distribution("normal", 1000) * size
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT8))
    report = error_report(x, quantizer)
    error = (x.double() - quantizer(x).double()).square().mean().item()
    assert report.sqnr_db == pytest.approx(sqnr_db(x, quantizer(x)), abs=1e-3)
    assert report.mse == pytest.approx(error, rel=1e-4) and math.isfinite(report.mse)


@pytest.mark.parametrize("size", [1e-250, 1e200])
def test_an_error_report_has_a_ratio_where_no_square_fits_float64(size):
    x = samples.distribution("normal", 1000).double() * size
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT8))
    report = error_report(x, quantizer)
    assert report.sqnr_db == pytest.approx(sqnr_db(x, quantizer(x)))
    assert 30 < report.sqnr_db < 50 and report.clipped == 0


def test_an_error_report_has_a_ratio_where_only_the_signals_square_is_too_large():
    scale = torch.tensor(1e150, dtype=torch.float64)
    x = torch.tensor([32_766.75e150], dtype=torch.float64)
    report = error_report(
        x, UniformQuantizer(QuantizationParams(scale, torch.tensor(0), -9, 32767))
    )
    assert report.sqnr_db == pytest.approx(20 * math.log10(32_766.75 / 0.25))


def test_an_error_report_without_noise_or_signal():
    quantizer = UniformQuantizer(QuantizationParams(torch.tensor(1.0), torch.tensor(0), -8, 7))
    assert error_report(torch.tensor([1.0, -8.0]), quantizer) == (0, math.inf, 0)
    assert error_report(torch.zeros(4), quantizer) == (0, math.inf, 0)
    with pytest.raises(ValueError, match="x: found 1 NaN of 2 values"):
        error_report(torch.tensor([1.0, torch.nan]), quantizer)
    with pytest.raises(TypeError, match="x: expected a float16"):
        error_report(torch.arange(3), quantizer)


# ---- entropy and rate ----------------------------------------------------------------------


def test_entropy_in_bits():
    assert entropy(torch.arange(256)) == pytest.approx(8)
    assert entropy(torch.tensor([1, 0, 0, 0])) == pytest.approx(2 - 0.75 * math.log2(3))
    nothing = entropy(torch.zeros(9, dtype=torch.int8))
    assert nothing == 0 and math.copysign(1, nothing) == 1


@given(st.lists(st.integers(-8, 7), min_size=1, max_size=50))
def test_entropy_is_the_sum_over_the_codes_that_occur(values):
    p = [values.count(v) / len(values) for v in set(values)]
    expected = sum(-v * math.log2(v) for v in p)
    for dtype in (torch.int8, torch.int16, torch.int64):
        found = entropy(torch.tensor(values, dtype=dtype))
        assert found == pytest.approx(expected, abs=1e-12)
        assert 0 <= found <= math.log2(min(16, len(values))) + 1e-12


def test_entropy_of_many_codes_is_numpys():
    x = samples.distribution("normal", 600_000)
    codes = UniformQuantizer(QuantizationParams.from_tensor(x, INT8)).quantize(x)
    p = np.unique(codes.numpy(), return_counts=True)[1] / codes.numel()
    assert entropy(codes.view(600, 1000)) == pytest.approx(-(p * np.log2(p)).sum(), abs=1e-12)


def test_entropy_refuses_what_is_no_code():
    one = torch.ones(3)
    for found, bad in (("torch.float32", one), ("torch.bool", one > 0),
                       ("torch.complex64", one + 0j), ("list", [1, 2])):  # fmt: skip
        with pytest.raises(
            TypeError, match=f"codes: expected an integer tensor, found {found}; use quantize"
        ):
            entropy(bad)
    with pytest.raises(ValueError, match="codes: the tensor is empty; give it a value"):
        entropy(torch.empty(0, dtype=torch.int8))


def test_gaussian_distortion_halves_the_amplitude_with_each_bit():
    assert gaussian_distortion(0.0, 4.0) == 4
    assert gaussian_distortion(3.0) == pytest.approx(1 / 64)
    assert gaussian_distortion(2, 3.0) == 3 / 16
    gain = 10 * math.log10(gaussian_distortion(1.0) / gaussian_distortion(2.0))
    assert gain == pytest.approx(20 * math.log10(2))
    assert torch.equal(gaussian_distortion(torch.tensor([0.0, 1.0])), torch.tensor([1.0, 0.25]))
    assert gaussian_distortion(1.0, 0.0) == 0 and gaussian_distortion(1.0, 0.5) == 0.125
    with pytest.raises(ValueError, match="rate: expected at least 0 bits, found -1.0"):
        gaussian_distortion(-1.0)
    with pytest.raises(ValueError, match="rate: expected at least 0 bits"):
        gaussian_distortion(torch.tensor([1.0, -0.1]))
    with pytest.raises(ValueError, match="variance: expected at least 0, found -1.0"):
        gaussian_distortion(1.0, -1.0)


def test_a_full_scale_sine_has_a_line_of_0_db():
    n = torch.arange(4096, dtype=torch.float64)
    frequencies, level = spectrum(torch.sin(2 * torch.pi * 64 / 4096 * n), 1000)
    assert level.max() == pytest.approx(0, abs=1e-6)
    assert frequencies[level.argmax()] == pytest.approx(64 / 4096 * 1000)


def test_one_sample_a_second_has_a_spectrum():
    frequencies, level = spectrum(torch.ones(4), 1)
    assert frequencies.tolist() == [0, 0.25, 0.5] and len(level) == 3


def test_a_spectrum_is_in_decibels_below_a_full_scale_sine():
    t = torch.arange(64, dtype=torch.float64)
    sine = torch.sin(2 * torch.pi * 8 * t / 64)
    for size in (1, 0.5, 0.001):
        level = spectrum(size * sine, 64)[1]
        assert level[8].item() == pytest.approx(20 * math.log10(size), abs=1e-9)
    assert spectrum(0 * sine, 64)[1].tolist() == [-140] * 33, "silence has a level too"


def test_a_spectrum_needs_samples_in_a_row():
    for x, rate in ((torch.ones(2, 3), 10), (torch.ones(4), 0)):
        with pytest.raises(ValueError, match="x, rate: expected samples in a row"):
            spectrum(x, rate)
    with pytest.raises(TypeError, match="rate: expected an int, found 0.5"):
        spectrum(torch.ones(4), 0.5)
