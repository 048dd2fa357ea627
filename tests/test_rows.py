"""Each row of the summary's verification can fail: a plausible mistake exceeds its tolerance."""

import contextlib
import io
from math import e as euler
from math import floor, frexp, log2, log10, pi, sqrt
from types import SimpleNamespace

import pytest
import torch
from chapters import EDITIONS, code_cells

from notebooks import build
from quantcore import noise_power, sqnr_db


def peaks(g, shape):
    """V3 with a divisor of 2^(b-1)."""
    t = g.samples.distribution(shape)
    return 10 * log10(12 * 8**2) - 20 * log10(t.abs().max() / t.square().mean().sqrt())


def added(g, x):
    """The zero point added where it is to be subtracted."""
    return g.s_q * (g.narrow_q.quantize(x) + g.z_q)


def wraps(g):
    """Steps down where codes wrap around instead of being clamped."""
    ordered = g.unclamped[g.x_q.detach().numpy().argsort()]
    return (((ordered + 8) % 16)[1:] < ((ordered + 8) % 16)[:-1]).sum()


# What a mistake predicts, by the row's name; `g` holds the chapter's names at its `verify`.
PREDICTED = {
    "N1 bytes of 1000 int4 codes": lambda g: 1000 * 4,  # bits
    "N2 noise power, uniform, 8 bits": lambda g: noise_power(
        255 / 256 * g.full.params.scale.item()
    ),
    "N4 SQNR of an error of 1/10, dB": lambda g: 10 * log10(10),  # of amplitudes
    "N5 normal, loading 5, 8 bits, dB": lambda g: 6.02 * 8 + 1.76 - 20 * log10(5),
    "N6 uniform, 8 bits, dB": lambda g: 6.02 * 8 + 1.76,
    "N7 sine, 8 bits, dB": lambda g: 6.02 * 8,
    "N3 noise power, step 6": lambda g: noise_power(6),  # without the correction
    "N8 granular, c = 2, step 2/15": lambda g: noise_power(2 / 15),  # as if all were inside
    "N9 overload, c = 2": lambda g: 5 * g.tail - 2 * g.density,  # one side
    "N10 dithered noise power, step 0.5": lambda g: 2 * noise_power(0.5),  # not subtracted
    "N17 its noise power": lambda g: noise_power(0.5),  # as of the nearest
    "N18 sum of 2 truncated values": lambda g: sqrt(2 * noise_power(0.01)),  # no bias
    "N18 sum of 1000 truncated values": lambda g: sqrt(1000 * (0.005**2 + noise_power(0.01))),
    "N11 Lloyd-Max, 8 levels (Max 1960)": lambda g: 0.0374,  # with equal steps
    "N12 mean of x e": lambda g: 0,  # as if the error did not depend on x
    "N13 entropy of 1/2, 1/4, 1/8, 1/8, bits": lambda g: log2(4),
    "N14 entropy, step 0.1, bits": lambda g: log2(2 * pi) / 2 - log2(0.1),
    "N16 above D(R), dB": lambda g: 20 * log10(pi * euler / 6),
    "N16 the same in bits": lambda g: log2(pi * euler / 6),
    "N19 MSE * L^2, Lloyd-Max, L = 256": lambda g: g.integral / 12,  # without the cube
    "S1 least code of 4 bits, signed": lambda g: -(2**3 - 1),
    "S1 greatest": lambda g: 2**3,
    "S2 greatest code of 4 bits, unsigned": lambda g: 2**4,
    "S3 the byte of (-3, 5)": lambda g: 5 % 16 + 16 * (-3 % 16),  # high four bits first
    "S3 bytes of 7 codes": lambda g: floor(7 / 2),
    "S4 FP4 E2M1, least above 0": lambda g: 2 ** (0 - 1) * 1 / 2,
    "S4 FP8 E4M3, least above 0": lambda g: 2 ** (0 - 7) * 1 / 8,
    "S4 FP8 E4M3, largest": lambda g: 2 ** (15 - 7) * (1 + 7 / 8),
    "S5 FP8 E4M3, normal, dB": lambda g: 6.02 * 3 + 4.77,
    "P1, P2 scale of [2, 2.5, 3], uint8": lambda g: 1 / 255,
    "P3 zero point of [-1, 3], int8": lambda g: 64,
    "P3 zero point of [-1, 1.8], int8": lambda g: -36,  # cut, not rounded
    "P4 as PyTorch, codes -7 to 7": lambda g: g.reach / 8,
    "P5 largest |x| in steps": lambda g: 7,
    "P6 as PyTorch, codes -8 to 7": lambda g: g.reach / 8,
    "P7 as PyTorch, uint4": lambda g: g.reach / 7,
    "P8 bits per weight, g = 32": lambda g: 4,
    "P9 error at the left end": lambda g: g.s * (-8 + 1 / g.s - g.z),
    "P10 loss of [2, 3], dB": lambda g: 10 * log10(3),
    "P11 gain of 2^7, n = 64, dB": lambda g: 20 * log10(128 / 127),  # nothing is clamped
    "P12 the tenth is beyond nine": lambda g: 1 / 9,
    "Q3 largest |e| / s, not clipped": lambda g: 1,
    "V1 least density of e / s": lambda g: 1 / 2,
    "V1 greatest density of e / s": lambda g: 1 / 2,
    "V3 normal, 4 bits, dB": lambda g: peaks(g, "normal"),
    "V3 laplace, 4 bits, dB": lambda g: peaks(g, "laplace"),
    "V3 uniform, 4 bits, dB": lambda g: peaks(g, "uniform"),
    "I3 largest difference of codes": lambda g: 0,  # as if rounded once
    "I3 share of codes that differ": lambda g: 2.0 ** -g.shift.item(),
    "I4 terms of 255 * 255 in int32": lambda g: 2**32 // 255**2,
    "I4 their sum": lambda g: 33026 * 255**2,
    "I4 one more: the true sum less int32's": lambda g: 2**31,
    "I5 share off by one, n = 3": lambda g: 2.0 ** -g.shift_2.item(),
    "T3 gain of row 2, dB": lambda g: g.predicted_gain / 2,  # of powers
    "T4 bytes of the last layer, 4 bits": lambda g: g.formula - 4 * len(g.layer),  # no scales
}
# What is measured of a mistake, where the row predicts a bound or no difference.
MEASURED = {
    "N10 correlation of e and x": lambda g: g.correlation(g.plain, g.sine),
    "N10 correlation of their squares": lambda g: g.correlation(g.plain.square(), g.sine.square()),
    "N17 mean error, stochastic rounding": lambda g: (
        0.5 * ((g.normal / 0.5).floor() - g.normal / 0.5).mean()  # always down
    ),
    "N12 largest mean error in a cell": lambda g: (
        g.best.levels[1:-1] - (g.best.thresholds[1:] + g.best.thresholds[:-1]) / 2
    ).abs().max(),
    "N15 quantizers below D(R), of 10": lambda g: sum(d < 2**-r for r, d in g.coded + g.fixed),
    "N20 Huffman length - H in [0, 1)": lambda g: (
        g.length + sum(log2(k / 10) for k in (4, 3, 2, 1)) / 4  # each code counted alike
    ),
    "S6 INT8 less E4M3, dB": lambda g: (
        sqnr_db(g.normal, g.cells(g.normal, 2 * g.gamma, 8)) - sqnr_db(g.normal, g.small)
    ),
    "Q1 codes that differ from numpy's": lambda g: (
        (g.x_q / g.s_q + g.z_q).round().clamp(-8, 7) != g.by_hand
    ).sum(),
    "Q2 largest difference from numpy's": lambda g: (
        g.s_q * (g.codes_q + g.z_q) - g.s_q * (g.by_hand - g.z_q)
    ).abs().max(),
    "Q4 largest |Q(Q(x)) - Q(x)|": lambda g: (
        (added(g, added(g, g.x_q)) - added(g, g.x_q)).abs().max()
    ),
    "Q4 steps down": wraps,
    "Q4 Q(0)": lambda g: g.s_q / 2,  # levels in the middle of the steps
    "Q5 gradients that are not the mask": lambda g: (~g.inside).sum(),  # all pass
    "Q6 largest difference from autograd": lambda g: (
        g.steps.grad - g.rounded.clamp(-8, 7)
    ).abs().max(),
    "V2 least quarter of the spectrum": lambda g: g.plain_4.min(),  # without dither
    "V2 greatest quarter of the spectrum": lambda g: g.plain_4.max(),
    "I1 largest difference": lambda g: (
        g.A @ g.B - g.zb * g.A.sum(1, keepdim=True) - g.za * g.B.sum(0)
        - (g.A - g.za) @ (g.B - g.zb)
    ).abs().max(),
    "I2 largest relative error of M": lambda g: max(
        1 - floor(frexp(M)[0] * 2**31) / (frexp(M)[0] * 2**31) for M in g.many.tolist()
    ),
    "T1 difference after folding": lambda g: (g.ratio * g.norm.running_mean).abs().max(),
    "T2 noise of all layers / sum of each": lambda g: (
        g.output_noise(g.weights) / sum(sqrt(g.output_noise([i])) for i in g.weights) ** 2
    ),
}  # fmt: skip


