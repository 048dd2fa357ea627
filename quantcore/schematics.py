"""Schematics: what the formulas do, drawn by code, with no data in them.

Each function draws one picture and returns it; without an argument it draws what the chapters
show. The words in a picture are English and symbols, as in every figure of the course.
"""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

from .params import QuantizationParams
from .quantizer import UniformQuantizer
from .schemes import QuantizationScheme
from .sheet import BLUE, COLORS, GRAY, GREEN, INK, ORANGE, PURPLE, RED, TEXT, TITLE, Picture, Sheet

TINT = 0.28  # how much of its colour a box is filled with
Point = tuple[float, float]


def number_line(lo: float = -1.0, hi: float = 2.0, bits: int = 3, x: float = 0.7) -> Picture:
    """The real axis above, the integers below: where s and z put each code, and where x goes.

    lo, hi: the range of the data; asymmetric, signed codes of so many bits, 2 to 4, because
    more would run into each other. x: one value, followed to its code.
    Each code q stands below the value s (q - z) that it means. Since z is rounded, the outermost
    values need not meet the ends of the range: all of them are shifted by the same part of a step.
    Raises ValueError for other bits, and what `QuantizationParams.from_tensor` raises.

    >>> len(number_line().axes)
    1
    """
    if bits not in (2, 3, 4):
        raise ValueError(f"bits: found {bits}; choose 2, 3 or 4, whose codes can be read")
    scheme = QuantizationScheme.from_bits(bits)
    params = QuantizationParams.from_tensor(torch.tensor([lo, hi]).float(), scheme, False)
    s, z = params.scale.item(), int(params.zero_point.item())
    code = int(UniformQuantizer(params).quantize(torch.tensor(float(x))).item())
    codes = range(scheme.qmin, scheme.qmax + 1)
    levels = [s * (q - z) for q in codes]
    left, right = min(lo, x, levels[0]), max(hi, x, levels[-1])
    unit = (right - left) / 10
    sheet, ax = _paper(2.9, (left - 1.9 * unit, right + 0.8 * unit), (0, 2.9))
    real, integer = 2.05, 0.95
    ax.add_patch(Rectangle((lo, real - 0.14), hi - lo, 0.28, color=BLUE, alpha=TINT, linewidth=0))
    for y, name in ((real, "real"), (integer, "integer")):
        _arrow(ax, (left - 0.7 * unit, y), (right + 0.8 * unit, y))
        _words(ax, (left - 1.8 * unit, y), name, ha="left")
    for q, level in zip(codes, levels, strict=True):
        color = RED if q == z else INK
        look: dict[str, Any] = {"linewidth": 2.5} if q == z else {"linewidth": 1, "linestyle": "--"}
        ax.plot([level] * 2, [integer, real], color=RED if q == z else GRAY, **look)
        ax.plot([level] * 2, [integer, real], ".", markersize=9, color=color)
        _words(ax, (level, integer - 0.3), f"{q}", color=color)
    ax.plot([x], [real], "o", markersize=9, color=BLUE, zorder=5)
    _arrow(ax, (x, real), (s * (code - z), integer), BLUE)
    _words(ax, (0, real + 0.32), "0", color=RED)
    for value, words in ((lo, f"{lo:g}"), (hi, f"{hi:g}"), (x, f"$x$ = {x:g}")):
        _words(ax, (value, real + 0.32), words, color=BLUE)
    _words(ax, ((lo + hi) / 2, real + 0.66), "range of the data", color=BLUE)
    _arrow(ax, (levels[0], 1.4), (levels[1], 1.4), style="<|-|>")
    _words(ax, (levels[0] + s / 2, 1.6), "$s$")
    means = f"$q$ means $s\\,(q - z)$        $s$ = {s:.3f}        $z$ = {z}"
    _words(ax, ((left + right) / 2, 0.18), means)
    return sheet.show(
        "schematic-number-line",
        range=f"[{lo:g}, {hi:g}]",
        first=scheme.qmin,
        last=scheme.qmax,
        s=f"{s:.3f}",
        z=z,
        x=f"{x:g}",
        q=code,
        x_hat=f"{s * (code - z):.3f}",
    )


