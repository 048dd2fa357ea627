"""Lloyd–Max and the best uniform quantizer, against published and brute numbers."""

import functools
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quantcore import (
    QuantizationScheme,
    gaussian_distortion,
    lloyd_max,
    optimal_uniform,
    samples,
)

INT4, INT8 = QuantizationScheme.INT4, QuantizationScheme.INT8
BOTH = pytest.mark.parametrize("make", [lloyd_max, optimal_uniform])

# Max 1960, tables I and II, N = 2 … 32: the mean squared errors of the optimal and of the optimal
# uniform quantizer, and the latter's step, for a normal source of variance 1. Above N = 16 the
# printed errors are low by up to 6e-6.
MAX_OPTIMAL = dict(enumerate([
    0.3634, 0.1902, 0.1175, 0.07994, 0.05798, 0.04400, 0.03454, 0.02785, 0.02293, 0.01922,
    0.01634, 0.01406, 0.01223, 0.01073, 0.009497, 0.008463, 0.007589, 0.006844, 0.006203,
    0.005648, 0.005165, 0.004741, 0.004367, 0.004036, 0.003741, 0.003477, 0.003240, 0.003027,
    0.002834, 0.002658, 0.002499,
], start=2))  # fmt: skip
MAX_UNIFORM = dict(enumerate([
    0.3634, 0.1902, 0.1188, 0.08218, 0.06065, 0.04686, 0.03744, 0.03069, 0.02568, 0.02185,
    0.01885, 0.01645, 0.01450, 0.01289, 0.01154, 0.01040, 0.009430, 0.008594, 0.007869,
    0.007235, 0.006678, 0.006185, 0.005747, 0.005355, 0.005004, 0.004687, 0.004401, 0.004141,
    0.003905, 0.003688, 0.003490,
], start=2))  # fmt: skip
MAX_STEP = dict(enumerate([
    1.596, 1.224, 0.9957, 0.8430, 0.7334, 0.6508, 0.5860, 0.5338, 0.4908, 0.4546, 0.4238, 0.3972,
    0.3739, 0.3534, 0.3352, 0.3189, 0.3042, 0.2909, 0.2788, 0.2678, 0.2576, 0.2482, 0.2396,
    0.2315, 0.2240, 0.2171, 0.2105, 0.2044, 0.1987, 0.1932, 0.1881,
], start=2))  # fmt: skip
N = range(2, 33)


@functools.cache
def designed(make, n, source):
    """What `make` returns; several tests look at the same quantizers."""
    return make(n, source)


@pytest.mark.parametrize("n", N)
def test_the_optimal_quantizers_of_a_normal_source_are_those_of_max_1960(n):
    assert designed(lloyd_max, n, "normal").mse == pytest.approx(MAX_OPTIMAL[n], abs=1e-4, rel=0)
    q = designed(optimal_uniform, n, "normal")
    assert q.mse == pytest.approx(MAX_UNIFORM[n], abs=1e-4, rel=0)
    printed = 1e-3 if n < 4 else 1e-4  # one unit of the last digit in print
    assert q.levels.diff().numpy() == pytest.approx(MAX_STEP[n], abs=printed, rel=0)


# ---- against integrals that are computed here ----------------------------------------------

DENSITIES = {  # the density, and how far it is integrated
    "normal": (lambda x: np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi), 12),
    "laplace": (lambda x: np.exp(-math.sqrt(2) * np.abs(x)) / math.sqrt(2), 24),
    "uniform": (lambda x: np.full_like(x, 1 / math.sqrt(12)), math.sqrt(3)),
}


def grid(source, points):
    """Midpoints and the probability of each small interval."""
    density, far = DENSITIES[source]
    x = (np.arange(points) + 0.5) / points * 2 * far - far
    return x, density(x) * 2 * far / points


def integrated_mse(levels, x, p):
    """E (x - y)² with y the nearest level; the midpoint rule is good to (interval)²."""
    levels = np.asarray(levels)
    nearest = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, x)]
    return (p * (x - nearest) ** 2).sum()


@pytest.mark.parametrize("source", DENSITIES)
@BOTH
def test_the_stated_error_is_the_error_of_the_stated_levels(make, source):
    x, p = grid(source, 100_000)
    for n in (1, *N):
        q = designed(make, n, source)
        assert q.levels.shape == (n,) and q.thresholds.shape == (n - 1,)
        assert q.levels.dtype == q.thresholds.dtype == torch.float64
        assert (q.levels.diff() > 0).all()
        assert torch.allclose(q.thresholds, (q.levels[1:] + q.levels[:-1]) / 2)
        assert q.mse == pytest.approx(integrated_mse(q.levels, x, p), abs=1e-6, rel=0)


