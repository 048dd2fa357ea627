"""A sheet of paper for figures: artists are made once, and moved when they are drawn again.

Every figure of the course is a function that draws on a :class:`Sheet`. Calling it a second
time on the same sheet updates the same artists, so a slider needs no drawing code of its own.
"""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

# Okabe and Ito's colours, told apart by colour-blind readers. One meaning each, everywhere.
BLUE, RED, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, INK, GRAY = "#CC79A7", "#56B4E9", "#222222", "#8a8a8a"
COLORS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, INK)

LEFT, RIGHT, BOTTOM, TOP, GAP, ROW_GAP = 0.62, 0.22, 0.5, 0.32, 0.7, 0.8  # inches
EDGE = 0.12  # inches around panels that have no axes
DPI = 100  # one figure inch is 100 CSS pixels
SHARPNESS = 2  # pixels per CSS pixel, for sharp screens


class Picture(Figure):
    """A matplotlib Figure that shows itself in a notebook, with its alt text."""

    alt, sharpness = "", SHARPNESS

    def _repr_mimebundle_(self, include=None, exclude=None):
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=DPI * self.sharpness)
        width, height = (self.get_size_inches() * DPI).astype(int).tolist()
        return (
            {"image/png": buffer.getvalue(), "text/plain": self.alt},
            {"image/png": {"width": width, "height": height, "alt": self.alt}},
        )