def integer_layer() -> Picture:
    """The flow of data through a layer that computes with integers only.

    Codes of 8 bits go in; their products are added up in 32 bits; a multiplication by
    M = s₁ s₂ / s₃ in fixed point brings the sum to the step of the output; codes of 8 bits
    come out. Source: Jacob et al. 2018, section 2.

    >>> len(integer_layer().axes)
    1
    """
    sheet, ax = _paper(2.8, (0, 9.6), (0, 2.8))
    y, tall = 1.4, 0.95
    _box(ax, (0.85, 2.2), (1.5, tall), "$x$:  $q_1$\nint8", BLUE)
    _box(ax, (0.85, 0.6), (1.5, tall), "$W$:  $q_2$\nint8", BLUE)
    _box(ax, (3.15, y), (1.8, tall), "multiply, add\nint32", ORANGE)
    _box(ax, (5.05, y), (1.2, tall), r"$\times\,M$" "\nround", PURPLE)
    _box(ax, (6.55, y), (0.9, tall), "$+\\,z_3$", GREEN)
    _box(ax, (7.75, y), (0.9, tall), "clamp", RED)
    _box(ax, (9.03, y), (0.95, tall), "$q_3$\nint8", BLUE)
    _arrow(ax, (1.66, 2.1), (2.19, 1.67))
    _arrow(ax, (1.66, 0.7), (2.19, 1.13))
    for start, end in ((4.11, 4.39), (5.71, 6.04), (7.06, 7.24), (8.26, 8.5)):
        _arrow(ax, (start, y), (end, y))
    _arrow(ax, (3.15, 0.5), (3.15, 0.87))
    _words(ax, (3.15, 0.3), "bias, int32")
    _words(ax, (3.3, 2.35), "$\\sum\\,(q_1 - z_1)(q_2 - z_2)$")
    _words(ax, (6.15, 2.35), "$M = s_1 s_2 / s_3 = m \\cdot 2^{-31-n}$")
    return sheet.show("schematic-integer-layer")


def fake_quantization() -> Picture:
    """Forward through the staircase, backward through its mask: the straight-through estimator.

    Forward: x̂ = s (clamp(rint(x / s) + z) - z), a staircase. Backward: the gradient of x̂ is
    passed on to x where x is in the range, and stopped where it is not.
    Source: Bengio et al. 2013; Jacob et al. 2018, section 3.

    >>> len(fake_quantization().axes)
    1
    """
    sheet, ax = _paper(4.0, (0, 9.6), (0, 4.0))
    top, low, left, wide = 2.95, 0.95, 3.2, 2.8  # the two rows; the two small panels
    for y, words in ((top, "forward"), (low, "backward")):
        _words(ax, (0.1, y), words, ha="left", fontsize=TITLE)
    _box(ax, (2.05, top), (1.0, 0.8), "$x$", BLUE)
    _box(ax, (7.2, top), (1.0, 0.8), "$\\hat x$", BLUE)
    _box(ax, (8.95, top), (1.0, 0.8), "loss $L$", GRAY)
    _box(ax, (2.05, low), (1.3, 0.8), r"$\partial L/\partial x$", ORANGE)
    _box(ax, (7.2, low), (1.3, 0.8), r"$\partial L/\partial \hat x$", ORANGE)
    for start, end in ((2.6, left - 0.05), (left + wide + 0.05, 6.65), (7.75, 8.4)):
        _arrow(ax, (start, top), (end, top))
    _arrow(ax, (8.95, top - 0.45), (7.9, low + 0.1), ORANGE)
    _arrow(ax, (6.5, low), (left + wide + 0.05, low), ORANGE)
    _arrow(ax, (left - 0.05, low), (2.75, low), ORANGE)
    quantizer = UniformQuantizer(
        QuantizationParams(torch.tensor(1.0), torch.tensor(0), qmin=-4, qmax=3)
    )
    x = torch.linspace(-7, 7, 2801, requires_grad=True)
    x_hat = quantizer(x)
    (gradient,) = torch.autograd.grad(x_hat.sum(), x)
    values, ends = x.detach().numpy(), (-7, 7)
    for y, curve, color, ylim in (
        (top, x_hat.detach(), BLUE, (-5.2, 4.2)),
        (low, gradient, ORANGE, (-0.3, 1.6)),
    ):
        place = (left, y - 0.8, wide, 1.6)
        inner = ax.inset_axes(place, transform=ax.transData, xlim=ends, ylim=ylim)
        inner.set(xticks=[], yticks=[])
        inner.axhline(0, color=GRAY, linewidth=0.8)
        for edge in (-4.5, 3.5):
            inner.axvline(edge, color=INK, linewidth=1, linestyle=":")
        inner.plot(values, curve.numpy(), color=color, linewidth=2)
    for at in ((-5.75, 0.22), (-0.5, 1.22), (5.25, 0.22)):
        _words(inner, at, f"× {at[1]:.0f}")
    _words(ax, (left + wide / 2, 1.95), "in range")
    return sheet.show("schematic-fake-quantization")


