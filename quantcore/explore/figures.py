"""Figures that belong to one chapter: a photograph, a chord, clipping, grids on a number line.

Like those of :mod:`quantcore.visualization`: each draws on a sheet, and returns the line of
numbers that says what it shows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..calibration import clipping_noise
from ..information import spectrum, sqnr_db
from ..quantizer import UniformQuantizer
from ..schemes import format_levels, round_to_levels
from ..sheet import BLUE, GREEN, INK, ORANGE, PURPLE, RED, Sheet
from ..visualization import numbers, params_numbers, spikes


def draw_photo(sheet: Sheet, image: Tensor, image_hat: Tensor, levels: int) -> str:
    """The photograph, quantized, and what quantizing took away (amplified to be seen)."""
    error = image - image_hat
    sheet.frame(0, "original")
    sheet.image(0, "x", image)
    sheet.frame(1, "quantized")
    sheet.image(1, "x̂", image_hat.clamp(0, 1))
    sheet.frame(2, "error, stretched to its own range")
    sheet.image(2, "e", 0.5 + error / (2 * error.abs().max().clamp_min(1e-12)))
    mse = error.square().mean().item()
    return numbers(levels=levels, MSE=mse, PSNR_dB=-10 * torch.tensor(mse).log10().item())


def draw_sound(sheet: Sheet, x: Tensor, x_hat: Tensor, rate: int, levels: int) -> str:
    """A hundredth of a second of the waveform, and the spectra of sound and error."""
    start, length = len(x) // 4, rate // 80
    t = torch.arange(length) / rate * 1000
    sheet.frame(0, "waveform", "ms", "amplitude", (0, t[-1].item()), (-0.8, 0.8))
    sheet.line(0, "x", t, x[start : start + length], color=BLUE)
    sheet.line(0, "x̂", t, x_hat[start : start + length], color=RED, drawstyle="steps-mid")
    sheet.legend(0)
    sheet.frame(1, "spectrum", "Hz", "dB", (0, rate / 4), (-120, 5))
    for name, signal, color in (("x", x, BLUE), ("error", x - x_hat, GREEN)):
        frequencies, level = spectrum(signal, rate)
        sheet.line(1, name, frequencies, level, color=color, linewidth=0.8)
    sheet.legend(1)
    return numbers(SQNR=sqnr_db(x, x_hat), levels=levels)


def draw_clipping(sheet: Sheet, clip: float, bits: int) -> str:
    """A Gaussian and its range ±clip; granular, overload and total noise over the clip."""
    clips = torch.linspace(0.5, 6, 111, dtype=torch.float64)
    granular, overload = clipping_noise(clips, 2**bits - 1)
    here = clipping_noise(torch.tensor([clip], dtype=torch.float64), 2**bits - 1)
    t = torch.linspace(-6, 6, 401)
    bell = torch.exp(-(t**2) / 2) / (2 * torch.pi) ** 0.5
    sheet.frame(0, "source and range", "x / σ", "density", (-6, 6), (0, 0.45))
    sheet.line(0, "normal", t, bell, color=BLUE)
    levels = torch.linspace(-clip, clip, 2**bits)
    sheet.line(0, "levels", *spikes(levels, torch.full_like(levels, 0.04)), color=RED, linewidth=1)
    sheet.line(
        0,
        "clip",
        [-clip, -clip, torch.nan, clip, clip],
        [0, 0.4, torch.nan, 0, 0.4],
        color=ORANGE,
        linestyle="--",
    )
    sheet.legend(0)
    sheet.frame(1, "noise power", "clip / σ", "MSE / σ²", (0.4, 6.1), (1e-6, 10), yscale="log")
    for name, y, color in (
        ("granular", granular, GREEN),
        ("overload", overload, PURPLE),
        ("total", granular + overload, INK),
    ):
        sheet.line(1, name, clips, y, color=color)
    sheet.points(1, "here", [clip], [sum(here).item()], color=ORANGE, marker="o", markersize=7)
    sheet.legend(1, loc="upper center", ncols=4)
    best = clips[(granular + overload).argmin()].item()
    return numbers(
        granular=here[0].item(), overload=here[1].item(), total=sum(here).item(), best_clip=best
    )


def draw_grid(sheet: Sheet, quantizer: UniformQuantizer, lo: float, hi: float) -> str:
    """The codes on one line, what they are worth on another, and the data's range there."""
    p = quantizer.params
    codes = torch.arange(p.qmin, p.qmax + 1, dtype=torch.int32)
    values = quantizer.dequantize(codes)
    z, reach = p.zero_point.item(), p.qmax - p.qmin
    sheet.frame(
        0, "codes", "q", "", (p.qmin - 0.05 * reach, p.qmax + 0.05 * reach), (0, 1.2), yticks=[]
    )
    sheet.line(0, "codes", *spikes(codes.float(), torch.full((len(codes),), 0.55)), color=BLUE)
    sheet.line(0, "zero point", [z, z], [0, 0.8], color=RED, linewidth=2.5)
    sheet.legend(0, ncols=2)
    sheet.frame(1, "what they are worth", "x̂ = s (q - z)", "", (-2.4, 2.4), (0, 1.2), yticks=[])
    sheet.line(1, "levels", *spikes(values, torch.full_like(values, 0.55)), color=BLUE)
    sheet.line(1, "0.0", [0, 0], [0, 0.8], color=RED, linewidth=2.5)
    sheet.line(1, "data", [lo, hi], [0.05, 0.05], color=ORANGE, linewidth=5, alpha=0.8)
    sheet.legend(1, ncols=3)
    unused = ((values < lo - p.scale / 2) | (values > hi + p.scale / 2)).sum().item()
    return numbers(qmin=p.qmin, qmax=p.qmax, **params_numbers(p), codes=len(codes), unused=unused)


