"""How a range is chosen: by its ends, by percentile, by squared error, by entropy."""

import math
from dataclasses import FrozenInstanceError
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quantcore import (
    QuantizationParams,
    QuantizationScheme,
    UniformQuantizer,
    noise_power,
    samples,
)
from quantcore.calibration import (
    BINS,
    METHODS,
    Grid,
    calibrate,
    cap_zeros,
    clipping_noise,
    divergence,
    histogram,
    least_noise_clip,
    scale_and_zero_point,
)
from quantcore.information import error_report
from quantcore.schemes import round_to_levels

INT4, INT8, UINT8 = (QuantizationScheme[n] for n in ("INT4", "INT8", "UINT8"))


def chosen(x, scheme, symmetric, method, percentile=99.9):
    """The two ends that a method chooses for the whole tensor, as plain numbers."""
    lo, hi = calibrate(x.flatten(), method, percentile, Grid(scheme, symmetric))
    return lo.item(), hi.item()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", samples.SHAPES)
def test_no_method_widens_the_range(shape, method):
    x = samples.distribution(shape, 5000)
    for scheme, symmetric in ((INT8, True), (INT4, False), (UINT8, False)):
        lo, hi = chosen(x, scheme, symmetric, method)
        assert x.min() <= lo <= hi <= x.max()


def test_a_grid_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Grid(INT8, True).symmetric = False


def test_a_range_that_overflows_is_divided_all_the_same():
    lo, hi = torch.tensor([-3e38, -1e38, -2e38]), torch.tensor([1e38, 3e38, 3e38])
    scale, zero_point = scale_and_zero_point(lo, hi, Grid(UINT8, False))
    exact = (hi.double() - lo.double()) / 255
    assert scale.double().numpy() == pytest.approx(exact.numpy(), rel=1e-6)
    assert zero_point.tolist() == [round(p) for p in (-lo.double() / exact).tolist()]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_one_value_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="NaN and . infinite values; remove them"):
        calibrate(torch.tensor([1.0, value, 2.0]), "minmax", 99.9, Grid(INT8, True))


def test_ranges_without_codes_are_refused_wherever_one_is():
    lo, hi = torch.tensor([0.0, -2.0, -1.0]), torch.ones(3)
    with pytest.raises(ValueError, match="no negative codes, found the minimum -2; use symmetric"):
        scale_and_zero_point(lo, hi, Grid(UINT8, True))


# ---- percentile ----------------------------------------------------------------------------


@given(st.integers(1, 300), st.integers(5001, 10_000), st.integers(0, 99))
def test_percentile_is_an_order_statistic(n, hundredths, seed):
    x, percentile = samples.distribution("laplace", n, seed), hundredths / 100
    k = math.ceil(Fraction(hundredths, 10_000) * n)  # the ⌈p/100 · n⌉-th smallest
    ordered, magnitudes = x.sort().values.tolist(), x.abs().sort().values.tolist()
    lo, hi = chosen(x, INT8, False, "percentile", percentile)
    assert (lo, hi) == (ordered[n - k], ordered[k - 1])
    lo, hi = chosen(x, INT8, True, "percentile", percentile)
    assert max(-lo, hi) == magnitudes[k - 1]


def test_percentile_counts_exactly_in_a_long_tensor():
    x = torch.randperm(100_000, generator=torch.Generator().manual_seed(0)).double() + 1
    for text in ("99.9", "99.99", "99.999", "55.1", "99.95"):
        k = Fraction(text) / 100 * 100_000
        assert k.denominator == 1
        assert chosen(x, INT8, False, "percentile", float(text))[1] == k