def plain(value):
    """A row's number, whatever holds it."""
    return float(torch.as_tensor(value).detach())


@pytest.fixture(scope="module", params=EDITIONS, ids=lambda folder: folder.name)
def rows(request):
    """(name, gap, gap of the mistake or None, tolerance) of every row."""
    names, found = {}, []

    def record(rows):
        for name, predicted, measured, tolerance in rows:
            now, gap, wrong = SimpleNamespace(**names), plain(measured) - plain(predicted), None
            if name in PREDICTED:
                wrong = plain(measured) - plain(PREDICTED[name](now))
            elif name in MEASURED:
                wrong = plain(MEASURED[name](now)) - plain(predicted)
            found.append((name, gap, wrong, tolerance))

    for _, cell in code_cells(build.read_source(request.param / "06_summary.py")):
        if "explore." in cell.source or "exercises." in cell.source:
            continue
        with contextlib.redirect_stdout(io.StringIO()):
            exec(cell.source, names)
        if "def verify" in cell.source:
            names["verify"] = record
    return found


def test_every_row_has_its_mistake_and_every_mistake_its_row(rows):
    assert sorted(name for name, *_ in rows) == sorted([*PREDICTED, *MEASURED])


def test_every_row_is_within_its_tolerance(rows):
    assert not [name for name, gap, _, tolerance in rows if abs(gap) > tolerance]


def test_a_mistake_exceeds_the_tolerance_of_its_row(rows):
    assert not [name for name, _, wrong, tolerance in rows if not abs(wrong or 0) > tolerance]