@pytest.mark.parametrize("source", DENSITIES)
def test_every_level_of_lloyd_max_is_the_mean_of_its_cell(source):
    # For a density whose logarithm is concave, as these three are, only the optimum has levels
    # that are means and thresholds that lie midway (Fleischer 1964; Kieffer 1983).
    x, p = grid(source, 200_000)
    for n in N:
        q = designed(lloyd_max, n, source)
        cell = np.searchsorted(q.thresholds.numpy(), x)
        mean = np.bincount(cell, p * x, n) / np.bincount(cell, p, n)
        assert q.levels.numpy() == pytest.approx(mean, abs=2e-3)
        moved = integrated_mse(np.sort(mean), x, p)
        assert q.mse <= moved + 1e-6, "one more iteration gains nothing"


@pytest.mark.parametrize("source", DENSITIES)
@pytest.mark.parametrize("n", [2, 3, 8, 17])
def test_moving_any_level_makes_lloyd_max_no_better(source, n):
    x, p = grid(source, 50_000)
    q = designed(lloyd_max, n, source)
    for i, nudge in itertools.product(range(n), (-0.02, 0.02)):
        moved = q.levels.numpy().copy()
        moved[i] += nudge
        assert integrated_mse(moved, x, p) > q.mse - 1e-6


@pytest.mark.parametrize("source", DENSITIES)
def test_no_other_step_makes_optimal_uniform_better(source):
    x, p = grid(source, 20_000)
    for n in (2, 3, 4, 7, 16, 32):
        q = designed(optimal_uniform, n, source)
        step = q.levels.diff().mean().item()
        assert torch.allclose(q.levels, step * (torch.arange(n) - (n - 1) / 2).double())
        for factor in (0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 1.03, 1.1, 1.3, 1.6, 2, 3):
            other = factor * step * (np.arange(n) - (n - 1) / 2)
            assert integrated_mse(other, x, p) > q.mse - 1e-6


@pytest.mark.parametrize("source", DENSITIES)
def test_more_levels_are_better_and_lloyd_max_is_the_best(source):
    best = [designed(lloyd_max, n, source).mse for n in (1, *N)]
    assert best[0] == pytest.approx(1), "one level: the variance is lost"
    assert all(b < a for a, b in itertools.pairwise(best))
    for n, b in zip((1, *N), best, strict=True):
        assert b <= designed(optimal_uniform, n, source).mse + 1e-9
        if source == "normal" and n > 1:
            assert b > gaussian_distortion(math.log2(n)), "no quantizer beats Shannon's bound"


def test_a_uniform_source_needs_no_lloyd():
    for n in N:
        for make in (lloyd_max, optimal_uniform):
            q = designed(make, n, "uniform")
            assert q.mse == pytest.approx(1 / n**2, rel=1e-6)
            assert q.levels.diff().numpy() == pytest.approx(2 * math.sqrt(3) / n, rel=1e-3)


# ---- samples as a source -------------------------------------------------------------------


def direct_mse(x, q):
    x = x.double()
    return (x - q.levels[torch.bucketize(x, q.thresholds)]).square().mean().item()


@pytest.mark.parametrize("source", DENSITIES)
@BOTH
def test_samples_give_what_their_density_gives(make, source):
    x = samples.distribution(source, 100_000)
    for n in (2, 5, 16):
        q, ideal = make(n, x), designed(make, n, source)
        assert q.mse == pytest.approx(ideal.mse, rel=0.04)
        assert q.mse == pytest.approx(direct_mse(x, q), rel=1e-9)
        # Other levels do no better on these samples than the ones found for them.
        assert q.mse <= direct_mse(x - x.mean(), ideal) * (1 + 1e-3)


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=12),
    st.integers(1, 15),
    st.sampled_from([lloyd_max, optimal_uniform]),
)
def test_any_samples_with_duplicates_and_more_levels_than_samples(values, n, make):
    x = torch.tensor(values, dtype=torch.float32)
    q = make(n, x)
    assert q.levels.isfinite().all() and (q.levels.diff() >= 0).all() and len(q.levels) == n
    assert q.mse == pytest.approx(direct_mse(x, q), abs=1e-12)
    assert q.mse <= x.double().var(correction=0).item() + 1e-12, "one level would do that"


def test_one_sample_and_constants_have_no_error():
    for make, n in itertools.product((lloyd_max, optimal_uniform), (1, 2, 7)):
        for value, count in itertools.product((0.0, 3.0, -1e-30, 1e30), (1, 9)):
            q = make(n, torch.full((count,), value))
            assert q.mse == 0
            assert (q.levels.float() - value).abs().min() <= 1e-7 * abs(value)


def test_two_levels_for_two_values():
    for make in (lloyd_max, optimal_uniform):
        assert make(1, torch.tensor([1.0, 3.0])).mse == pytest.approx(1)
        q = make(2, torch.tensor([-1.0, -1.0, 5.0, 5.0]))
        assert q.levels.tolist() == pytest.approx([-1, 5], abs=1e-6)
        assert q.mse == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("unit, offset", [(1.0, 1e6), (1e-30, 0.0), (1e30, 0.0), (1e100, -3e103)])
