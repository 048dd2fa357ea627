"""Controls around a figure: live with a kernel, and as plain HTML without one.

An :class:`Explorer` knows three things: its controls, a sheet, and a function that draws the
figure for one setting of the controls. What it shows depends on where it is shown: widgets in
JupyterLab, native inputs with every frame drawn ahead where QUANTCORE_STATIC=1 is set, a PNG
and a line of numbers on a code host.
"""

from __future__ import annotations

import asyncio
import html
import io
import itertools
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from PIL import Image

from ..sheet import DPI, Sheet
from .labels import label
from .static import static_html

MOST_STATES = 64  # what a static figure may hold
# JupyterLab may move a control in one thread while another draws, and matplotlib is not
# thread-safe: one at a time. Reentrant, because to show is also to draw.
DRAWING = threading.RLock()


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

    picture: Image.Image | bytes
    line: str
    sound: bytes | None = None


class Explorer:
    """An interactive figure: display it, or ask for one frame with `frame(**state)`.

    name      what it is called, in its alt text
    sheet     what is drawn on
    draw      draw(sheet, **state) → line of numbers, or (line, WAV bytes)
    controls  one Control for each argument of `draw`

    Raises ValueError where a start is not among the values, or the states are too many for a
    static page.
    """

    def __init__(self, name: str, sheet: Sheet, draw: Callable, *controls: Control):
        for c in controls:
            if c.start not in c.values:
                raise ValueError(f"{c.name}: {c.start!r} is not one of {list(c.values)}")
        self.name, self.sheet, self.controls, self._draw = name, sheet, controls, draw
        if len(self.states()) > MOST_STATES:
            raise ValueError(f"controls: {len(self.states())} states, at most {MOST_STATES}")
        self.start = tuple(c.start for c in controls)
        self.errors: list[Exception] = []
        self._kept: dict[tuple, Frame] = {}
        self._ahead: asyncio.Task | None = None

    def states(self) -> list[tuple]:
        """Every combination of the controls' values, the last control changing fastest."""
        return list(itertools.product(*(c.values for c in self.controls)))

    def frame(self, *state) -> Frame:
        """The frame of a state, one value for each control; drawn anew, with all its pixels."""
        with DRAWING:
            drawn = self._draw(self.sheet, **dict(zip(self._names(), state, strict=True)))
            line, sound = drawn if isinstance(drawn, tuple) else (drawn, None)
            return Frame(self.sheet.render(), line, sound)

    def live_frame(self, *state) -> Frame:
        """The same for the live figure: as a JPEG, five times as fast as a PNG, and kept."""
        with DRAWING:
            if state not in self._kept:
                frame, buffer = self.frame(*state), io.BytesIO()
                frame.picture.save(buffer, "jpeg", quality=92, subsampling=0)
                self._kept[state] = frame._replace(picture=buffer.getvalue())
            return self._kept[state]

    def alt(self, state: tuple, frame: Frame) -> str:
        """What a state's frame shows, in words and numbers."""
        chosen = ", ".join(f"{n}={v}" for n, v in zip(self._names(), state, strict=True))
        return f"{self.name}({chosen}): {frame.line}"

    def neighbours(self, *state) -> list[tuple]:
        """The states one step of one control away: those that are likely next."""
        near = []
        for i, c in enumerate(self.controls):
            at = c.values.index(state[i])
            for j in (at + 1, at - 1):
                if 0 <= j < len(c.values):
                    near.append((*state[:i], c.values[j], *state[i + 1 :]))
        return near

    def _names(self) -> list[str]:
        return [c.name for c in self.controls]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture on the page, in CSS pixels."""
        width, height = self.sheet.figure.get_size_inches() * DPI
        return round(width), round(height)

    def _repr_mimebundle_(self, include=None, exclude=None):
        frame, (width, height) = self.frame(*self.start), self.size
        alt = self.alt(self.start, frame)
        if os.environ.get("QUANTCORE_STATIC") == "1":
            return {"text/html": static_html(self), "text/plain": alt}
        buffer = io.BytesIO()
        frame.picture.save(buffer, "png", optimize=True)
        bundle = self.widget()._repr_mimebundle_()
        bundle |= {"image/png": buffer.getvalue(), "text/plain": alt}
        return bundle, {"image/png": {"width": width, "height": height, "alt": alt}}

    def widget(self):
        """The live figure: ipywidgets around one image that is replaced in place."""
        import ipywidgets as widgets

        width = widgets.Layout(width="100%", max_width=f"{self.size[0]}px", height="auto")
        image, line, audio = widgets.Image(format="jpeg", layout=width), widgets.HTML(), None
        if self.live_frame(*self.start).sound is not None:
            audio = widgets.Audio(autoplay=False, loop=False)
        inputs = [self._input(widgets, c) for c in self.controls]

        def show(change=None):
            with DRAWING:  # whoever comes last reads the newest values, and shows them last
                state = tuple(i.value for i in inputs)
                show_state(state)
            if change is not None:
                self._draw_ahead(state)

        def show_state(state):
            try:
                frame = self.live_frame(*state)
                image.value = frame.picture
                text = html.escape(frame.line)
                line.value = f'<code style="white-space:pre-wrap">{text}</code>'
                if audio is not None:
                    audio.value = frame.sound
                image.layout.visibility = "visible"
            except Exception as error:  # shown in place, in the figure's own box
                self.errors.append(error)
                image.layout.visibility = "hidden"
                message = html.escape(f"{type(error).__name__}: {error}")
                line.value = f'<span role="alert">{label("error")}: <code>{message}</code></span>'

        for i in inputs:
            i.observe(show, "value")
        show()
        box = widgets.HBox(inputs, layout=widgets.Layout(flex_flow="row wrap"))
        return widgets.VBox([box, image, line, *([audio] if audio else [])])

    def _input(self, widgets, c: Control):
        more = {"description": label(c.name), "style": {"description_width": "initial"}}
        if c.kind == "checkbox":
            return widgets.Checkbox(c.start, description=label(c.name), indent=False)
        if c.kind == "range" and c.values == tuple(range(int(c.values[0]), int(c.values[-1]) + 1)):
            return widgets.IntSlider(c.start, min=c.values[0], max=c.values[-1], **more)
        make = widgets.SelectionSlider if c.kind == "range" else widgets.Dropdown
        return make(options=[(str(v), v) for v in c.values], value=c.start, **more)

    def _draw_ahead(self, state: tuple) -> None:
        """Draw the neighbours while the kernel is idle; a new request comes first."""
        if self._ahead is not None and not self._ahead.done():
            # Its loop may be another thread's.
            self._ahead.get_loop().call_soon_threadsafe(self._ahead.cancel)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no kernel, no idle time
            return
        self._ahead = loop.create_task(self._draw_slowly(self.neighbours(*state)))

    async def _draw_slowly(self, states: list[tuple]) -> None:
        for state in states:
            await asyncio.sleep(0.03)  # lets a message that is waiting go first
            with suppress(Exception):  # it will be shown when somebody goes there
                self.live_frame(*state)
