"""Figures that belong to one chapter: a photograph, a chord, clipping, grids on a number line.

Like those of :mod:`quantcore.visualization`: each draws on a sheet, and returns the line of
numbers that says what it shows.
"""

from __future__ import annotations

import torch
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from ..calibration import clipping_noise
from ..information import entropy, spectrum, sqnr_db
from ..quantizer import UniformQuantizer
from ..schemes import format_levels, round_to_levels
from ..sheet import BLUE, GRAY, GREEN, INK, ORANGE, PURPLE, RED, Sheet
from ..visualization import DECIBELS, numbers, params_numbers, spikes, stride, thin


def draw_photo(sheet: Sheet, image: Tensor, image_hat: Tensor, levels: int) -> str:
    """The photograph, quantized, and what quantizing took away (amplified to be seen)."""
    error = image - image_hat
    gray = {"cmap": "gray", "vmin": 0, "vmax": 1}  # where there are no colours
    sheet.frame(0, "original")
    sheet.image(0, "x", image.clamp(0, 1), **gray)
    sheet.frame(1, "quantized")
    sheet.image(1, "x̂", image_hat.clamp(0, 1), **gray)
    sheet.frame(2, "error, stretched")
    sheet.image(2, "e", 0.5 + error / (2 * error.abs().max().clamp_min(1e-12)), **gray)
    mse = error.double().square().mean()
    return numbers(levels=levels, MSE=mse.item(), PSNR=-10 * mse.log10().item())


def draw_sound(sheet: Sheet, x: Tensor, x_hat: Tensor, rate: int, levels: int) -> str:
    """A hundredth of a second of the waveform, and the spectra of sound and error."""
    start, length = len(x) // 4, rate // 80
    t = torch.arange(length) / rate * 1000
    shown = x_hat[start : start + length]
    end = 1.1 if shown.abs().max() < 1.1 else 2.1  # with dither, x̂ may lie a step beyond ±1
    sheet.frame(0, "waveform", "ms", "amplitude", (0, t[-1].item()), (-end, end))
    sheet.line(0, "x", t, x[start : start + length], color=BLUE, linewidth=4, alpha=0.4)
    sheet.line(0, "x̂", t, shown, color=RED, drawstyle="steps-mid", linewidth=1.2)
    sheet.legend(0)
    sheet.frame(1, "spectrum", "kHz", "dB", (0, rate / 4000), (-120, 5))
    for name, signal, color in (("x", x, BLUE), ("error", x - x_hat, GREEN)):
        frequencies, level = spectrum(signal, rate)
        sheet.line(1, name, frequencies / 1000, level, color=color, linewidth=0.8)
    sheet.legend(1)
    return numbers(SQNR=sqnr_db(x, x_hat), levels=levels)


def draw_clipping(sheet: Sheet, clip: float, bits: int) -> str:
    """A Gaussian and its range ±clip; granular, overload and total noise over the clip."""
    clips = torch.linspace(0.5, 6, 111, dtype=torch.float64)
    granular, overload = clipping_noise(clips, 2**bits - 1)
    here = [t.item() for t in clipping_noise(clips.new_tensor([clip]), 2**bits - 1)]
    t = torch.linspace(-6.6, 6.6, 401)
    bell = torch.exp(-(t**2) / 2) / (2 * torch.pi) ** 0.5
    sheet.frame(0, "source and range", "x / σ", "density", (-6.6, 6.6), (0, 0.45))
    sheet.line(0, "normal", t, bell, color=BLUE)
    levels = torch.linspace(-clip, clip, 2**bits)
    sheet.line(0, "levels", *spikes(levels, torch.full_like(levels, 0.04)), color=RED)
    sheet.restyle(0, "levels", linewidth=thin(2 * clip / (2**bits - 1), 13.2, 2))
    ends, high = [-clip, -clip, torch.nan, clip, clip], [0, 0.4, torch.nan, 0, 0.4]
    sheet.line(0, "clip", ends, high, color=ORANGE, linestyle="--")
    sheet.legend(0)
    sheet.frame(1, "noise power", "clip / σ", "MSE / σ²", (0.4, 6.1), (1e-6, 10), yscale="log")
    for name, y, color in (
        ("granular", granular, GREEN),
        ("overload", overload, PURPLE),
        ("total", granular + overload, INK),
    ):
        sheet.line(1, name, clips, y, color=color)
    sheet.points(1, "here", [clip], [sum(here)], color=ORANGE, marker="o", markersize=7)
    sheet.legend(1)
    best = clips[(granular + overload).argmin()].item()
    parts = {"granular": here[0], "overload": here[1], "total": sum(here), "best clip": best}
    return numbers(**parts)


