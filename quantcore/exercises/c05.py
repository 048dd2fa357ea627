"""Predictions and exercises of chapter 05: what pictures and four numbers say."""

from __future__ import annotations

from functools import cache, partial
from math import log10, sqrt

import torch
from hypothesis import strategies as st
from torch import Tensor

from ..information import sqnr_db
from ..params import LAYOUTS
from ..quantizer import fit
from ..samples import SHAPES, distribution
from . import clinic
from .answers import Answers, choice, number
from .kinds import Function, Settings

# ---- predictions ----------------------------------------------------------------------------


def third_panel() -> Answers:
    """What x̂ over x looks like at four bits."""
    x = distribution("normal")
    few = len(fit(x, 4)(x).unique()) <= 16
    return choice("steps" if few else "line", line="line", cloud="cloud")


def gain_formula() -> Answers:
    """For which data the ratio of the steps does not say what an asymmetric grid gains."""

    def off(shape: str) -> float:
        x = distribution(shape)
        one, two = fit(x, 4), fit(x, 4, symmetric=False)
        said = 20 * torch.log10(one.params.scale / two.params.scale).item()
        return abs(said - (sqnr_db(x, two(x)) - sqnr_db(x, one(x))))

    right = max(SHAPES, key=off)
    return choice(right, **{f"not_{shape}": shape for shape in SHAPES if shape != right})


def quiet_row() -> Answers:
    """How many dB a row loses that is ten times smaller, with the same error."""
    shrink = 10
    return number(
        20 * log10(shrink),
        tolerance=0.5,
        ten_log=10 * log10(shrink),
        twice=20 * log10(shrink**2),
        same_row=0,
    )


def last_bit() -> Answers:
    """How many dB a symmetric grid loses from 3 bits to 2, if its noise is s²/12."""
    return number(
        20 * log10(3 / 1),
        tolerance=0.2,
        one_bit=20 * log10(8 / 4),
        ten_log=10 * log10(3 / 1),
        all_gaps=20 * log10(7 / 3),
    )


def comb_ratio() -> Answers:
    """The highest bin of 50 over the lowest, for the INT8 values of uniform data."""
    width = 2 * 1.75 / 50
    levels = torch.arange(-127, 128) * (sqrt(3) / 127)
    counts = torch.histc(levels, 50, -1.75, 1.75)[2:-2]
    return number(
        (counts.max() / counts.min()).item(),
        tolerance=0.05,
        flat=1,
        one_or_two=2,
        per_bin=width / (sqrt(3) / 127),
    )


def diagnosis(name: str) -> Answers:
    """What is wrong with a case of the clinic: the label that its generator gave it."""
    right = clinic.cases()[name].fault
    return choice(right, **{fault: fault for fault in clinic.FAULTS if fault != right})


PREDICTIONS = {
    "third-panel": third_panel,
    "gain-formula": gain_formula,
    "quiet-row": quiet_row,
    "last-bit": last_bit,
    "comb-ratio": comb_ratio,
    **{f"diagnosis/{name}": partial(diagnosis, name) for name in "ABCDEFGH"},
}

# ---- exercises ------------------------------------------------------------------------------


def clipped_share(x: Tensor, scale: float, qmin: int, qmax: int) -> float:
    """The share of the values whose code is clamped; the zero point is 0."""
    codes = torch.round(x / scale)
    return ((codes < qmin) | (codes > qmax)).float().mean().item()


def peak_over_rms(x: Tensor) -> float:
    """The largest magnitude over the root of the mean square."""
    return (x.abs().max() / x.square().mean().sqrt()).item()


def row_db(w: Tensor, w_hat: Tensor) -> Tensor:
    """SQNR of each row, in dB."""
    return 10 * torch.log10(w.square().sum(1) / (w - w_hat).square().sum(1))


def as_grid(x: Tensor, scale: float, low: float, high: float) -> float:
    """The share of the values outside [low, high] steps."""
    return ((x / scale < low) | (x / scale > high)).float().mean().item()


def alike(rows: Tensor, w: Tensor) -> Tensor:
    """One number for every row."""
    return rows.expand(len(w)).clone()


@cache
def quiet_weights() -> Tensor:
    """A matrix of 32 rows, of which every eighth is ten times smaller."""
    w = distribution("normal", 32 * 64).view(32, 64)
    w[::8] /= 10
    return w