class Sheet:
    """One figure with some panels side by side (or in rows), drawn once and then updated.

    Each artist has a name in its panel: the first call makes it, later calls move it.
    Panels are counted from 0; colours follow the names' order unless one is given.
    Pictures that fill their panels need no room for axes: axes=False.

    >>> sheet = Sheet(panels=2)
    >>> sheet.line(0, "parabola", [0, 1, 2], [0, 1, 4])
    >>> sheet.show("a parabola").alt
    'a parabola'
    """

    def __init__(
        self,
        panels: int = 1,
        width: float = 9.6,
        height: float = 3.0,
        rows: int = 1,
        sharpness: float = SHARPNESS,
        axes: bool = True,
    ):
        self.figure = Picture(figsize=(width, height), dpi=DPI, facecolor="white")
        self.canvas = FigureCanvasAgg(self.figure)
        self.axes = list(self.figure.subplots(rows, math.ceil(panels / rows), squeeze=False).flat)
        for ax in self.axes:
            ax.tick_params(labelsize=8, color=GRAY, labelcolor=INK)
            ax.spines[["top", "right"]].set_visible(False)
            ax.grid(True, color="#e4e4e4", linewidth=0.6)
            ax.set_axisbelow(True)
            ax.set_frame_on(axes)
        self.artists: list[dict[str, object]] = [{} for _ in self.axes]
        self._margins(*((LEFT, RIGHT, BOTTOM, GAP) if axes else (EDGE,) * 4))
        self.figure.sharpness = sharpness
        self._look, self._background = None, None

    def frame(self, i: int, title="", x="", y="", xlim=None, ylim=None, **more) -> None:
        """Name the panel and its axes, and fix their ends. `more` goes to Axes.set."""
        ax = self.axes[i]
        ax.set_title(title, fontsize=10, color=INK, loc="left")
        ax.set_xlabel(x, fontsize=9, color=INK)
        ax.set_ylabel(y, fontsize=9, color=INK)
        ax.set(**{k: v for k, v in {"xlim": xlim, "ylim": ylim}.items() if v is not None}, **more)

    def line(self, i: int, name: str, x, y, **style) -> None:
        """A line, or markers with linestyle="none"."""
        style = {"solid_capstyle": "butt"} | style  # a line ends where its data end
        artist = self._get(i, name, style, lambda ax, s: ax.plot([], [], label=name, **s)[0])
        artist.set_data(_array(x), _array(y))

    def points(self, i: int, name: str, x, y, **style) -> None:
        """Unconnected markers."""
        self.line(i, name, x, y, **{"linestyle": "none", "marker": ".", "markersize": 3} | style)

    def bars(self, i: int, name: str, heights, edges, **style) -> None:
        """A histogram: one bar between each two edges."""
        style = {"fill": True, "alpha": 0.55} | style
        artist = self._get(i, name, style, lambda ax, s: ax.stairs([0], [0, 1], label=name, **s))
        artist.set_data(_array(heights), _array(edges))

    def image(self, i: int, name: str, values, **style) -> None:
        """A matrix or a photograph, without axes. Give vmin and vmax for a matrix."""
        values = _array(values)

        def make(ax, s):
            s.pop("color")
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
            return ax.imshow(values, **s)

        artist = self._get(i, name, style, make)
        artist.set_data(values)
        rows, columns = values.shape[:2]
        artist.set_extent((-0.5, columns - 0.5, rows - 0.5, -0.5))
        if "vmin" in style:
            artist.set_clim(style["vmin"], style["vmax"])

    def text(self, i: int, name: str, x: float, y: float, text: str, **style) -> None:
        """Words at a place: data coordinates, or axes fractions with transform="axes"."""
        in_axes = style.pop("transform", None) == "axes"

        def make(ax, s):
            if in_axes:
                s["transform"] = ax.transAxes
            return ax.text(x, y, text, **{"fontsize": 8, "color": INK} | s)

        artist = self._get(i, name, {"color": INK} | style, make)
        artist.set_position((x, y))
        artist.set_text(text)

    def legend(self, i: int, **style) -> None:
        """Name the panel's lines, points and bars. Made once, from what was drawn before."""
        make = {"fontsize": 8, "loc": "upper right", "framealpha": 0.85, "edgecolor": "none"}
        self._get(i, "(legend)", {}, lambda ax, s: ax.legend(**make | style))

    def show(self, alt: str) -> Picture:
        """The figure, for a cell's last line; `alt` says in words and numbers what it shows."""
        self._fit()
        self.figure.alt = alt
        return self.figure

    def render(self) -> Image.Image:
        """The pixels. Frame, ticks and titles are kept from the last call if they are equal."""
        self._fit()
        look = [
            (ax.get_xlim(), ax.get_ylim(), ax.get_title("left"), ax.get_xlabel(), ax.get_ylabel())
            for ax in self.axes
        ]
        if look != self._look:
            self.figure.set_dpi(DPI * self.figure.sharpness)
            self.canvas.draw()
            self._background = self.canvas.copy_from_bbox(self.figure.bbox)
            self._look = look
        self.canvas.restore_region(self._background)
        for ax, artists in zip(self.axes, self.artists, strict=True):
            for artist in sorted(artists.values(), key=lambda a: a.get_zorder()):
                ax.draw_artist(artist)
        pixels, size = self.canvas.buffer_rgba(), self.canvas.get_width_height()
        return Image.frombuffer("RGBA", size, pixels, "raw", "RGBA", 0, 1).convert("RGB")

    def rest(self) -> None:
        """Let go of the pixels, twice the figure's size; the next render makes them again."""
        self.canvas = FigureCanvasAgg(self.figure)
        self._look, self._background = None, None

    def _get(self, i: int, name: str, style: dict, make):
        artists = self.artists[i]
        if name not in artists:
            style = {"color": COLORS[len(artists) % len(COLORS)]} | style
            artists[name] = make(self.axes[i], style)
            artists[name].set_animated(True)  # left out of the background, drawn on top of it
        return artists[name]

    def _fit(self) -> None:
        """Ends for the axes that no frame() fixed."""
        for ax in self.axes:
            if ax.get_autoscalex_on() or ax.get_autoscaley_on():
                ax.relim()
                ax.autoscale_view()

    def _margins(self, left: float, right: float, bottom: float, gap: float) -> None:
        """The same room around the panels, in inches, whatever the sheet's size."""
        width, height = self.figure.get_size_inches()
        spec = self.axes[0].get_subplotspec().get_gridspec()
        inner_width = (width - left - right - gap * (spec.ncols - 1)) / spec.ncols
        inner_height = (height - bottom - TOP - ROW_GAP * (spec.nrows - 1)) / spec.nrows
        self.figure.subplots_adjust(
            left=left / width,
            right=1 - right / width,
            bottom=bottom / height,
            top=1 - TOP / height,
            wspace=gap / inner_width,
            hspace=ROW_GAP / inner_height,
        )


def _array(values):
    """numpy, from tensors on any device too."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    return np.asarray(values)
