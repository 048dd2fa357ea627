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

from . import words
from .information import error_report
from .params import QuantizationParams
from .quantizer import UniformQuantizer
from .schemes import QuantizationScheme
from .sheet import BLUE, GRAY, GREEN, INK, ORANGE, RED, Picture, Sheet

SAMPLE, POINTS = 10_000, 2000  # how many values a histogram and a scatter plot draw
DECIBELS = ("SQNR", "PSNR", "highest line")  # the numbers that are in dB


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
        if name in DECIBELS:
            return "inf dB (no error)" if v == math.inf else f"{v:.2f} dB"
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
    said = {"symmetry": words.switch("symmetric", symmetric), "line": words.spoken(line)}
    return sheet.show("visualize-quantization", scheme=scheme.name, **said)


def spikes(at: Tensor, heights: Tensor) -> tuple[Tensor, Tensor]:
    """A vertical line from 0 to each height, as one line with gaps."""
    gap = torch.full_like(at, torch.nan)
    return (
        torch.stack([at, at, gap], -1).flatten(),
        torch.stack([torch.zeros_like(heights), heights, gap], -1).flatten(),
    )


def thin(step: float, span: float, panels: int) -> float:
    """The width in points of lines that are `step` apart: with gaps, where they are close.

    span: what a panel shows, one of so many panels side by side.
    """
    return min(1.2, max(0.25, 0.45 * step / span * 600 / panels))


def smeared(x_hat: Tensor, scale: Tensor, at: Tensor) -> Tensor:
    """The density of x̂ at some places, each value spread over its own step.

    >>> smeared(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 2.0]), torch.tensor([0.0, 2.0]))
    tensor([0.5000, 0.2500])
    """
    height = 1 / scale / len(x_hat)

    def begun(ends: Tensor) -> Tensor:
        """The heights of all values whose ends lie before each place, added up."""
        ends, order = ends.sort()
        sums = torch.cat([height.new_zeros(1), height[order].cumsum(0)])
        return sums[torch.searchsorted(ends, at)]

    return begun(x_hat - scale / 2) - begun(x_hat + scale / 2)


def mark_cut(sheet: Sheet, i: int, heights: Tensor, edges: Tensor, top: float) -> None:
    """Say how high the highest bar is, where the axis ends before it."""
    k = int(heights.argmax())
    text = f" {heights[k]:.1f}↑" if heights[k] > top else ""
    sheet.text(i, "cut", edges[k + 1].item(), 0.97 * top, text, va="top")


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
        at = (edges[1:] + edges[:-1]) / 2
        mass = smeared(u_hat, step, at)
    first, second = heights.topk(2).values.tolist()
    towers = first > 4 * second > 0  # one value makes up much of the data
    top = 1.6 * (second if towers else first)
    width = thin(at.diff().min().item() if len(at) > 1 else hi - lo, hi - lo, 3)
    sheet.frame(0, "distribution", "value", "density", (lo - margin, hi + margin), (0, top))
    sheet.bars(0, "x", heights, edges, color=BLUE, alpha=0.4)
    sheet.line(0, "x̂", *spikes(at, mass), color=RED)
    # Among few levels each line is to be seen, among many the outline of x.
    sheet.restyle(0, "x̂", linewidth=width, zorder=4 if width > 0.6 else 2)
    sheet.bars(0, "outline", heights, edges, color=BLUE, alpha=1, fill=False, zorder=3, label="")
    sheet.legend(0)
    mark_cut(sheet, 0, heights, edges, top)

    errors, edges = density((u - u_hat) / step, -1.5, 1.5, 63)  # ±½ are edges of bars
    ends = (-1.6, 1.6)
    sheet.frame(1, "error", "(x - x̂) / s", "density", ends, (0, 3), xticks=(-1.5, -0.5, 0.5, 1.5))
    sheet.bars(1, "measured", errors, edges, color=GREEN, alpha=0.5)
    sheet.line(1, "±½", [-0.5, -0.5, 0.5, 0.5], [0, 1, 1, 0], color=INK, linewidth=1)
    sheet.legend(1)
    mark_cut(sheet, 1, errors, edges, 3)

    # Half a step of 2 bits beyond the data; farther where a code lies there. The same for most
    # settings: a sheet draws its axes again only when they change.
    low = min(lo - 4 * margin, u_hat.min().item() - margin / 8)
    high = max(hi + 4 * margin, u_hat.max().item() + margin / 8)
    across = (lo - margin, hi + margin)
    sheet.frame(2, "original against quantized", "x", "x̂", across, (low, high))
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
    """x̂ over x, and x - x̂ in steps, with where the straight-through gradient is 1.

    Between two levels x̂ jumps, so the corners are all that is drawn: every tooth of the error
    reaches ±½. Beyond the outermost levels the error grows without end, and leaves the axis.
    """
    p = quantizer.params
    levels = quantizer.dequantize(torch.arange(p.qmin, p.qmax + 1, dtype=torch.int32)).double()
    step = p.scale.item()
    first, last = levels[0].item() - step / 2, levels[-1].item() + step / 2
    # The axis holds every level. For most settings it is the same: a sheet draws its axes again
    # only when they change.
    width = hi - lo
    ends = min(lo - 0.5 * width, 1.02 * first), max(hi + 0.4 * width, 1.02 * last)
    jumps = ((levels[1:] + levels[:-1]) / 2).repeat_interleave(2)
    x = torch.cat([jumps.new_tensor(ends[:1]), jumps, jumps.new_tensor(ends[1:])])
    x_hat = levels.repeat_interleave(2)
    sheet.frame(0, "staircase", "x", "x̂", ends, ends)
    sheet.line(0, "x̂ = x", ends, ends, color=GRAY, linestyle="--", linewidth=1)
    sheet.line(0, "x̂", x, x_hat, color=BLUE)
    sheet.points(0, "levels", levels, levels, color=RED, markersize=5)
    sheet.points(0, "0", [0], [0], color=INK, marker="o", markersize=6, fillstyle="none")
    sheet.legend(0)
    sheet.frame(1, "error and gradient", "x", "(x - x̂) / s", ends, (-1.6, 1.6))
    sheet.line(1, "error", x, (x - x_hat) / step, color=GREEN, linewidth=1.2)
    halves = [0.5, 0.5, torch.nan, -0.5, -0.5]
    sheet.line(1, "±½", [*ends, torch.nan, *ends], halves, color=GRAY, linestyle="--", linewidth=1)
    passes = [ends[0], first, first, last, last, ends[1]]
    sheet.line(1, "gradient", passes, [0, 0, 1, 1, 0, 0], color=ORANGE, linewidth=2)
    sheet.legend(1)
    return numbers(**params_numbers(p), levels=len(levels), largest=levels.max().item())