@pytest.mark.parametrize("n", [3, 10, 1000])
def test_percentile_counts_the_decimal_that_is_written(n):
    x = torch.arange(1.0, n + 1)
    for tenths in range(501, 1001):  # 64.4 / 100 · 1000 is 644.0000000000001 in floats
        k = -(-tenths * n // 1000)
        assert chosen(x, INT8, False, "percentile", tenths / 10)[1] == k


@pytest.mark.parametrize("layout", [{}, {"axis": 1}, {"group_size": 30}])
def test_percentile_100_is_minmax(layout):
    x = samples.distribution("laplace", 1000).view(10, 100)
    for symmetric in (True, False):
        a, b = (
            QuantizationParams.from_tensor(x, INT8, symmetric, **layout, **method)
            for method in ({"method": "percentile", "percentile": 100}, {"method": "minmax"})
        )
        assert torch.equal(a.scale, b.scale) and torch.equal(a.zero_point, b.zero_point)


def test_percentile_per_channel_sorts_each_channel():
    x = samples.distribution("outliers", 3000).view(3, 1000)
    p = QuantizationParams.from_tensor(x, INT8, axis=0, method="percentile", percentile=99)
    assert torch.equal(p.scale, x.abs().sort().values[:, 989] / 127)


# ---- mse -----------------------------------------------------------------------------------


def mse(x, scale, zero_point, scheme):
    """Mean squared error of the definition, in numpy."""
    codes = np.clip(np.rint(x / scale) + zero_point, scheme.qmin, scheme.qmax)
    return np.mean((scale * (codes - zero_point) - x) ** 2, dtype=np.float64)


def least_mse(x, scheme, symmetric, full_range=False):
    """The naive search: quantize all of x with 100 shrunk ranges, and keep the best."""
    lo, hi = min(x.min(), np.float32(0)), max(x.max(), np.float32(0))
    errors = []
    for f in range(1, 101):
        if symmetric:
            steps = 2 ** (scheme.bit_width - 1) if full_range else scheme.qmax
            scale, zero = max(-lo, hi) * np.float32(f / 100 / steps), np.float32(0)
        else:
            scale = (hi - lo) * np.float32(f / 100 / (scheme.qmax - scheme.qmin))
            zero = np.rint(scheme.qmin - lo * np.float32(f / 100) / scale)
            zero = np.clip(zero, scheme.qmin, scheme.qmax)
        errors.append(mse(x, scale, zero, scheme))
    return min(errors)


@pytest.mark.parametrize("n", [3000, 100_000])  # value by value, and by histogram
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("shape", samples.SHAPES)
def test_mse_is_within_one_percent_of_a_full_search(shape, symmetric, bits, n):
    assert 3000 <= BINS < 100_000
    x, scheme = samples.distribution(shape, n), QuantizationScheme.from_bits(bits)
    p = QuantizationParams.from_tensor(x, scheme, symmetric, method="mse")
    found = mse(x.numpy(), p.scale.numpy(), p.zero_point.numpy(), scheme)
    assert found <= 1.01 * least_mse(x.numpy(), scheme, symmetric)


@pytest.mark.parametrize("n", [3000, 20_000])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_mse_searches_the_grid_that_is_used(bits, n):
    x, scheme = samples.distribution("laplace", n), QuantizationScheme.from_bits(bits)
    p = QuantizationParams.from_tensor(x, scheme, full_range=True, method="mse")
    found = mse(x.numpy(), p.scale.numpy(), 0, scheme)
    assert found <= 1.01 * least_mse(x.numpy(), scheme, True, full_range=True)
    unsigned = QuantizationScheme.from_bits(bits, signed=False)
    p = QuantizationParams.from_tensor(x.abs(), unsigned, method="mse")
    found = mse(x.abs().numpy(), p.scale.numpy(), 0, unsigned)
    assert found <= 1.01 * least_mse(x.abs().numpy(), unsigned, True)


@pytest.mark.parametrize("n", [3000, 20_000])
@pytest.mark.parametrize("scheme", [INT4, UINT8])
def test_mse_searches_each_channel_and_each_group(scheme, n):
    x = torch.stack([samples.distribution(shape, n) for shape in samples.SHAPES])
    x = x * 10.0 ** torch.arange(-2, 3)[:, None]
    flat = x.view(1, -1)[:, :-7]  # the last group is shorter
    channels = QuantizationParams.from_tensor(x, scheme, False, axis=0, method="mse")
    groups = QuantizationParams.from_tensor(flat, scheme, False, group_size=n, method="mse")
    for p, length in ((channels, n), (groups, n - 7)):
        scales, zeros = p.scale.flatten().numpy(), p.zero_point.flatten().numpy()
        for i, row in enumerate(x.numpy()):
            row = row[:length] if i == 4 else row
            found = mse(row, scales[i], zeros[i], scheme)
            assert found <= 1.01 * least_mse(row, scheme, False)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_mse_does_not_depend_on_the_unit(scale):
    for n in (3000, 20_000):
        x = samples.distribution("laplace", n).double()
        here = chosen(x, INT4, True, "mse")[1] * scale
        assert chosen(x * scale, INT4, True, "mse")[1] == pytest.approx(here, rel=1e-9)
        # In float32 two neighbouring fractions may tie, which are 0.01 of the range apart.
        in_float32 = chosen((x * scale).float(), INT4, True, "mse")[1]
        assert in_float32 == pytest.approx(here, abs=0.0101 * x.max().item() * scale)


def test_short_rows_are_searched_exactly():
    rows = samples.distribution("laplace", 4100 * 6).view(4100, 6)
    p = QuantizationParams.from_tensor(rows, INT4, axis=0, method="mse")
    for i in range(0, 4100, 41):
        row = rows[i].numpy()
        found = mse(row, p.scale[i].numpy(), p.zero_point[i].numpy(), INT4)
        assert found <= least_mse(row, INT4, True) * (1 + 1e-4)


def test_the_narrowest_range_is_a_hundredth():
    x = torch.cat([samples.distribution("normal", 10**6), torch.tensor([300.0])])
    assert chosen(x, INT4, True, "mse")[1] == pytest.approx(3)


@pytest.mark.parametrize("method", METHODS)
def test_groups_of_a_tensor_with_three_axes_have_a_range_each(method):
    x = samples.distribution("laplace", 240).view(2, 3, 40)
    p = QuantizationParams.from_tensor(x, INT4, group_size=20, method=method)
    each = QuantizationParams.from_tensor(x.view(12, 20), INT4, axis=0, method=method)
    assert torch.equal(p.scale.flatten(), each.scale)
    assert p.scale.shape == (2, 3, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("method", METHODS)
def test_the_ends_have_the_datas_dtype(method, dtype):
    x = samples.distribution("normal", 200).to(dtype)
    assert {end.dtype for end in calibrate(x, method, 99.9, Grid(INT4, True))} == {dtype}


@pytest.mark.parametrize("reach", [1.0, 3e38])
def test_a_histogram_counts_every_value(reach):
    row = samples.distribution("normal", 10_000).float()
    row = row * (reach / row.abs().max())
    points, counts = histogram(row, row.abs().max())
    assert counts.sum() == 10_000
    assert points[0] == pytest.approx((row.min() / reach).item(), rel=1e-6)
    assert points[-1] == pytest.approx((row.max() / reach).item(), rel=1e-6)
    assert histogram(row, row.abs().max(), row[:50])[1].sum() == 50
    points, counts = histogram(torch.full((30,), 2.0), torch.tensor(4.0))
    assert counts.sum().item() == pytest.approx(30) and set(points.tolist()) == {0.5}


def test_of_ranges_with_the_same_error_the_widest_is_kept():
    # With codes -2 … 1 the value -1 is exact at its own range (code -1) and at half of it (-2).
    assert chosen(torch.tensor([-1.0, -1.0]), QuantizationScheme.INT2, True, "mse") == (-1, -1)


# ---- entropy -------------------------------------------------------------------------------


def plain_divergence(points, counts, codes, f):
    """D(P‖Q) of a range cut to the fraction f, in plain Python.

    P is the histogram with the tails moved to the ends of the range; Q spreads each code's mass
    over those of its bins that are not empty.
    """
    inside = [i for i, v in enumerate(points) if points[0] * f <= v <= points[-1] * f]
    if not inside:
        return math.inf
    mass, bins = {}, {}
    for i in inside:
        mass[codes[i]] = mass.get(codes[i], 0) + counts[i]
        bins[codes[i]] = bins.get(codes[i], 0) + (counts[i] > 0)
    Q = [mass[codes[i]] / bins[codes[i]] if counts[i] else 0 for i in inside]
    P = [counts[i] for i in inside]
    P[0] += sum(counts[: inside[0]])
    P[-1] += sum(counts[inside[-1] + 1 :])
    # Where P > 0 and Q = 0 the divergence is infinite; 1e-12 in place of 0 keeps an order.
    total_p, total_q = sum(P), max(sum(Q), 1e-300)
    found = 0.0
    for p, q in zip(P, Q, strict=True):
        if p:
            found += p / total_p * math.log(p / total_p / max(q / total_q, 1e-12))
    return found


def least_divergence(x, scheme, symmetric):
    """The best of 100 shrunk ranges."""
    lo, hi = float(x.min()), float(x.max())
    counts = np.histogram(x, BINS, (lo, hi))[0].tolist()
    zero = next((i for i, c in enumerate(np.histogram(x[x == 0], BINS, (lo, hi))[0]) if c), None)
    if zero is not None:  # a spike of exact zeros is cut down to its neighbours
        beside = [counts[i] for i in (zero - 1, zero + 1) if 0 <= i < BINS]
        counts[zero] -= min((x == 0).sum(), max(counts[zero] - sum(beside) / len(beside), 0))
    points = np.linspace(lo, hi, BINS)
    best, best_fraction = math.inf, None
    for percent in range(100, 0, -1):
        ends = torch.tensor([lo, hi], dtype=torch.float64) * percent / 100
        p = QuantizationParams.from_tensor(ends, scheme, symmetric)
        codes = np.rint(points / p.scale.item()) + p.zero_point.item()
        codes = np.clip(codes, scheme.qmin, scheme.qmax).tolist()
        found = plain_divergence(points, counts, codes, percent / 100)
        if found < best - 1e-12:
            best, best_fraction = found, percent / 100
    return best_fraction


@given(st.data(), st.integers(4, 40), st.integers(1, 100))
def test_the_divergence_is_that_of_plain_python(data, n, percent):
    counts = data.draw(st.lists(st.sampled_from([0, 0, 1, 2, 7, 40]), min_size=n, max_size=n))
    lo, hi = data.draw(st.sampled_from([(-1, 1), (-3, 2), (0, 1), (-2, -1), (1, 2)]))
    if not any(counts):
        counts[n // 2] = 1
    points = torch.linspace(lo, hi, n, dtype=torch.float64)
    codes = data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    f, real = percent / 100, torch.tensor(counts, dtype=torch.float64)
    found = divergence(points, real, torch.tensor(codes), f, 7)
    assert found == pytest.approx(plain_divergence(points.tolist(), counts, codes, f), rel=1e-9)
    assert real.tolist() == counts, "it leaves the histogram as it is"


@pytest.mark.parametrize(
    "shape, n",
    [("normal", 300), ("laplace", 3000), ("outliers", 3000), ("uniform", 500), ("relu", 1000)],
)
def test_entropy_is_the_least_divergence_of_a_brute_search(shape, n):
    x = samples.distribution(shape, n).double()
    for scheme, symmetric in ((INT4, True), (UINT8, False)):
        fraction = least_divergence(x.numpy(), scheme, symmetric)
        lo, hi = chosen(x, scheme, symmetric, "entropy")
        assert (lo, hi) == pytest.approx((x.min().item() * fraction, x.max().item() * fraction))


def test_entropy_keeps_uniform_data_whole_and_cuts_outliers():
    uniform, outliers = (samples.distribution(s, 100_000) for s in ("uniform", "outliers"))
    for symmetric in (True, False):
        assert chosen(uniform, INT8, symmetric, "entropy") == (uniform.min(), uniform.max())
        lo, hi = chosen(outliers, INT8, symmetric, "entropy")
        assert outliers.min() < lo and hi < outliers.max()


def test_entropy_does_not_depend_on_the_unit():
    x = samples.distribution("outliers", 20_000).double()
    here = chosen(x, INT8, True, "entropy")[1]
    assert here < x.max()
    assert chosen(x * 2.0**90, INT8, True, "entropy")[1] == here * 2.0**90


def sqnr(x, scheme, symmetric, method):
    params = QuantizationParams.from_tensor(x, scheme, symmetric, method=method)
    return error_report(x, UniformQuantizer(params)).sqnr_db


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_entropy_is_not_led_astray_by_a_spike_of_zeros(seed):
    relu = samples.distribution("relu", 100_000, seed)
    for scheme, symmetric in ((UINT8, True), (UINT8, False), (INT8, True), (INT8, False)):
        assert sqnr(relu, scheme, symmetric, "entropy") > sqnr(relu, scheme, symmetric, "mse") - 3
    sparse = samples.distribution("normal", 100_000, seed)
    sparse[torch.arange(100_000) % 100 > 0] = 0
    for symmetric in (True, False):
        found = sqnr(sparse, INT8, symmetric, "entropy")
        assert found > sqnr(sparse, INT8, symmetric, "minmax") - 3


def test_a_histogram_without_zeros_is_not_capped():
    counts = torch.tensor([1.0, 9.0, 2.0, 3.0], dtype=torch.float64)
    zeros = torch.tensor([0.0, 5.0, 0.0, 0.0], dtype=torch.float64)
    assert torch.equal(cap_zeros(counts, 0 * zeros), counts)
    assert cap_zeros(counts, zeros).tolist() == [1, 4, 2, 3], "no more than the exact zeros go"
    assert cap_zeros(counts, 2 * zeros).tolist() == [1, 1.5, 2, 3], "nor below the neighbours"
    assert cap_zeros(counts.flip(0), torch.tensor([9.0, 0, 0, 0])).tolist() == [2, 2, 9, 1]
    for at in range(4):
        counts = torch.tensor([20.0, 30.0, 40.0, 50.0])
        counts[at], zeros = 90, torch.zeros(4)
        zeros[at] = 90
        beside = [counts[i].item() for i in (at - 1, at + 1) if 0 <= i < 4]
        assert cap_zeros(counts, zeros)[at] == sum(beside) / len(beside)
    low = torch.tensor([10.0, 2.0, 10.0])
    assert torch.equal(cap_zeros(low, torch.tensor([0.0, 2.0, 0.0])), low), "it is no spike"


# ---- aciq ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "grid, steps",
    [
        (Grid(QuantizationScheme.INT2, True), 2),
        (Grid(QuantizationScheme.INT2, True, full_range=True), 4),
        (Grid(INT4, False), 15),
        (Grid(QuantizationScheme.INT16, True), 2**16 - 2),
    ],
)
def test_the_noise_is_least_at_the_chosen_clip(grid, steps):
    clips = torch.linspace(0.2, 10, 98001, dtype=torch.float64)
    best = clips[sum(clipping_noise(clips, steps)).argmin()].item()
    assert least_noise_clip(grid) == pytest.approx(best, abs=0.001)


@pytest.mark.parametrize("bits, published", [(2, 1.71), (3, 2.15), (4, 2.55)])
def test_the_noise_is_least_where_the_authors_of_aciq_cut_a_gaussian(bits, published):
    clips = torch.linspace(1, 4, 3001, dtype=torch.float64)
    _, overload = clipping_noise(clips, 2**bits)
    granular = noise_power(2 * clips / 2**bits)  # they count 2^b steps, and the clipped values too
    assert clips[(granular + overload).argmin()] == pytest.approx(published, abs=0.01)


def test_aciq_cuts_at_that_many_standard_deviations_from_the_mean():
    x = samples.distribution("normal", 400_000) * 3 + 1
    clips = torch.linspace(1, 6, 5001, dtype=torch.float64)
    for scheme, symmetric, steps in ((UINT8, False, 255), (INT4, False, 15), (INT4, True, 14)):
        c = clips[torch.stack(clipping_noise(clips, steps)).sum(0).argmin()].item()
        lo, hi = chosen(x, scheme, symmetric, "aciq")
        middle, sigma = (0, 10**0.5) if symmetric else (1, 3)
        assert (lo, hi) == pytest.approx((middle - c * sigma, middle + c * sigma), abs=0.03)


# Below, the error is far from uniform, and the search gains from the code qmin.
@pytest.mark.parametrize("bits", [4, 5, 6, 7, 8])
@pytest.mark.parametrize("symmetric", [True, False])
def test_aciq_is_as_good_as_the_search_on_a_gaussian(symmetric, bits):
    x, scheme = samples.distribution("normal", 400_000), QuantizationScheme.from_bits(bits)
    assert sqnr(x, scheme, symmetric, "aciq") > sqnr(x, scheme, symmetric, "mse") - 0.1


def test_aciq_never_goes_beyond_the_data_nor_below_zero():
    relu = samples.distribution("relu", 10_000)
    lo, hi = chosen(relu, UINT8, False, "aciq")
    assert lo == 0 and 0 < hi <= relu.max()
    assert chosen(torch.tensor([1.0, 1.1]), INT8, False, "aciq") == (1.0, pytest.approx(1.1))


# ---- what a range costs --------------------------------------------------------------------


def test_clipping_noise_is_what_a_gaussian_really_loses():
    x = samples.distribution("normal", 400_000).double()
    clip, bits = 2.0, 5
    step = 2 * clip / (2**bits - 1)
    levels = -clip + step * torch.arange(2**bits)
    error = x - round_to_levels(x, levels)
    inside = x.abs() <= clip
    granular, overload = clipping_noise(torch.tensor([clip], dtype=torch.float64), 2**bits - 1)
    assert (error[inside] ** 2).sum() / len(x) == pytest.approx(granular.item(), rel=0.02)
    assert (error[~inside] ** 2).sum() / len(x) == pytest.approx(overload.item(), rel=0.03)
    assert granular < noise_power(step)