def measure(settings: dict) -> dict[str, float]:
    """SQNR of the worst row in dB, and bits per weight with a float16 scale for each part."""
    w = quiet_weights()
    quantizer = fit(w, settings["bits"], True, **LAYOUTS[settings["layout"]])
    bits = settings["bits"] + 16 * quantizer.params.scale.numel() / w.numel()
    return {"SQNR": row_db(w, quantizer(w)).min().item(), "bits": bits}


QUARTERS = st.integers(-48, 48).map(lambda n: n / 4)
VALUES = st.lists(QUARTERS, min_size=1, max_size=8).map(torch.tensor)
GRIDS = st.sampled_from([(-8, 7), (-7, 7), (0, 15), (-2, 1)])


@st.composite
def matrices(draw) -> tuple[Tensor, Tensor]:
    """A matrix and one beside it, with an error in every row."""
    rows, columns = draw(st.integers(1, 2)), 2
    size = {"min_size": rows * columns, "max_size": rows * columns}
    w = torch.tensor(draw(st.lists(st.integers(1, 16), **size)), dtype=torch.float32)
    e = torch.tensor(draw(st.lists(st.sampled_from([-0.5, 0.25, 0.5]), **size)))
    return w.view(rows, columns), (w + e).view(rows, columns)


MATRIX = torch.tensor([[4.0, 3.0], [0.5, 0.0]])
EXERCISES = {
    "clipped-share": Function(
        clipped_share,
        (
            (torch.tensor([-9.0, 3.0, 7.25, 9.0]), 1.0, -8, 7),
            (torch.tensor([7.25, 7.5, 7.75]), 1.0, -8, 7),
        ),
        st.tuples(VALUES, st.sampled_from([0.5, 1.0, 2.0]), GRIDS).map(
            lambda drawn: (drawn[0], drawn[1], *drawn[2])
        ),
        {
            "before_rounding": lambda x, s, qmin, qmax: as_grid(x, s, qmin, qmax),
            "only_above": lambda x, s, qmin, qmax: (
                (torch.round(x / s) > qmax).float().mean().item()
            ),
            "at_the_ends": lambda x, s, qmin, qmax: clipped_share(x, s, qmin + 1, qmax - 1),
            "count": lambda x, s, qmin, qmax: clipped_share(x, s, qmin, qmax) * x.numel(),
        },
        catches=(4,),
    ),
    "peak-over-rms": Function(
        peak_over_rms,
        ((torch.tensor([-4.0, 1.0, 2.0]),), (torch.tensor([3.0, 3.0, 2.0]),)),
        st.tuples(VALUES).filter(lambda drawn: bool(drawn[0].abs().max() > 0)),
        {
            "no_abs": lambda x: (x.max() / x.square().mean().sqrt()).item(),
            "no_root": lambda x: (x.abs().max() / x.square().mean()).item(),
            "mean_abs": lambda x: (x.abs().max() / x.abs().mean()).item(),
            "std": lambda x: (x.abs().max() / x.std(correction=0)).item(),
        },
        minutes=4,
    ),
    "row-sqnr": Function(
        row_db,
        ((MATRIX, MATRIX + 0.5), (MATRIX.T.contiguous(), MATRIX.T + 0.25)),
        matrices(),
        {
            "whole": lambda w, w_hat: alike(row_db(w.view(1, -1), w_hat.view(1, -1)), w),
            "columns": lambda w, w_hat: row_db(w.T, w_hat.T),
            "upside_down": lambda w, w_hat: -row_db(w, w_hat),
            "twenty_log": lambda w, w_hat: 2 * row_db(w, w_hat),
            "amplitudes": lambda w, w_hat: (
                10 * torch.log10(w.abs().sum(1) / (w - w_hat).abs().sum(1))
            ),
        },
        catches=(6,),
        minutes=6,
    ),
    "choose-layout": Settings(
        good={"bits": 4, "layout": "per channel"},
        measure=measure,
        least={"SQNR": 15},
        most={"bits": 4.5},
        wrong={
            "more_bits": {"bits": 8, "layout": "per tensor"},
            "one_scale": {"bits": 4, "layout": "per tensor"},
            "small_groups": {"bits": 4, "layout": "per group"},
        },
        catches=(10,),
        minutes=8,
        difficulty=2,
    ),
}
