"""A sheet of paper for figures: artists are made once, and moved when they are drawn again.

Every figure of the course is a function that draws on a :class:`Sheet`. Calling it a second
time on the same sheet updates the same artists, so a slider needs no drawing code of its own.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from PIL import Image

from . import words

# Okabe and Ito's colours, told apart by colour-blind readers. One meaning each, everywhere.
BLUE, RED, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, INK, GRAY = "#CC79A7", "#56B4E9", "#222222", "#8a8a8a"
COLORS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, INK)

DPI = 100  # one figure inch is 100 CSS pixels
TEXT, TITLE = 11.5, 12.5  # points: 16 and 17 CSS pixels, to be read on a projector
LEFT, RIGHT, BOTTOM, TOP, GAP = 0.8, 0.2, 0.62, 0.36, 0.84  # inches
STRIP = 0.28  # inches above the panels for their legends, where they have any
BAR = 0.3, 0.7  # the ends of a matrix's colours in that strip, in panel widths
EDGE = 0.12  # inches around panels that have no axes
SHARPNESS = 2  # pixels per CSS pixel, for sharp screens


class Picture(Figure):
    """A matplotlib Figure that shows itself in a notebook, with its alt text."""

    alt: str = ""
    sharpness: float = SHARPNESS

    def _repr_mimebundle_(self, include=None, exclude=None):
        buffer, canvas = io.BytesIO(), self.canvas
        # On another canvas, which goes with its pixels; IPython keeps the figure.
        FigureCanvasAgg(self).print_figure(buffer, format="png", dpi=DPI * self.sharpness)
        self.set_canvas(canvas)
        self.forget()
        width, height = (self.get_size_inches() * DPI).astype(int).tolist()
        return (
            {"image/png": buffer.getvalue(), "text/plain": self.alt},
            {"image/png": {"width": width, "height": height, "alt": self.alt}},
        )

    def forget(self) -> None:
        """Let go of the pixels that it was drawn on last: each of its texts holds them."""
        for text in self.findobj(Text):
            text.__dict__["_renderer"] = None


class Sheet:
    """One figure with some panels side by side (or in rows), drawn once and then updated.

    Each artist has a name in its panel: the first call makes it, later calls move it.
    Panels are counted from 0; colours follow the names' order unless one is given.
    Pictures that fill their panels need no room for axes: axes=False.

    >>> sheet = Sheet(panels=2)
    >>> sheet.line(0, "parabola", [0, 1, 2], [0, 1, 4])
    >>> sheet.render().size
    (1920, 680)
    """

    def __init__(
        self,
        panels: int = 1,
        width: float = 9.6,
        height: float = 3.4,
        rows: int = 1,
        sharpness: float = SHARPNESS,
        axes: bool = True,
    ):
        self.figure = Picture(figsize=(width, height), dpi=DPI, facecolor="white")
        self.canvas = FigureCanvasAgg(self.figure)
        self.axes = list(self.figure.subplots(rows, math.ceil(panels / rows), squeeze=False).flat)
        for ax in self.axes:
            ax.tick_params(labelsize=TEXT, color=GRAY, labelcolor=INK)
            ax.spines[["top", "right"]].set_visible(False)
            ax.grid(True, color="#e4e4e4", linewidth=0.6)
            ax.set_axisbelow(True)
            ax.set_frame_on(axes)
        self.artists: list[dict[str, Any]] = [{} for _ in self.axes]
        self.room = (LEFT, RIGHT, BOTTOM, GAP) if axes else (EDGE, EDGE, EDGE, EDGE)
        self._margins(strip=0.0)
        self.figure.sharpness = sharpness
        self._look: list[tuple] | None = None  # what the background shows
        self._background: Any = None

    def frame(self, i: int, title="", x="", y="", xlim=None, ylim=None, **more) -> None:
        """Name the panel and its axes, and fix their ends. `more` goes to Axes.set."""
        ax = self.axes[i]
        self._title(ax, title)
        ax.set_xlabel(x, fontsize=TEXT, color=INK)
        ax.set_ylabel(y, fontsize=TEXT, color=INK)
        ax.set(**{k: v for k, v in {"xlim": xlim, "ylim": ylim}.items() if v is not None}, **more)

    def line(self, i: int, name: str, x, y, **style) -> None:
        """A line, or markers with linestyle="none". label="" leaves it out of the legend."""
        # A line ends where its data end.
        style = self._color(i) | {"label": name, "solid_capstyle": "butt"} | style
        artist = self._get(i, name, lambda ax: ax.plot([], [], **style)[0])
        artist.set_data(_array(x), _array(y))

    def restyle(self, i: int, name: str, **style) -> None:
        """Change a drawn artist's properties: other styles stay as they were first drawn."""
        self.artists[i][name].set(**style)

    def points(self, i: int, name: str, x, y, **style) -> None:
        """Unconnected markers."""
        self.line(i, name, x, y, **{"linestyle": "none", "marker": ".", "markersize": 3} | style)

    def bars(self, i: int, name: str, heights, edges, **style) -> None:
        """A histogram: one bar between each two edges. label="" as for a line."""
        look: dict[str, Any] = {"label": name, "fill": True, "alpha": 0.55}
        style = self._color(i) | look | style
        artist = self._get(i, name, lambda ax: ax.stairs([0], [0, 1], **style))
        artist.set_data(_array(heights), _array(edges))

    def image(self, i: int, name: str, values, **style) -> None:
        """A matrix, or a photograph on a sheet without axes. A matrix needs vmin and vmax.

        Where a legend would be, a matrix has its colours, from vmin to vmax.
        """
        values = _array(values)

        def make(ax):
            ax.grid(False)
            if ax.get_frame_on():
                self._colours(ax, style["cmap"])
                for axis in (ax.xaxis, ax.yaxis):
                    axis.set_major_locator(MaxNLocator(5, integer=True))
            else:
                ax.set(xticks=[], yticks=[])
            return ax.imshow(values, **style)

        artist = self._get(i, name, make)
        artist.set_data(values)
        rows, columns = values.shape[:2]
        artist.set_extent((-0.5, columns - 0.5, rows - 0.5, -0.5))
        if "vmin" in style:
            artist.set_clim(style["vmin"], style["vmax"])
        if self.axes[i].get_frame_on():
            for end, x, side in (("vmin", BAR[0], "right"), ("vmax", BAR[1], "left")):
                self.caption(i, end, x, f" {style[end]:.2g} ", ha=side)

    def text(self, i: int, name: str, x: float, y: float, text: str, **style) -> None:
        """Words at a place: data coordinates, or axes fractions with transform="axes"."""
        look: dict[str, Any] = {"fontsize": TEXT, "color": INK}
        style = look | style
        if style.get("transform") == "axes":
            style["transform"] = self.axes[i].transAxes
        artist = self._get(i, name, lambda ax: ax.text(x, y, text, **style))
        artist.set_position((x, y))
        artist.set_text(text)

    def caption(self, i: int, name: str, x: float, text: str, **style) -> None:
        """Words above the panel, where a legend would be; x from 0 to 1 across the panel."""
        self._make_strip()
        place = {"transform": "axes", "va": "center_baseline"}
        self.text(i, name, x, self._above(0.5), text, **place | style)

    def legend(self, i: int, **style) -> None:
        """Name the panel's lines, points and bars, above the panel, or inside it at a `loc`.

        Made once, from what was drawn before. Above the panel they stand in one row, unless
        `ncols` says otherwise.
        """

        def make(ax):
            look = {"fontsize": TEXT, "framealpha": 0.85, "edgecolor": "none"}
            if "loc" not in style:
                count = len(ax.get_legend_handles_labels()[1])
                columns = style.get("ncols", count)
                self._make_strip(math.ceil(count / columns))
                look |= {
                    "loc": "lower left",
                    "bbox_to_anchor": (0, 1),
                    "borderaxespad": 0.1,
                    "borderpad": 0.1,
                    "ncols": columns,
                    "handlelength": 1.2,
                    "handletextpad": 0.4,
                    "columnspacing": 0.9,
                }
            legend = ax.legend(**look | style)
            for line in legend.get_lines():  # one drawn thin among many is named by a thick one
                line.set_linewidth(max(1.2, line.get_linewidth()))
            return legend

        artist = self._get(i, "(legend)", make)
        artist.set_animated("loc" in style)  # above the panel nothing covers it: background

    def show(self, key: str, **values: object) -> Picture:
        """The figure, for a cell's last line. quantcore.words.picture says what it shows."""
        self.figure.alt = words.picture(key, **values)
        self._fit()
        return self.figure

    def render(self) -> Image.Image:
        """The pixels. Frame, ticks, titles and legends are kept from the last call if equal."""
        self._fit()
        look = [
            (
                *(ax.get_xlim(), ax.get_ylim(), ax.get_title("left")),
                *(ax.get_xlabel(), ax.get_ylabel(), ax.get_legend()),
            )
            for ax in self.axes
        ]
        if look != self._look:
            self.figure.set_dpi(DPI * self.figure.sharpness)
            self.canvas.draw()
            self._background = self.canvas.copy_from_bbox(self.figure.bbox)
            self._look = look
        self.canvas.restore_region(self._background)
        for ax, artists in zip(self.axes, self.artists, strict=True):
            moved = [artist for artist in artists.values() if artist.get_animated()]
            for artist in sorted(moved, key=lambda a: a.get_zorder()):
                ax.draw_artist(artist)
        pixels, size = self.canvas.buffer_rgba(), self.canvas.get_width_height()
        return Image.frombuffer("RGBA", size, pixels, "raw", "RGBA", 0, 1).convert("RGB")

    def rest(self) -> None:
        """Let go of the pixels, twice the figure's size; the next render makes them again."""
        self.canvas = FigureCanvasAgg(self.figure)
        self.figure.forget()
        self._look, self._background = None, None

    def _get(self, i: int, name: str, make: Callable[[Axes], Any]) -> Any:
        artists = self.artists[i]
        if name not in artists:
            artists[name] = make(self.axes[i])
            artists[name].set_animated(True)  # left out of the background, drawn on top of it
        return artists[name]

    def _color(self, i: int) -> dict[str, str]:
        return {"color": COLORS[len(self.artists[i]) % len(COLORS)]}

    def _fit(self) -> None:
        """Ends for the axes that no frame() fixed."""
        for ax in self.axes:
            if ax.get_autoscalex_on() or ax.get_autoscaley_on():
                ax.relim()
                ax.autoscale_view()

    def _make_strip(self, rows: int = 1) -> None:
        """Room for so many rows of words between the titles and the panels."""
        if self.strip < rows * STRIP:
            self._margins(rows * STRIP)
            for ax in self.axes:
                self._title(ax, ax.get_title("left"))

    def _title(self, ax: Axes, title: str) -> None:
        # Matplotlib takes what is not named here back to its own default.
        ax.set_title(title, fontsize=TITLE, color=INK, loc="left", pad=6 + 72 * self.strip)

    def _above(self, part: float) -> float:
        """A height in the strip, as a fraction of a panel: 0 is its lower end, 1 its upper."""
        return 1 + part * STRIP / (self.axes[0].get_position().height * self.figure.get_figheight())

    def _colours(self, ax: Axes, cmap: str) -> None:
        """All colours of a map, from the least to the greatest, in the strip."""
        self._make_strip()
        low, high = self._above(0.3), self._above(0.7)
        bar = ax.inset_axes((BAR[0], low, BAR[1] - BAR[0], high - low), xticks=[], yticks=[])
        bar.imshow(np.linspace(0, 1, 256)[None], cmap=cmap, aspect="auto")

    def _margins(self, strip: float) -> None:
        """The same room around the panels, in inches, whatever the sheet's size."""
        self.strip = strip  # inches
        left, right, bottom, gap = self.room
        top, row_gap = TOP + strip, bottom + TOP + strip
        width, height = self.figure.get_size_inches()
        spec = self.axes[0].get_subplotspec().get_gridspec()
        inner_width = (width - left - right - gap * (spec.ncols - 1)) / spec.ncols
        inner_height = (height - bottom - top - row_gap * (spec.nrows - 1)) / spec.nrows
        x = {"left": left / width, "right": 1 - right / width, "wspace": gap / inner_width}
        y = {"bottom": bottom / height, "top": 1 - top / height, "hspace": row_gap / inner_height}
        self.figure.subplots_adjust(**x, **y)


def _array(values):
    """numpy, from tensors on any device too."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    return np.asarray(values)