@BOTH
def test_samples_may_lie_anywhere(make, unit, offset):
    x = samples.distribution("laplace", 3000).double()
    here, there = make(8, x), make(8, x * unit + offset)
    assert there.mse == pytest.approx(here.mse * unit * unit, rel=1e-6)
    assert ((there.levels - offset) / unit).numpy() == pytest.approx(here.levels.numpy(), abs=1e-4)


def test_a_level_whose_cell_is_empty_stays_where_it_was():
    q = lloyd_max(4, torch.tensor([1.0, 1.0, 2.0, 2.0]))
    assert set(q.levels.tolist()) == {1, 2} and q.mse == 0


@BOTH
def test_samples_may_differ_by_all_that_float64_can_hold(make):
    x = torch.tensor([1e-200, 1.0, 2.0, 3.0], dtype=torch.float64)
    zero = make(2, torch.tensor([0.0, 1.0, 2.0, 3.0]))
    q = make(2, x)
    assert torch.equal(q.levels, zero.levels) and q.mse == zero.mse


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9), st.floats(0.01, 100))
def test_rounding_makes_no_error_negative(values, unit):
    # Two values that a float64 holds exactly, or not, and a level for each.
    x = torch.tensor(values, dtype=torch.float64) * unit
    for make in (lloyd_max, optimal_uniform):
        assert make(7, x).mse >= 0


def test_half_precision_samples_and_any_shape():
    x = samples.distribution("normal", 600)
    for make in (lloyd_max, optimal_uniform):
        flat = make(4, x.half().float())
        assert torch.equal(make(4, x.half().view(20, 30)).levels, flat.levels)
    y = x.clone().requires_grad_()
    assert not lloyd_max(4, y).levels.requires_grad


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=12), st.integers(1, 6))
def test_lloyd_max_is_never_worse_than_the_best_uniform(values, n):
    x = torch.tensor(values, dtype=torch.float64)
    rounding = 1e-14 * x.square().max().item()  # of sums that cancel
    assert lloyd_max(n, x).mse <= optimal_uniform(n, x).mse * (1 + 1e-9) + rounding


@pytest.mark.parametrize("n", [2, 3, 4, 6, 7])
def test_a_step_may_be_so_wide_that_levels_are_left_over(n):
    x = torch.tensor([0.45, -0.45] * 9 + [1, -1], dtype=torch.float64)
    steps = torch.linspace(0.001, 2, 4000, dtype=torch.float64)
    place = torch.arange(n, dtype=torch.float64) - (n - 1) / 2
    nearest = (x[:, None, None] - steps[:, None] * place).abs().amin(-1)
    assert optimal_uniform(n, x).mse <= nearest.square().mean(0).min().item() + 1e-12


def test_lloyd_max_finds_the_two_pairs_of_four_values():
    assert lloyd_max(2, torch.tensor([0.0, 1.0, 2.0, 3.0])).mse == 0.25


def test_empty_cells_of_lloyd_max_keep_a_level():
    assert set(lloyd_max(4, torch.tensor([1.0, 1, 2, 2])).levels.tolist()) <= {1, 2}


@BOTH
@pytest.mark.parametrize("unit", [1e-300, 1e-200, 1e150, 1e200, 1e300])
def test_levels_do_not_depend_on_the_unit(make, unit):
    x = samples.distribution("laplace", 400).double()
    for n in (2, 5):
        levels, scaled = make(n, x).levels, make(n, x * unit).levels
        assert (scaled / unit).numpy() == pytest.approx(levels.numpy(), rel=1e-6)
    wide = torch.tensor([1e-200, 1, 2, 3], dtype=torch.float64)
    assert 0 < make(2, wide).mse < 1


@BOTH
def test_bad_sources_and_levels_are_refused(make):
    with pytest.raises(ValueError, match=r"source: 'cauchy' is not known; use one of \['normal', "):
        make(4, "cauchy")
    with pytest.raises(ValueError, match="levels: expected at least 1, found 0"):
        make(0, "normal")
    for bad in (4.0, "4", True, None):
        with pytest.raises(TypeError, match=f"levels: expected an int, found {bad!r}"):
            make(bad, "normal")
    for bad in (torch.nan, torch.inf):
        with pytest.raises(ValueError, match="source: found NaN or infinite values; remove them"):
            make(4, torch.tensor([1.0, bad]))
    with pytest.raises(ValueError, match="source: the tensor is empty"):
        make(4, torch.empty(0))
    with pytest.raises(TypeError, match="source: expected a float16"):
        make(4, torch.arange(5))
    with pytest.raises(TypeError, match="source: expected a name or a tensor, found list"):
        make(4, [1.0, 2.0])
