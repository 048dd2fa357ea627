"""Noise, entropy, rate–distortion and optimal quantizers, against published and brute numbers."""

import math

import pytest
import torch

from quantcore import (
    QuantizationParams,
    QuantizationScheme,
    UniformQuantizer,
    entropy,
    gaussian_distortion,
    lloyd_max,
    noise_power,
    optimal_uniform,
    samples,
    sqnr_db,
)
from quantcore.information import error_report

# Max 1960, tables I and II: the mean squared errors for a normal source of variance 1.
MAX_OPTIMAL = {
    2: 0.3634, 3: 0.1902, 4: 0.1175, 5: 0.07994, 6: 0.05798, 7: 0.04400, 8: 0.03454, 9: 0.02785,
    10: 0.02293, 11: 0.01922, 12: 0.01634, 13: 0.01406, 14: 0.01223, 15: 0.01073, 16: 0.009497,
    32: 0.002499,
}  # fmt: skip
MAX_UNIFORM = {2: 0.3634, 3: 0.1902, 4: 0.1188, 5: 0.08218, 6: 0.06065, 7: 0.04686, 8: 0.03744,
               16: 0.01154, 32: 0.00349}  # fmt: skip
MAX_STEP = {8: 0.5860, 16: 0.3352, 32: 0.1881}


@pytest.mark.parametrize("n", MAX_OPTIMAL)
def test_lloyd_max_gives_the_table_of_1960(n):
    assert lloyd_max(n, "normal").mse == pytest.approx(MAX_OPTIMAL[n], abs=1e-4)


@pytest.mark.parametrize("n", MAX_UNIFORM)
def test_optimal_uniform_gives_the_table_of_1960(n):
    assert optimal_uniform(n, "normal").mse == pytest.approx(MAX_UNIFORM[n], abs=1e-4)


@pytest.mark.parametrize("n", MAX_STEP)
def test_optimal_uniform_finds_the_step_of_1960(n):
    assert optimal_uniform(n, "normal").levels.diff() == pytest.approx(MAX_STEP[n], abs=1e-4)


DENSITIES = {
    "normal": lambda x: torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi),
    "laplace": lambda x: torch.exp(-math.sqrt(2) * x.abs()) / math.sqrt(2),
    "uniform": lambda x: (x.abs() <= math.sqrt(3)) / (2 * math.sqrt(3)),
}


def integrated_mse(levels, density):
    """The error of rounding to the nearest level, on a grid of 2e-5, which is its accuracy."""
    x = (torch.arange(2_000_000, dtype=torch.float64) + 0.5) / 2e6 * 40 - 20
    nearest = levels[torch.bucketize(x, (levels[1:] + levels[:-1]) / 2)]
    return (density(x) * (x - nearest) ** 2).sum().item() * 40 / 2e6


@pytest.mark.parametrize("source", DENSITIES)
@pytest.mark.parametrize("make", [lloyd_max, optimal_uniform])
def test_the_stated_error_is_the_error_of_the_stated_levels(make, source):
    for n in (1, 2, 7, 16):
        q = make(n, source)
        assert len(q.levels) == n and len(q.thresholds) == n - 1
        assert q.mse == pytest.approx(integrated_mse(q.levels, DENSITIES[source]), abs=3e-5)


@pytest.mark.parametrize("source", DENSITIES)
def test_lloyd_max_meets_its_two_conditions(source):
    q = lloyd_max(8, source)
    assert torch.allclose(q.thresholds, (q.levels[1:] + q.levels[:-1]) / 2)
    for i in range(8):
        for nudge in (-0.01, 0.01):
            moved = q.levels.clone()
            moved[i] += nudge
            assert integrated_mse(moved, DENSITIES[source]) > q.mse - 1e-7
    assert q.mse <= optimal_uniform(8, source).mse + 1e-9


def test_uniform_sources_need_no_lloyd():
    for n in (2, 5, 16):
        for make in (lloyd_max, optimal_uniform):
            assert make(n, "uniform").mse == pytest.approx(1 / n**2, rel=1e-3)


@pytest.mark.parametrize("make", [lloyd_max, optimal_uniform])
def test_samples_are_a_source_too(make):
    x = samples.distribution("normal", 100_000)
    assert make(8, x).mse == pytest.approx(make(8, "normal").mse, rel=0.03)
    q = make(4, x)
    nearest = q.levels[torch.bucketize(x.double(), q.thresholds)]
    assert q.mse == pytest.approx((x - nearest).square().mean().item(), rel=1e-6)