def draw_grid(sheet: Sheet, quantizer: UniformQuantizer, lo: float, hi: float) -> str:
    """The codes on one line, what they are worth on another, and the data's range there."""
    p = quantizer.params
    codes = torch.arange(p.qmin, p.qmax + 1, dtype=torch.int32)
    values = quantizer.dequantize(codes)
    z, reach = p.zero_point.item(), p.qmax - p.qmin
    across = p.qmin - 0.05 * reach, p.qmax + 0.05 * reach
    ticks = codes[:: stride(len(codes), 16)].tolist()
    sheet.frame(0, "codes", "q", "", across, (0, 0.9), yticks=[], xticks=ticks)
    sheet.line(0, "codes", *spikes(codes.float(), torch.full((len(codes),), 0.55)), color=BLUE)
    sheet.restyle(0, "codes", linewidth=thin(1, 1.1 * reach, 1))
    sheet.line(0, "zero point", [z, z], [0, 0.8], color=RED, linewidth=2.5)
    sheet.legend(0)
    across = min(-2.4, values[0].item() - 0.4), 2.4
    sheet.frame(1, "what they are worth", "x̂ = s (q - z)", "", across, (0, 0.9), yticks=[])
    sheet.line(1, "levels", *spikes(values, torch.full_like(values, 0.55)), color=BLUE)
    sheet.restyle(1, "levels", linewidth=thin(p.scale.item(), across[1] - across[0], 1))
    sheet.line(1, "0.0", [0, 0], [0, 0.8], color=RED, linewidth=2.5)
    sheet.line(1, "data", [lo, hi], [0.05, 0.05], color=ORANGE, linewidth=5, alpha=0.8)
    sheet.legend(1)
    unused = ((values < lo - p.scale / 2) | (values > hi + p.scale / 2)).sum().item()
    return numbers(qmin=p.qmin, qmax=p.qmax, **params_numbers(p), codes=len(codes), unused=unused)