def granularities(rows: int = 4, columns: int = 8, group: int = 4) -> Picture:
    """One matrix three times, a colour for each scale: per tensor, per channel, per group.

    rows: output channels, one below the other. group: how many neighbours in a row share a
    scale. Raises ValueError where a group does not divide a row.

    >>> [ax.get_title("left") for ax in granularities().axes]
    ['per tensor', 'per channel', 'per group']
    """
    if columns % group:
        raise ValueError(f"group: found {group}, which does not divide {columns} columns")
    sheet, each = Sheet(panels=3, height=2.7, axes=False), columns // group
    kinds = {
        "per tensor": (rows, columns, lambda r, c: "$s$"),
        "per channel": (1, columns, lambda r, c: f"$s_{{{r}}}$"),
        "per group": (1, group, lambda r, c: f"$s_{{{r},{c}}}$"),
    }
    for i, (title, (high, wide, name)) in enumerate(kinds.items()):
        ax = sheet.axes[i]
        ax.set_axis_off()
        sheet.frame(i, title, xlim=(0, columns), ylim=(rows + 0.9, 0))
        for r in range(0, rows, high):
            for c in range(0, columns, wide):
                shade = 2.5 * TINT if c // wide % 2 == 0 else TINT  # groups of one row
                look: dict[str, Any] = {"facecolor": COLORS[r % 6], "alpha": shade, "linewidth": 0}
                ax.add_patch(Rectangle((c, r), wide, high, **look))
                tag = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
                middle = c + wide / 2, r + high / 2
                _words(ax, middle, name(r, c // wide), fontsize=TITLE + 2, bbox=tag)
        for k in range(columns + 1):
            ax.plot([k, k], [0, rows], color="white", linewidth=1)
        for k in range(rows + 1):
            ax.plot([0, columns], [k, k], color="white", linewidth=1)
        count = rows * columns // (high * wide)
        _words(ax, (columns / 2, rows + 0.5), f"{count} scale{'s' * (count > 1)}")
    return sheet.show(
        "schematic-granularities",
        rows=rows,
        columns=columns,
        group=group,
        groups=rows * each,
    )


def _paper(height: float, xlim: Point, ylim: Point) -> tuple[Sheet, Axes]:
    """An empty sheet with no axes, the whole of it one panel."""
    sheet = Sheet(height=height, axes=False)
    ax = sheet.axes[0]
    ax.set_axis_off()
    ax.set_position((0.01, 0.02, 0.98, 0.96))
    ax.set(xlim=xlim, ylim=ylim)
    return sheet, ax


def _words(ax: Axes, at: Point, words: str, **style: Any) -> None:
    """Words centred at a place."""
    look: dict[str, Any] = {"fontsize": TEXT, "color": INK, "ha": "center", "va": "center"}
    ax.text(*at, words, **look | style)


def _arrow(ax: Axes, start: Point, end: Point, color: str = INK, style: str = "-|>") -> None:
    """An arrow from one place to another."""
    look: dict[str, Any] = {"mutation_scale": 16, "shrinkA": 0, "shrinkB": 0, "zorder": 4}
    arrow = FancyArrowPatch(start, end, arrowstyle=style, color=color, linewidth=1.6, **look)
    ax.add_patch(arrow)


def _box(ax: Axes, centre: Point, size: Point, words: str, color: str) -> None:
    """A box with words in it; its centre, and its width and height."""
    (x, y), (wide, high) = centre, size
    place = (x - wide / 2, y - high / 2)
    ax.add_patch(Rectangle(place, wide, high, facecolor=color, alpha=TINT, linewidth=0))
    ax.add_patch(Rectangle(place, wide, high, fill=False, edgecolor=color, linewidth=1.6))
    _words(ax, centre, words)