def draw_formats(sheet: Sheet, name: str, sources: dict[str, Tensor]) -> str:
    """A format's levels, laid out so that the largest is 1; the SQNR that it reaches.

    Each source is scaled so that its largest value meets the largest level.
    """
    levels = format_levels(name)
    levels = levels / levels.abs().max()
    sheet.frame(0, "levels, largest magnitude = 1", "level", "", (-1.05, 1.05), (0, 1.2), yticks=[])
    sheet.line(
        0, "levels", *spikes(levels, torch.full_like(levels, 0.7)), color=BLUE, linewidth=0.8
    )
    sheet.frame(
        1,
        "SQNR by source",
        "",
        "dB",
        (-0.6, len(sources) - 0.4),
        (0, 55),
        xticks=range(len(sources)),
        xticklabels=list(sources),
    )
    reached = []
    for i, x in enumerate(sources.values()):
        x = x / x.abs().max()
        reached.append(sqnr_db(x.double(), round_to_levels(x, levels)))
        sheet.text(1, f"dB {i}", i, reached[-1] + 1, f"{reached[-1]:.1f}", ha="center")
    at = torch.arange(len(sources), dtype=torch.float64)
    sheet.line(1, "SQNR", *spikes(at, torch.tensor(reached)), color=GREEN, linewidth=14)
    best = list(sources)[max(range(len(reached)), key=reached.__getitem__)]
    return f"{name}   " + numbers(levels=len(levels)) + f"   best for {best}"


def draw_spectrum(sheet: Sheet, x: Tensor, x_hat: Tensor) -> str:
    """The error over time and its spectrum beside the signal's. Two panels."""
    error, shown = x - x_hat, 128
    t = torch.arange(shown)
    sheet.frame(0, "error", "sample", "x - x̂", (0, shown - 1), (-0.6, 0.85))
    sheet.line(0, "x / 2", t, x[:shown] / 2, color=BLUE, linewidth=1)
    sheet.line(0, "error", t, error[:shown], color=GREEN, linewidth=1)
    sheet.legend(0, ncols=2)  # above the waves
    sheet.frame(1, "spectrum", "frequency / sampling rate", "dB", (0, 0.5), (-140, 5))
    for name, signal, color in (("x", x, BLUE), ("error", error, GREEN)):
        sheet.line(1, name, *spectrum(signal, 1), color=color, linewidth=0.8)
    sheet.legend(1)
    level = spectrum(error, 1)[1]
    return numbers(SQNR=sqnr_db(x, x_hat), highest_line_dB=level.max().item())
