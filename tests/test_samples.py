"""The data of the chapters: the same on every machine, and what its names promise."""

import math
from statistics import NormalDist

import pytest
import torch

from quantcore import samples
from quantcore.samples import chord, digits, digits_network, distribution, photograph


@pytest.mark.parametrize("shape", samples.SHAPES)
def test_a_distribution_depends_on_its_seed_and_on_nothing_else(shape):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    x = distribution(shape, 1000, seed=3)
    assert torch.equal(torch.get_rng_state(), state), "the global generator is left alone"
    torch.manual_seed(2)
    assert torch.equal(distribution(shape, 1000, seed=3), x)
    assert not torch.equal(distribution(shape, 1000, seed=4), x)
    assert (x.dtype, x.shape) == (torch.float32, (1000,)) and x.isfinite().all()


# The distribution functions. For n = 100 000, Kolmogorov's bound at one in a million is
# sqrt(ln(2e6) / 2n) = 0.0085.
CDFS = {
    "normal": NormalDist().cdf,
    "uniform": lambda v: (v + math.sqrt(3)) / math.sqrt(12),
    "laplace": lambda v: 0.5 + math.copysign(1 - math.exp(-math.sqrt(2) * abs(v)), v) / 2,
}


@pytest.mark.parametrize("shape", CDFS)
def test_a_density_has_its_name_and_variance_1(shape):
    x = distribution(shape, 100_000).sort().values
    distances = [abs(CDFS[shape](v) - i / 100_000) for i, v in enumerate(x.tolist())]
    assert max(distances) < 0.0085
    assert x.var().item() == pytest.approx(1, abs=0.03) and abs(x.mean()) < 0.02


def test_relu_and_outliers_are_made_from_the_normal():
    x = distribution("normal", 5000)
    assert torch.equal(distribution("relu", 5000), x.clamp_min(0))
    outliers = distribution("outliers", 5000)
    assert torch.allclose(outliers[::1000], 20 * x[::1000])
    outliers[::1000] = x[::1000]
    assert torch.equal(outliers, x)


def test_an_unknown_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape: 'cauchy' is not known; use one of \['normal'"):
        distribution("cauchy")


def test_the_chord_is_three_tones_that_fade():
    x = chord()
    assert x.dtype == torch.float32 and x.shape == (19_200,) and x.abs().max() == 1
    spectrum = torch.fft.rfft(x).abs()
    left, here, right = spectrum[:-2], spectrum[1:-1], spectrum[2:]
    peaks = (here > left) & (here > right) & (here > spectrum.max() / 3)
    tones = [(i + 1) / 1.2 for i in peaks.nonzero().flatten().tolist()]
    assert tones == pytest.approx([261.63, 329.63, 392.0], abs=0.5)
    assert x[-1600:].abs().max() < 0.2 < x[:1600].abs().max()


def test_the_photograph_is_coloured_and_in_range():
    x = photograph()
    assert x.dtype == torch.float32 and x.shape == (213, 320, 3)
    assert 0 <= x.min() < 0.1 and 0.9 < x.max() <= 1
    assert not torch.equal(x[..., 0], x[..., 2])


def test_the_digits_are_split_without_overlap():
    x, y, x_test, y_test = digits()
    assert len(x) == len(y) and len(x_test) == len(y_test) == 1797 // 4
    assert len(x) + len(x_test) == 1797 and x.shape[1:] == (1, 8, 8)
    assert 0 <= x.min() and x.max() == 1 and x.dtype == torch.float32
    assert set(y.tolist()) == set(y_test.tolist()) == set(range(10)) and y.dtype == torch.int64


def test_the_data_are_what_scikit_learn_loads():
    from sklearn.datasets import load_digits, load_sample_image

    theirs = torch.tensor(load_digits().images / 16).float()[:, None]
    labels = torch.tensor(load_digits().target)
    x, y, x_test, y_test = digits()
    assert torch.equal(x_test, theirs[3::4]) and torch.equal(y_test, labels[3::4])
    assert torch.equal(x[::3], theirs[::4]) and torch.equal(y[::3], labels[::4])
    china = torch.tensor(load_sample_image("china.jpg")[:426]) / 255
    assert torch.allclose(photograph()[5, 7], china[10:12, 14:16].mean((0, 1)))


def test_the_network_is_trained_and_needs_no_gradient():
    state = torch.get_rng_state()
    network = digits_network()
    assert torch.equal(torch.get_rng_state(), state)
    _, _, x, y = digits()
    accuracy = (network(x).argmax(1) == y).double().mean().item()
    assert accuracy > 0.95
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    assert {p.dtype for p in network.parameters()} == {torch.float32}
