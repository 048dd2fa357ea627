"""A figure with controls: its states, its frames, and how it is shown.

An :class:`Explorer` knows three things: its controls, a sheet, and a function that draws the
figure for one setting of the controls. What it shows depends on where it is shown: widgets in
JupyterLab (:mod:`.live`), native inputs with every frame drawn ahead where QUANTCORE_STATIC=1
is set (:mod:`.static`), a PNG and a line of text on a code host.
"""

from __future__ import annotations

import io
import itertools
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

from ..page import WIDGET, is_static
from ..sheet import DPI, Sheet
from ..words import describe, label
from .static import static_html

if TYPE_CHECKING:
    from .live import Ahead

MOST_STATES = 64  # what a static figure may hold
# JupyterLab may move a control in one thread while another draws, and matplotlib is not
# thread-safe: one at a time. Reentrant, because to show is also to draw.
DRAWING = threading.RLock()
# The sheets drawn last, which keep their pixels (9 MB each) to be drawn again quickly.
AWAKE: deque[weakref.ref[Sheet]] = deque(maxlen=3)


class Control(NamedTuple):
    """A named choice: False and True is a checkbox, numbers a slider, words a drop-down."""

    name: str
    values: tuple
    start: object

    @property
    def kind(self) -> str:
        """The input that offers it: "checkbox", "range" or "select"."""
        if isinstance(self.values[0], bool):
            return "checkbox"
        return "select" if isinstance(self.values[0], str) else "range"


class Frame(NamedTuple):
    """One state's picture, its line of numbers, and a sound (WAV) where there is one."""

    picture: Image.Image
    line: str
    sound: bytes | None = None


class LiveFrame(NamedTuple):
    """The same for the live figure: the picture as a JPEG, five times as fast as a PNG."""

    jpeg: bytes
    line: str
    sound: bytes | None = None


class Explorer:
    """An interactive figure: display it, or ask for one frame with `frame(*state)`.

    name      what it is called: the key of its description in words
    sheet     what is drawn on
    draw      draw(sheet, **state) → line of numbers, or (line, WAV bytes)
    controls  one Control for each argument of `draw`
    original  a sound (WAV) to compare the frames' sounds with
    compare   whether a picture can be kept as A, above the current one

    Raises ValueError where a start is not among the values, or the states are too many for a
    static page, and whatever `draw` raises for the start.
    """

    def __init__(
        self,
        name: str,
        sheet: Sheet,
        draw: Callable,
        *controls: Control,
        original: bytes | None = None,
        compare: bool = False,
    ) -> None:
        for c in controls:
            if c.start not in c.values:
                raise ValueError(
                    f"{c.name}: {c.start!r} is not one of {list(c.values)}, which {name} offers"
                )
        self.name, self.sheet, self.controls, self._draw = name, sheet, controls, draw
        self.original, self.compare = original, compare
        if len(self.states()) > MOST_STATES:
            raise ValueError(f"controls: {len(self.states())} states, at most {MOST_STATES}")
        self.start = tuple(c.start for c in controls)
        self.errors: list[Exception] = []
        self.kept: dict[tuple, LiveFrame] = {}
        self.ahead: Ahead | None = None
        # Drawn now, so that bad data are refused by the call, and not while it is displayed.
        first, buffer = self.frame(*self.start), io.BytesIO()
        first.picture.save(buffer, "png", optimize=True)
        self.still, self.line = buffer.getvalue(), first.line
        self.kept[self.start] = _live(first)

    def states(self) -> list[tuple]:
        """Every combination of the controls' values, the last control changing fastest."""
        return list(itertools.product(*(c.values for c in self.controls)))

    def frame(self, *state) -> Frame:
        """The frame of a state, one value for each control; drawn anew, with all its pixels."""
        with DRAWING:
            drawn = self._draw(self.sheet, **self.named(state))
            line, sound = drawn if isinstance(drawn, tuple) else (drawn, None)
            picture = self.sheet.render()
            _keep_awake(self.sheet)
            return Frame(picture, line, sound)

    def live_frame(self, *state) -> LiveFrame:
        """The same for the live figure, and kept."""
        with DRAWING:
            if state not in self.kept:
                self.kept[state] = _live(self.frame(*state))
            return self.kept[state]

    def free(self) -> None:
        """Let go of what can be drawn again: kept frames and pixels."""
        with DRAWING:
            self.kept.clear()
            self.sheet.rest()

    def named(self, state: tuple) -> dict[str, object]:
        """The state's values by the controls' names."""
        return dict(zip((c.name for c in self.controls), state, strict=True))

    def alt(self, state: tuple, line: str) -> str:
        """What a state's frame shows, in words and numbers."""
        return describe(self.name, self.named(state), line)

    def neighbours(self, *state) -> list[tuple]:
        """The states one step of one control away: those that are likely next."""
        near = []
        for i, c in enumerate(self.controls):
            at = c.values.index(state[i])
            for j in (at + 1, at - 1):
                if 0 <= j < len(c.values):
                    near.append((*state[:i], c.values[j], *state[i + 1 :]))
        return near

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture on the page, in CSS pixels."""
        width, height = self.sheet.figure.get_size_inches() * DPI
        return round(width), round(height)

    def bundles(self) -> list[tuple[dict, dict]]:
        """What a cell shows, as (data, metadata): the page, or the still picture and the widget.

        A saved notebook holds no widget that could be shown: what remains of it then are the
        picture, and the text that says how to bring it to life.
        """
        alt, names = self.alt(self.start, self.line), [c.name for c in self.controls]
        if is_static():
            return [({"text/html": static_html(self), "text/plain": alt}, {})]
        width, height = self.size
        about = {"image/png": {"width": width, "height": height, "alt": alt}, "controls": names}
        view = self.widget()._repr_mimebundle_()
        return [
            ({"image/png": self.still, "text/plain": alt}, about),
            ({WIDGET: view[WIDGET], "text/plain": label("unrun")}, {}),
        ]

    def widget(self):
        """The live figure: ipywidgets around one image that is replaced in place."""
        from . import live

        return live.view(self)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for data, metadata in self.bundles():
            display(data, metadata=metadata, raw=True)


def _live(frame: Frame) -> LiveFrame:
    buffer = io.BytesIO()
    frame.picture.save(buffer, "jpeg", quality=92, subsampling=0)
    return LiveFrame(buffer.getvalue(), frame.line, frame.sound)


def _keep_awake(sheet: Sheet) -> None:
    """Of all sheets, only those drawn last keep their pixels."""
    awake = [s for s in (ref() for ref in AWAKE) if s is not None and s is not sheet]
    for oldest in awake[: -(AWAKE.maxlen or 1) + 1]:
        oldest.rest()
    AWAKE.clear()  # else the same sheet would be counted twice
    AWAKE.extend(weakref.ref(s) for s in [*awake, sheet])