@pytest.mark.parametrize("make", [lloyd_max, optimal_uniform])
def test_few_or_equal_samples(make):
    assert make(4, torch.full((9,), 3.0)).mse == pytest.approx(0, abs=1e-12)
    assert make(1, torch.tensor([1.0, 3.0])).mse == pytest.approx(1)
    assert make(2, torch.tensor([-1.0, -1.0, 1.0, 1.0])).mse == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("make", [lloyd_max, optimal_uniform])
def test_bad_sources_and_levels_are_refused(make):
    with pytest.raises(ValueError, match="source: 'cauchy' is not known; use one of"):
        make(4, "cauchy")
    with pytest.raises(ValueError, match="levels: expected at least 1, found 0"):
        make(0, "normal")
    with pytest.raises(TypeError, match="levels: expected an int, found 4.0"):
        make(4.0, "normal")
    with pytest.raises(ValueError, match="source: found NaN"):
        make(4, torch.tensor([1.0, torch.nan]))
    with pytest.raises(ValueError, match="source: the tensor is empty"):
        make(4, torch.empty(0))


def test_noise_power():
    assert noise_power(0.5) == pytest.approx(0.25 / 12)


def test_sqnr_is_a_ratio_of_powers():
    x = samples.distribution("normal", 5000)
    assert sqnr_db(x, 0.99 * x) == pytest.approx(40, abs=1e-3)
    assert sqnr_db(x, x) == math.inf
    assert sqnr_db(torch.zeros(3), torch.zeros(3)) == math.inf
    assert sqnr_db(torch.zeros(3), torch.ones(3)) == -math.inf
    for size in (1e-30, 5e37):
        assert sqnr_db(x * size / 10, 0.9 * x * size / 10) == pytest.approx(20, abs=1e-3)


def test_sqnr_refuses_what_it_cannot_compare():
    with pytest.raises(ValueError, match=r"x_hat: expected x's shape \(3,\), found \(4,\)"):
        sqnr_db(torch.ones(3), torch.ones(4))
    with pytest.raises(ValueError, match="found NaN or infinite values"):
        sqnr_db(torch.tensor([1.0, torch.nan]), torch.ones(2))
    with pytest.raises(TypeError, match="x_hat: expected a real"):
        sqnr_db(torch.ones(3), torch.ones(3).int())


def test_entropy_in_bits():
    assert entropy(torch.arange(256)) == pytest.approx(8)
    assert entropy(torch.zeros(9, dtype=torch.int8)) == 0
    p = 0.25
    expected = -p * math.log2(p) - (1 - p) * math.log2(1 - p)
    assert entropy(torch.tensor([1, 0, 0, 0])) == pytest.approx(expected)
    with pytest.raises(TypeError, match="codes: expected an integer tensor, found torch.float32"):
        entropy(torch.ones(3))
    with pytest.raises(ValueError, match="codes: the tensor is empty"):
        entropy(torch.empty(0, dtype=torch.int8))


def test_gaussian_distortion_halves_the_amplitude_with_each_bit():
    assert gaussian_distortion(0.0, 4.0) == 4
    assert gaussian_distortion(3.0) == pytest.approx(1 / 64)
    assert torch.equal(gaussian_distortion(torch.tensor([0.0, 1.0])), torch.tensor([1.0, 0.25]))
    with pytest.raises(ValueError, match="rate: expected at least 0 bits"):
        gaussian_distortion(-1.0)
    with pytest.raises(ValueError, match="variance: expected at least 0"):
        gaussian_distortion(1.0, -1.0)


@pytest.mark.parametrize("n", [1000, 2_500_000])
@pytest.mark.parametrize("layout", [{}, {"axis": 0}, {"group_size": 10}])
def test_an_error_report_is_that_of_the_whole_tensor(n, layout):
    x = samples.distribution("laplace", n).view(10, -1)
    params = QuantizationParams.from_tensor(x, QuantizationScheme.INT4, **layout)
    params = QuantizationParams(params.scale * 0.7, params.zero_point, -8, 7, **layout)
    quantizer = UniformQuantizer(params)
    report = error_report(x, quantizer)
    error = (x - quantizer(x)).double()
    assert report.mse == pytest.approx(error.square().mean().item(), rel=1e-5)
    assert report.sqnr_db == pytest.approx(sqnr_db(x, quantizer(x)), abs=1e-4)
    assert report.clipped == pytest.approx(1 - quantizer.in_range(x).double().mean().item())


@pytest.mark.parametrize("size", [1e-40, 1e-20, 1e30])
def test_an_error_report_survives_tiny_and_huge_values(size):
    x = samples.distribution("normal", 1000) * size
    params = QuantizationParams.from_tensor(x, QuantizationScheme.INT8)
    assert error_report(x, UniformQuantizer(params)).sqnr_db == pytest.approx(41, abs=2)
