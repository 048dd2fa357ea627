"""Predictions and exercises of chapter 05b: a network as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from ..information import sqnr_db
from ..quantizer import fit
from ..samples import distribution
from .answers import Answers, choice, number
from .kinds import Function

LAYERS = {"conv1": (144, 16), "conv2": (4608, 32), "conv3": (9216, 32), "linear": (1280, 10)}
COUNTS = tuple(count for count, _ in LAYERS.values())

# ---- predictions ----------------------------------------------------------------------------


def spare_bits() -> Answers:
    """Which layers a quarter of a bit for each weight can widen at all, by one bit or more."""
    spare = sum(COUNTS) // 4
    right = "_".join(name for name, (count, _) in LAYERS.items() if count <= spare)
    return choice(right, largest="conv3", evenly="all")


def grown_channel() -> Answers:
    """What scales for each channel save, where a channel of conv1 is 64 times larger."""
    w = distribution("normal", 32 * 64).view(32, 64)
    grown = w.clone()
    grown[0] *= 64

    def worst(t: Tensor, **options: int) -> float:
        t_hat = fit(t, 4, True, **options)(t)
        return min(sqnr_db(*rows) for rows in zip(t, t_hat, strict=True))

    weights = worst(grown, axis=0) > worst(w, axis=0) - 1  # as good as before
    inputs = worst(grown) > worst(w) - 1  # one scale for all channels
    right = {(True, True): "all", (True, False): "weights", (False, False): "nothing"}
    answers = {"everything": "all", "not_even": "nothing", "only_weights": "weights"}
    key = right[weights, inputs]
    return choice(key, **{name: text for name, text in answers.items() if text != key})


def border_value() -> Answers:
    """What the code 0 stands for, in steps, where z = -128."""
    z = -128
    return number(0 - z, black=0, negative=z, whole_range=127 - z)


def int4_bytes() -> Answers:
    """The bytes of the chapter's network with 4 bits, scales and biases counted."""
    weights, channels = sum(COUNTS) // 2, sum(channels for _, channels in LAYERS.values())
    inputs = 5 * len(LAYERS)
    return number(
        weights + 8 * channels + inputs,
        weights_only=weights,
        no_bias=weights + 4 * channels + inputs,
        unpacked=2 * weights + 8 * channels + inputs,
    )


PREDICTIONS = {
    "spare-bits": spare_bits,
    "grown-channel": grown_channel,
    "border-value": border_value,
    "int4-bytes": int4_bytes,
}

# ---- exercises ------------------------------------------------------------------------------


def kept_layer(counts: Sequence[int], gains: Sequence[float], low: int, budget: float) -> int:
    """The layer that gains most at 8 bits, the others at low, within the average budget."""
    spare = (budget - low) * sum(counts)
    fits = [k for k, n in enumerate(counts) if n * (8 - low) <= spare]
    return max(fits, key=lambda k: gains[k])


def per_weight(counts: Sequence[int], gains: Sequence[float], low: int, budget: float) -> int:
    """The best gain for each weight, among the layers that fit."""
    return kept_layer(counts, [g / n for g, n in zip(gains, counts, strict=True)], low, budget)


def sums(q: Tensor, w: Tensor, z: int) -> Tensor:
    """The sums of an integer layer: (q - z) @ w in int32."""
    return (q.int() - z) @ w.int()


def padded(q: Tensor, z: int) -> Tensor:
    """A row of codes with one padded code at each end that stands for 0."""
    return F.pad(q, (1, 1), value=z)


@st.composite
def networks(draw) -> tuple[list[int], list[int], int, float]:
    """Layers, of which the smallest fits and the largest does not."""
    counts = draw(st.lists(st.integers(1, 40), min_size=2, max_size=5, unique=True))
    gains = draw(st.permutations(range(1, len(counts) + 1)))
    low = draw(st.sampled_from([2, 3, 4]))
    fitting = draw(st.integers(0, len(counts) - 2))
    limit = sorted(counts)[fitting]
    return counts, list(gains), low, low + (8 - low) * (limit + 0.5) / sum(counts)


CODES = st.integers(-128, 127)


@st.composite
def layers(draw) -> tuple[Tensor, Tensor, int]:
    """Codes of inputs and weights, and the zero point of the inputs."""
    k, columns = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    q = draw(st.lists(CODES, min_size=k, max_size=k))
    w = draw(st.lists(st.integers(-127, 127), min_size=k * columns, max_size=k * columns))
    z = draw(CODES)
    return (
        torch.tensor([q], dtype=torch.int8),
        torch.tensor(w, dtype=torch.int8).view(k, columns),
        z,
    )


ROWS = st.lists(CODES, min_size=1, max_size=4).map(lambda q: torch.tensor(q, dtype=torch.int8))
EXERCISES = {
    "kept-layer": Function(
        kept_layer,
        (([144, 4608, 9216, 1280], [1, 6, 9, 4], 2, 3.0), ([2, 20, 10], [1, 2, 3], 4, 5.5)),
        networks(),
        {
            "no_budget": lambda counts, gains, low, budget: gains.index(max(gains)),
            "smallest": lambda counts, gains, low, budget: counts.index(min(counts)),
            "per_weight": per_weight,
            "layers_alike": lambda counts, gains, low, budget: kept_layer(
                [1] * len(counts), gains, low, budget
            ),
        },
        minutes=8,
        difficulty=2,
    ),
    "dropped-zero": Function(
        sums,
        (
            (torch.tensor([[3, 5]]).to(torch.int8), torch.tensor([[2], [-1]]).to(torch.int8), 1),
            (
                torch.tensor([[100, 90, -7]]).to(torch.int8),
                torch.tensor([[100, 1], [3, -4], [5, 6]]).to(torch.int8),
                -128,
            ),
        ),
        layers(),
        {
            "dropped": lambda q, w, z: q.int() @ w.int(),
            "wrapped": lambda q, w, z: (q - torch.tensor(z).to(torch.int8)).int() @ w.int(),
            "added": lambda q, w, z: sums(q, w, -z),
            "once": lambda q, w, z: q.int() @ w.int() - z,
        },
        catches=(12,),
        minutes=6,
        difficulty=2,
    ),
    "padding-code": Function(
        padded,
        ((torch.tensor([3, -4]).to(torch.int8), -128), (torch.tensor([7]).to(torch.int8), 5)),
        st.tuples(ROWS, CODES),
        {
            "integer_zero": lambda q, z: padded(q, 0),
            "lowest": lambda q, z: padded(q, -128),
            "minus": lambda q, z: padded(q.int(), -z).to(torch.int8),
            "edge": lambda q, z: torch.cat([q[:1], q, q[-1:]]),
        },
        minutes=4,
    ),
}
