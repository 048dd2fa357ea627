"""Figures: numbers in, a drawn sheet out, and one line of numbers that says what it shows.

Chapter 5, and the figures that the other chapters share. Each `draw_…` function draws on a
:class:`~quantcore.sheet.Sheet`, once or again and again, and returns the line of numbers.
What is drawn is bounded (a histogram, a fixed sample of points); the numbers are those of
the whole tensor.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .information import error_report
from .params import QuantizationParams
from .quantizer import UniformQuantizer
from .schemes import QuantizationScheme
from .sheet import BLUE, GRAY, GREEN, INK, ORANGE, RED, Picture, Sheet

SAMPLE, POINTS = 10_000, 2000  # how many values a histogram and a scatter plot draw


def stride(n: int, most: int) -> int:
    """The least k for which every k-th of n values makes at most `most`."""
    return math.ceil(n / most)


def few(x: Tensor) -> Tensor:
    """At most SAMPLE values of x, spread evenly over it, its two extremes among them; flat."""
    flat = x.detach().flatten()
    if flat.numel() <= SAMPLE:
        return flat
    return torch.cat([flat[:: stride(flat.numel(), SAMPLE - 2)], torch.stack(flat.aminmax())])


def sample(x: Tensor, quantizer: UniformQuantizer) -> tuple[Tensor, Tensor, Tensor]:
    """A few values of x with their x̂ and their scale; flat, float64, on the CPU."""
    x = few(x) if quantizer.params.scale.dim() == 0 else x.detach()
    every = stride(x.numel(), SAMPLE)
    x_hat, scale = quantizer(x), quantizer.layout(x)[0].expand_as(x)
    x, x_hat, scale = (t.flatten()[::every].double().cpu() for t in (x, x_hat, scale))
    return x, x_hat, scale


def density(x: Tensor, lo: float, hi: float, bins: int) -> tuple[Tensor, Tensor]:
    """Histogram heights with area 1 and the edges; values outside go to the end bins."""
    edges = torch.linspace(lo, hi, bins + 1, dtype=torch.float64)
    counts = torch.histc(x.double().cpu().clamp(lo, hi), bins, lo, hi)
    return counts / counts.sum().clamp_min(1) / ((hi - lo) / bins), edges


def numbers(**values: float) -> str:
    """One line: `name = value` with four significant digits, dB with two decimals."""

    def form(name: str, v: float) -> str:
        if name == "SQNR":
            return f"{v:.2f} dB"
        return f"{v:.2%}" if name == "clipped" else f"{v:.4g}"

    return "   ".join(f"{name} = {form(name, v)}" for name, v in values.items())


def params_numbers(params: QuantizationParams) -> dict[str, float]:
    """The step and the zero point where there is one of each, else how many there are."""
    if params.scale.dim() == 0:
        return {"s": params.scale.item(), "z": params.zero_point.item()}
    return {"scales": params.scale.numel()}


def visualize_quantization(
    x: Tensor,
    scheme: QuantizationScheme = QuantizationScheme.INT8,
    symmetric: bool = True,
) -> Picture:
    """The three panels: distribution, error, original against quantized.

    x: float tensor of any shape. Returns a matplotlib Figure, which a notebook shows.
    Raises what `QuantizationParams.from_tensor` raises.

    >>> figure = visualize_quantization(torch.linspace(-1, 1, 100))
    >>> len(figure.axes)
    3
    """
    sheet = Sheet(panels=3)
    params = QuantizationParams.from_tensor(x, scheme, symmetric)
    line = draw_quantization(sheet, x, UniformQuantizer(params))
    return sheet.show(f"{scheme.name}, {'' if symmetric else 'a'}symmetric: {line}")


def spikes(at: Tensor, heights: Tensor) -> tuple[Tensor, Tensor]:
    """A vertical line from 0 to each height, as one line with gaps."""
    gap = torch.full_like(at, torch.nan)
    return (
        torch.stack([at, at, gap], -1).flatten(),
        torch.stack([torch.zeros_like(heights), heights, gap], -1).flatten(),
    )


def draw_quantization(
    sheet: Sheet, x: Tensor, quantizer: UniformQuantizer, drawn: Tensor | None = None
) -> str:
    """Distribution of x and x̂; error in steps; x̂ over x. Three panels.

    drawn: the values to draw, where `few` has picked them before.
    """
    report, params = error_report(x, quantizer), quantizer.params
    u, u_hat, step = sample(x if drawn is None else drawn, quantizer)
    lo, hi = min(u.min().item(), 0), max(u.max().item(), 0)
    lo, hi = (lo, hi) if lo < hi else (-1, 1)
    margin = 0.05 * (hi - lo)

    heights, edges = density(u, lo, hi, 60)
    if params.scale.dim() == 0:  # the mass of a code, spread over its step, is a density too
        at, counts = u_hat.unique(return_counts=True)
        mass = counts.double() / len(u) / params.scale.cpu()
    else:
        mass, bounds = density(u_hat, lo, hi, 120)
        at = (bounds[1:] + bounds[:-1]) / 2
    top = 1.6 * heights.max().item()
    sheet.frame(0, "distribution", "value", "density", (lo - margin, hi + margin), (0, top))
    sheet.bars(0, "x", heights, edges, color=BLUE, alpha=0.4)
    sheet.line(0, "x̂", *spikes(at, mass.clamp(max=top)), color=RED, linewidth=1.2)
    sheet.bars(0, "_outline", heights, edges, color=BLUE, alpha=1, fill=False, zorder=3)
    sheet.legend(0)

    errors, edges = density((u - u_hat) / step, -1.5, 1.5, 63)  # ±½ are edges of bars
    sheet.frame(1, "error", "(x - x̂) / s", "density", (-1.6, 1.6), (0, 3))
    sheet.bars(1, "measured", errors.clamp(max=3), edges, color=GREEN, alpha=0.5)
    sheet.line(1, "uniform on ±½", [-0.5, -0.5, 0.5, 0.5], [0, 1, 1, 0], color=INK, linewidth=1)
    sheet.legend(1)

    # Half a step of 2 bits beyond the data; farther where a code lies there. The same for most
    # settings: a sheet draws its axes again only when they change.
    low = min(lo - 4 * margin, u_hat.min().item() - margin / 8)
    high = max(hi + 4 * margin, u_hat.max().item() + margin / 8)
    sides = (lo - margin, hi + margin), (low, high)
    sheet.frame(2, "original against quantized", "x", "x̂", *sides)
    sheet.line(2, "x̂ = x", [lo, hi], [lo, hi], color=GRAY, linestyle="--", linewidth=1)
    every = stride(len(u), POINTS)
    sheet.points(2, "values", u[::every], u_hat[::every], color=RED, markersize=2)
    return numbers(
        **params_numbers(params),
        MSE=report.mse,
        SQNR=report.sqnr_db,
        clipped=report.clipped,
    )


def draw_staircase(sheet: Sheet, quantizer: UniformQuantizer, lo: float, hi: float) -> str:
    """x̂ over x, and the error under it, with where the straight-through gradient is 1."""
    margin = 0.35 * (hi - lo)
    x = torch.linspace(lo - margin, hi + margin, 2001, dtype=torch.float64)
    x_hat, passes = quantizer(x), quantizer.in_range(x)
    ends = (x[0].item(), x[-1].item())
    p = quantizer.params
    levels = quantizer.dequantize(torch.arange(p.qmin, p.qmax + 1, dtype=torch.int32))
    sheet.frame(0, "staircase", "x", "x̂", ends, ends)
    sheet.line(0, "x̂ = x", ends, ends, color=GRAY, linestyle="--", linewidth=1)
    sheet.line(0, "x̂", x, x_hat, color=BLUE)
    sheet.points(0, "levels", levels, levels, color=RED, markersize=5)
    sheet.points(0, "0", [0], [0], color=INK, marker="o", markersize=5, fillstyle="none")
    sheet.legend(0, loc="upper left")
    sheet.frame(1, "error and gradient", "x", "(x - x̂) / s", ends, (-1.6, 1.6))
    error = ((x - x_hat) / p.scale).clamp(-1.6, 1.6)
    sheet.line(1, "error", x, error, color=GREEN)
    sheet.line(
        1,
        "±½",
        [*ends, torch.nan, *ends],
        [0.5, 0.5, torch.nan, -0.5, -0.5],
        color=GRAY,
        linestyle="--",
        linewidth=1,
    )
    sheet.line(1, "gradient", x, passes, color=ORANGE, linewidth=2)
    sheet.legend(1, loc="lower right")
    return numbers(**params_numbers(p), levels=len(levels), largest=levels.max().item())


def draw_range(sheet: Sheet, x: Tensor, quantizer: UniformQuantizer, span: float) -> str:
    """Where the data are and where the grid is, on a log axis; and the noise it makes.

    span: the left panel shows -span … span.
    """
    report, p = error_report(x, quantizer), quantizer.params
    u, u_hat, step = sample(x, quantizer)
    heights, edges = density(u, -span, span, 81)
    levels = quantizer.dequantize(torch.arange(p.qmin, p.qmax + 1, dtype=torch.int32))
    sheet.frame(0, "data and levels", "x", "density (log)", (-span, span), (1e-5, 99), yscale="log")
    sheet.bars(0, "x", heights.clamp_min(1e-6), edges, color=BLUE, alpha=0.4, baseline=1e-6)
    ticks = spikes(levels, torch.full_like(levels, 5e-5))
    sheet.line(0, "levels", ticks[0], ticks[1].clamp_min(1e-6), color=RED, linewidth=0.8)
    ends = [levels[0].item(), levels[0].item(), torch.nan, levels[-1].item(), levels[-1].item()]
    sheet.line(0, "range", ends, [1e-6, 10, torch.nan, 1e-6, 10], color=ORANGE, linestyle="--")
    sheet.legend(0, ncols=3)  # above the range's ends
    sheet.frame(
        1,
        "where the error is",
        "x",
        "|x - x̂|",
        (-span, span),
        (1e-5 * span, 9 * span),
        yscale="log",
    )
    every, half = stride(len(u), POINTS), step[0].item() / 2
    error = (u - u_hat).abs().clamp_min(1.2e-5 * span)
    sheet.points(1, "values", u[::every], error[::every], color=GREEN, markersize=2)
    sheet.line(1, "s/2", [-span, span], [half, half], color=INK, linestyle="--", linewidth=1)
    sheet.legend(1, ncols=2)  # above the largest error
    return numbers(**params_numbers(p), MSE=report.mse, SQNR=report.sqnr_db, clipped=report.clipped)


def draw_matrix(sheet: Sheet, w: Tensor, quantizer: UniformQuantizer, bits: int) -> str:
    """Heat maps of a matrix and of its error, and each row's SQNR. Three panels."""
    report, w_hat = error_report(w, quantizer), quantizer(w)
    error, reach = w - w_hat, w.abs().max().item()
    sheet.frame(0, "weights", "column", "row")
    sheet.image(0, "w", w, vmin=-reach, vmax=reach, cmap="RdBu_r", aspect="auto")
    sheet.frame(1, "error, white to ±max|w| / 8", "column")
    sheet.image(1, "e", error, vmin=-reach / 8, vmax=reach / 8, cmap="PuOr_r", aspect="auto")
    power = w.double().square().sum(1)
    noise = error.double().square().sum(1).clamp_min(1e-30)
    rows = torch.arange(len(w) + 1) - 0.5
    sqnr = 10 * torch.log10(power / noise)
    sheet.frame(2, "SQNR of each row", "row", "dB", (-0.5, len(w) - 0.5), (-5, 60))
    sheet.bars(2, "row", sqnr.clamp(-5, 60), rows, color=BLUE, baseline=-5)
    sheet.line(2, "whole", [-0.5, len(w) - 0.5], [report.sqnr_db] * 2, color=RED)
    sheet.legend(2)
    scales = quantizer.params.scale.numel()
    return numbers(
        scales=scales,
        **{"bits/weight": bits + 32 * scales / w.numel()},
        MSE=report.mse,
        SQNR=report.sqnr_db,
    )