def draw_rate(sheet: Sheet, x: Tensor, quantizer: UniformQuantizer, bits: int) -> str:
    """How often each code occurs; the length -log2 p of each, the bits stored and their mean."""
    codes = quantizer.quantize(x)
    at, counts = codes.unique(return_counts=True)
    p, rate = counts.double() / codes.numel(), entropy(codes)
    qmin, qmax = quantizer.params.qmin, quantizer.params.qmax
    across, width = (qmin - 0.7, qmax + 0.7), thin(1, qmax - qmin + 1.4, 2)
    ticks = {"xticks": range(qmin, qmax + 1, max(1, 2**bits // 8))}
    sheet.frame(0, "how often", "q", "probability", across, (0, 1.1 * p.max().item()), **ticks)
    # Without halves and quarters: ticks such as 0.0125 would push the axis's name off the sheet.
    sheet.axes[0].yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    sheet.line(0, "p", *spikes(at.float(), p), color=BLUE)
    sheet.line(0, "all alike", across, [2.0**-bits] * 2, color=GRAY, linestyle="--")
    sheet.legend(0)
    sheet.frame(1, "how many bits", "q", "bits", across, (0, 14), **ticks)
    sheet.line(1, "-log2 p", *spikes(at.float(), -p.log2()), color=BLUE)
    for i, name in enumerate(("p", "-log2 p")):
        sheet.restyle(i, name, linewidth=2.5 * width)
    sheet.line(1, "stored b", across, [bits] * 2, color=GRAY, linestyle="--")
    sheet.line(1, "mean H", across, [rate] * 2, color=RED)
    sheet.legend(1)
    return numbers(b=bits, H=rate, used=len(at), SQNR=sqnr_db(x, quantizer(x)))


def reached(name: str, x: Tensor) -> float:
    """The SQNR of x in a format, scaled so that the largest magnitudes meet."""
    levels, x = format_levels(name), x.double() / x.abs().max()
    return sqnr_db(x, round_to_levels(x, levels / levels.abs().max()))


def draw_formats(
    sheet: Sheet, name: str, rivals: tuple[str, ...], sources: dict[str, Tensor]
) -> str:
    """A format's levels, largest magnitude 1, and the SQNR that it and others reach.

    rivals: three formats of as many bits, this one among them. The line of numbers says what
    this one reaches for each source, and for which it is the best of the three.
    """
    levels = format_levels(name)
    levels = levels / levels.abs().max()
    sheet.frame(0, "levels, largest magnitude = 1", "level", "", (-1.05, 1.05), (0, 0.9), yticks=[])
    sheet.line(0, "levels", *spikes(levels, torch.full_like(levels, 0.7)), color=BLUE)
    sheet.restyle(0, "levels", linewidth=thin(2 / len(levels), 2.1, 2))
    places = {"xticks": range(len(sources)), "xticklabels": list(sources)}
    sheet.frame(1, "SQNR by source", "", "dB", (-0.6, len(sources) - 0.4), (0, 55), **places)
    dB = {r: [reached(r, x) for x in sources.values()] for r in rivals}
    at = torch.arange(len(sources), dtype=torch.float64)
    for k, color in enumerate((BLUE, GREEN, ORANGE)):
        rival = rivals[k]
        bars = spikes(at + (k - 1) / 4, torch.tensor(dB[rival]))
        sheet.line(1, f"bar {k}", *bars, color=color, linewidth=14)
        sheet.restyle(1, f"bar {k}", alpha=1 if rival == name else 0.35)
        sheet.caption(1, f"square {k}", k / 3, "■", color=color)
        sheet.caption(1, f"name {k}", k / 3 + 0.045, rival)
    for i, v in enumerate(dB[name]):
        x = i + (rivals.index(name) - 1) / 4
        sheet.text(1, f"dB {i}", x, v + 1, f"{v:.1f}", ha="center")
    best = [s for i, s in enumerate(sources) if dB[name][i] == max(dB[r][i] for r in rivals)]
    parts = [f"{s} {v:.1f} dB" for s, v in zip(sources, dB[name], strict=True)]
    bits = 4 if len(levels) <= 16 else 8
    rank = f"best of {bits} bits for {', '.join(best) or 'none'}"
    return "   ".join([name, numbers(levels=len(levels)), *parts, rank])


def draw_spectrum(sheet: Sheet, x: Tensor, x_hat: Tensor) -> str:
    """The error over time and its spectrum beside the signal's. Two panels."""
    error, shown = x - x_hat, 128
    t = torch.arange(shown)
    sheet.frame(0, "error", "sample", "x - x̂", (0, shown - 1), (-0.6, 0.6))
    sheet.line(0, "x / 2", t, x[:shown] / 2, color=BLUE, linewidth=1)
    sheet.line(0, "error", t, error[:shown], color=GREEN, linewidth=1)
    sheet.legend(0)
    sheet.frame(1, "spectrum", "frequency / sampling rate", "dB", (0, 0.5), (-140, 5))
    for name, signal, color in (("x", x, BLUE), ("error", error, GREEN)):
        sheet.line(1, name, *spectrum(signal, 1), color=color, linewidth=0.8)
    sheet.legend(1)
    highest = spectrum(error, 1)[1].max().item()
    return numbers(SQNR=sqnr_db(x, x_hat), **{"highest line": highest})


def draw_accuracy(
    sheet: Sheet,
    measured: dict[tuple, dict[str, float]],
    bits: int,
    symmetric: bool,
    granularity: str,
) -> str:
    """Two numbers of a network over the bit width, symmetric and not, and where we are.

    measured: the numbers by their names, for each (bits, symmetric, granularity).
    """
    here = measured[bits, symmetric, granularity]
    for i, name in enumerate(list(here)[:2]):
        low, high = (end(each[name] for each in measured.values()) for end in (min, max))
        room = 0.06 * (high - low) or 1.0
        label = f"{name}, dB" if name in DECIBELS else name
        sheet.frame(i, granularity, "bit width b", label, (1.7, 8.3), (low - room, high + room))
        for choice, look in (("symmetric", (BLUE, "o")), ("asymmetric", (GREEN, "s"))):
            rest = (choice == "symmetric", granularity)
            found = {b: each[name] for (b, *other), each in measured.items() if (*other,) == rest}
            line = {"color": look[0], "marker": look[1], "markersize": 5}
            sheet.line(i, choice, list(found), list(found.values()), **line)
        circle = {"markersize": 12, "markerfacecolor": "none", "markeredgewidth": 2}
        sheet.points(i, "here", [bits], [here[name]], color=RED, marker="o", **circle)
        sheet.legend(i)
    return numbers(**here)
