"""The data that the chapters quantize: synthetic, seen, heard, and learned.

Everything is made on the CPU from a seed, so that every machine gets the same numbers.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

SHAPES = ("normal", "laplace", "uniform", "relu", "outliers")


def distribution(shape: str, n: int = 10_000, seed: int = 0) -> Tensor:
    """Draw n float32 values: a density of variance 1, a ReLU's output, or a few far outliers.

    "outliers" is a normal sample in which every 1000th value is 20 times as large.
    Raises ValueError for another name.

    >>> distribution("uniform", 3).shape
    torch.Size([3])
    """
    if shape not in SHAPES:
        raise ValueError(f"shape: {shape!r} is not known; use one of {list(SHAPES)}")
    generator = torch.Generator().manual_seed(seed)
    u = torch.rand(n, generator=generator, dtype=torch.float64).clamp_(1e-12, 1 - 1e-12)
    if shape == "uniform":
        x = (2 * u - 1) * 3**0.5
    elif shape == "laplace":
        x = -(0.5**0.5) * (u - 0.5).sign() * torch.log1p(-2 * (u - 0.5).abs())
    else:
        x = torch.special.ndtri(u, out=u)  # in its place: ten million take 80 MB
    if shape == "relu":
        x.clamp_min_(0)
    if shape == "outliers":
        x[::1000] *= 20
    return x.float()


def _dataset(name: str) -> Path:
    """A file of scikit-learn's data, found without an import: that takes 80 MB and a second."""
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name} comes with scikit-learn, which is not installed")
    return Path(spec.origin).parent / "datasets" / name


@cache
def photograph() -> Tensor:
    """A colour photograph from scikit-learn, at half its size: float32 (213, 320, 3) in [0, 1]."""
    from PIL import Image

    image = np.array(Image.open(_dataset("images/china.jpg")), dtype=np.float32)
    pixels = torch.from_numpy(image)[:426] / 255
    return pixels.view(213, 2, 320, 2, 3).mean(dim=(1, 3))


def chord(seconds: float = 1.2, rate: int = 16_000) -> Tensor:
    """A C major chord that fades: float32 samples in [-1, 1], `rate` of them per second."""
    t = torch.arange(int(seconds * rate), dtype=torch.float64) / rate
    tones = sum(torch.sin(2 * torch.pi * f * t) for f in (261.63, 329.63, 392.00))
    x = tones * torch.exp(-2.5 * t) * (t / 0.01).clamp(max=1)
    return (x / x.abs().max()).float()


@cache
def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """scikit-learn's handwritten digits: x_train, y_train, x_test, y_test.

    Images are float32 (N, 1, 8, 8) in [0, 1], labels int64 (N,); every fourth is for the test.
    """
    data = torch.tensor(np.loadtxt(_dataset("data/digits.csv.gz"), np.float32, delimiter=","))
    x, y = data[:, :64].view(-1, 1, 8, 8) / 16, data[:, 64].long()
    test = torch.arange(len(y)) % 4 == 3
    return x[~test], y[~test], x[test], y[test]


@cache
def digits_network() -> nn.Sequential:
    """A small convolutional network, trained on the digits in about two seconds.

    Trained in float64 on all images and then rounded to float32: the order in which a
    machine adds does not reach the weights' printed digits. Returned in eval mode.
    Adam is written out, and the images come in small parts: torch.optim loads 70 MB of
    compilers when it is first used, and one part leaves 150 MB less behind than all at once.
    """
    x, y, _, _ = digits()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, 10),
        ).double()
    weights = list(network.parameters())
    means, squares = ([torch.zeros_like(w) for w in weights] for _ in range(2))
    for step in range(1, 61):
        parts = []
        for images, labels in zip(x.double().split(128), y.split(128), strict=True):
            loss = nn.functional.cross_entropy(network(images), labels, reduction="sum")
            parts.append(torch.autograd.grad(loss / len(x), weights))
        for w, mean, square, *of_parts in zip(weights, means, squares, *parts, strict=True):
            gradient = torch.stack(of_parts).sum(0)
            mean.lerp_(gradient, 0.1)
            square.lerp_(gradient.square(), 0.001)
            size = (square / (1 - 0.999**step)).sqrt() + 1e-8
            w.data -= 0.01 * mean / (1 - 0.9**step) / size
    return network.float().eval().requires_grad_(False)