def draw_range(
    sheet: Sheet, x: Tensor, quantizer: UniformQuantizer, span: float, largest_error: float
) -> str:
    """Where the data are and where the grid is, on a log axis; and the noise it makes.

    span: both panels show the data's range, -span … span, with a margin for the code -2^(b-1),
    and more where that lies farther out, as it does for 2 bits.
    largest_error: the right panel's scale, seven decades that end just above it.
    """
    report, p = error_report(x, quantizer), quantizer.params
    u, u_hat, step = sample(x, quantizer)
    # The bars end where the data end: an outlier is no farther out than it is.
    lo, hi = u.min().item(), u.max().item()
    lo, hi = (lo, hi) if lo < hi else (lo - span / 100, hi + span / 100)
    heights, edges = density(u, lo, hi, 81)
    levels = quantizer.dequantize(torch.arange(p.qmin, p.qmax + 1, dtype=torch.int32))
    least, most = levels[0].item(), levels[-1].item()
    across = min(-1.44 * span, 1.06 * least), max(1.2 * span, 1.06 * most)
    top = 5 * heights.max().item()
    floor = 1e-5 * top
    sheet.frame(0, "data and levels", "x", "density", across, (floor, top), yscale="log")
    sheet.bars(0, "x", heights, edges, color=BLUE, alpha=0.4, baseline=0)
    ticks = spikes(levels, torch.full_like(levels, 2.5 * floor))
    sheet.line(0, "levels", *ticks, color=RED)
    sheet.restyle(0, "levels", linewidth=thin(p.scale.item(), across[1] - across[0], 2))
    ends, high = [least, least, torch.nan, most, most], [0, top, torch.nan, 0, top]
    sheet.line(0, "range", ends, high, color=ORANGE, linestyle="--")
    sheet.legend(0)
    small, large = 3e-7 * largest_error, 3 * largest_error
    sheet.frame(1, "where the error is", "x", "|x - x̂|", across, (small, large), yscale="log")
    error, half = (u - u_hat).abs().clamp_min(1.5 * small), step[0].item() / 2
    every, far = stride(len(u), POINTS), u.abs().argmax()
    sheet.points(1, "values", u[::every], error[::every], color=GREEN, markersize=2)
    ring = {"color": RED, "marker": "o", "markersize": 8, "fillstyle": "none", "clip_on": False}
    sheet.points(1, "largest |x|", u[far, None], error[far, None], **ring)
    sheet.line(1, "s/2", across, [half, half], color=INK, linestyle="--", linewidth=1)
    sheet.legend(1)
    return numbers(**params_numbers(p), MSE=report.mse, SQNR=report.sqnr_db, clipped=report.clipped)


def draw_matrix(sheet: Sheet, w: Tensor, quantizer: UniformQuantizer, bits: int) -> str:
    """Heat maps of a matrix and of its error, and each row's SQNR. Three panels.

    The error's colours end at half a step of one symmetric scale for the whole matrix: the same
    for all granularities, so that they can be compared, and as far as an error goes.
    """
    report, w_hat = error_report(w, quantizer), quantizer(w)
    error, reach = w - w_hat, w.abs().max().item() or 1.0
    half = reach / (2**bits - 2)
    sheet.frame(0, "weights", "column", "row")
    sheet.image(0, "w", w, vmin=-reach, vmax=reach, cmap="RdBu_r", aspect="auto")
    sheet.frame(1, "error", "column", "row")
    sheet.image(1, "e", error, vmin=-half, vmax=half, cmap="PuOr_r", aspect="auto")
    power = w.double().square().sum(1)
    noise = error.double().square().sum(1)
    rows = torch.arange(len(w) + 1) - 0.5
    sqnr = torch.where(noise > 0, 10 * torch.log10(power / noise), torch.inf).clamp(-10, 60)
    ticks = range(0, len(w), stride(len(w), 6))
    sheet.frame(2, "SQNR of each row", "row", "dB", (-0.5, len(w) - 0.5), (-10, 60), xticks=ticks)
    sheet.bars(2, "row", sqnr, rows, color=BLUE)
    sheet.line(2, "whole", [-0.5, len(w) - 0.5], [report.sqnr_db] * 2, color=RED)
    sheet.legend(2)
    scales = quantizer.params.scale.numel()
    return numbers(
        scales=scales,
        **{"bits/weight": bits + 32 * scales / w.numel()},
        MSE=report.mse,
        SQNR=report.sqnr_db,
    )
