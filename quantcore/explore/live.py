"""An explorer with a kernel: ipywidgets around one image that is replaced in place.

What ipywidgets leave out is added in the page: a script (see :func:`install`) gives the
picture its alt text and the sliders their names and values, a style sheet hides the still
picture beside a live one, and says in words when the kernel is gone.
"""

from __future__ import annotations

import asyncio
import html
import json
from contextlib import suppress
from string import Template

import ipywidgets as widgets

from ..page import is_static
from ..words import chosen, kept, label, option
from . import cells
from .explorer import DRAWING, Control, Explorer, LiveFrame

# A still picture stands above each live figure in the notebook, for when there is no kernel.
STYLE = Template("""<style>
.jp-OutputArea-child:has(+ .jp-OutputArea-child .qc-live) { display: none; }
.qc-live > .widget-hbox { margin-bottom: 6px; }
.qc-live.jupyter-widgets-disconnected::before {
  content: $gone; display: block; padding: .4em .8em; margin-bottom: .4em;
  border-left: 4px solid #d55e00; background: #fff4e5; color: #222;
  font-family: var(--jp-content-font-family); font-size: var(--jp-content-font-size1);
}
.qc-live .jupyter-widgets-disconnected::before { display: none; }
.qc-live .qc-a:not(:has(img)) { display: none; }
.qc-live:has(.qc-a img) > .qc-line code::before {
  content: "B"; font-weight: 700; margin-right: 2ch;
}
.qc-live.jupyter-widgets-disconnected .widget-hbox { opacity: .5; pointer-events: none; }
</style>""")

# The picture's alt text comes hidden in the line of numbers; a slider's handle gets the name and
# the text that stand beside it, and is the slider's only tab stop; a new sound goes on where the
# old one was. In a notebook that was saved and opened again, what says that a model is missing says
# what to do instead.
SCRIPT = Template("""<script>(function () {
  if (window.quantcoreLive) return;
  window.quantcoreLive = true;
  const unrun = $unrun;
  function set(node, name, value) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  function mend(live) {
    for (const alt of live.querySelectorAll('.qc-alt')) {
      const image = [...(alt.closest('.qc-a') || live).querySelectorAll('img')].at(-1);
      if (image) set(image, 'alt', alt.textContent);
    }
    for (const row of live.querySelectorAll('.widget-slider')) {
      const handle = row.querySelector('.noUi-handle');
      const name = row.querySelector('.widget-label'), value = row.querySelector('.widget-readout');
      if (!handle || !name || !value) continue;
      set(handle, 'aria-label', name.textContent);
      set(handle, 'aria-valuetext', value.textContent);
      set(value, 'tabindex', '-1');
    }
    for (const asked of live.querySelectorAll('.qc-asked')) {
      set(live, 'role', 'group');
      set(live, 'aria-label', asked.textContent);
    }
    for (const line of live.querySelectorAll('.qc-line')) set(line, 'aria-live', 'polite');
    for (const audio of live.querySelectorAll('audio')) {
      set(audio, 'aria-label', audio.closest('.qc-sound').textContent.trim());
      if (audio.qcWatched) continue;
      audio.qcWatched = true;
      audio.addEventListener('timeupdate', function () {
        if (audio.currentTime) audio.qcTime = audio.currentTime;
        audio.qcPlays = !audio.paused;
      });
      audio.addEventListener('loadedmetadata', function () {
        if (!audio.qcTime || audio.ended) return;
        audio.currentTime = audio.qcTime;
        if (audio.qcPlays) audio.play();
      });
      audio.addEventListener('ended', function () { audio.qcTime = 0; audio.qcPlays = false; });
    }
  }
  const options = {subtree: true, childList: true, characterData: true, attributes: true,
    attributeFilter: ['aria-valuetext']};
  const watched = new WeakSet();
  function look() {
    for (const live of document.querySelectorAll('.qc-live')) {
      if (!watched.has(live)) {
        watched.add(live);
        new MutationObserver(function () { mend(live); }).observe(live, options);
      }
      mend(live);
    }
    for (const lost of document.querySelectorAll('.jp-OutputArea-output.jupyter-widgets')) {
      if (/model not found/.test(lost.textContent)) lost.textContent = unrun;
    }
  }
  let waiting = false;
  new MutationObserver(function () {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(function () { waiting = false; look(); });
  }).observe(document.body, {subtree: true, childList: true});
  look();
})();</script>""")


def install() -> None:
    """Show the script, once for each page, and free figures with their cells from here on.

    The cell that chooses the language does it.
    """
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None or is_static():
        return
    cells.watch()
    script = SCRIPT.substitute(unrun=json.dumps(label("unrun"), ensure_ascii=False))
    display({"text/html": script, "text/plain": ""}, raw=True)


def view(explorer: Explorer) -> widgets.VBox:
    """The controls, the picture, the line of numbers, the sounds; freed with its cell."""
    image, line = _picture(explorer), widgets.HTML()
    line.add_class("qc-line")
    inputs = [_input(c) for c in explorer.controls]
    sounds = [("quantized", b""), ("original", explorer.original)] if explorer.original else []
    players = [widgets.Audio(value=wav, autoplay=False, loop=False) for _, wav in sounds]
    ahead = explorer.ahead = Ahead(explorer)

    keeper = Keeper(explorer) if explorer.compare else None

    def show(change=None) -> None:
        with DRAWING:  # whoever comes last reads the newest values, and shows them last
            state = tuple(i.value for i in inputs)
            show_state(state)
        if change is not None:
            ahead.start(state)

    def show_state(state: tuple) -> None:
        try:
            frame = explorer.live_frame(*state)
            image.value = frame.jpeg
            line.value = _said(html.escape(frame.line), explorer.alt(state, frame.line))
            if keeper:
                keeper.current = state, frame
            for player in players[:1]:
                player.value = frame.sound
            image.layout.visibility = "visible"
        except Exception as error:  # shown in place, in the figure's own box
            explorer.errors.append(error)
            if keeper:
                keeper.current = None
            image.layout.visibility = "hidden"
            message = html.escape(f"{type(error).__name__}: {error}")
            line.value = f'<span role="alert">{label("error")}: <code>{message}</code></span>'

    for i in inputs:
        i.observe(show, "value")
    show()
    buttons, above = (keeper.buttons, [keeper.box]) if keeper else ([], [])
    row = widgets.Layout(flex_flow="row wrap", grid_gap="0 14px")
    box = widgets.HBox([*inputs, *buttons], layout=row)
    style = widgets.HTML(STYLE.substitute(gone=json.dumps(label("gone"), ensure_ascii=False)))
    heard = [_named(label(name), player) for (name, _), player in zip(sounds, players, strict=True)]
    figure = widgets.VBox([box, *above, image, line, *heard, style])
    figure.add_class("qc-live")
    cells.shown(explorer, figure)
    return figure


class Keeper:
    """A picture that is kept as A above the current one, with its settings and its numbers."""

    def __init__(self, explorer: Explorer) -> None:
        self.explorer = explorer
        self.current: tuple[tuple, LiveFrame] | None = None  # what the figure shows
        self.line = widgets.HTML()
        self.line.add_class("qc-line")
        self.box = widgets.VBox([self.line])
        self.box.add_class("qc-a")
        self.buttons = [_button(name) for name in ("keep", "drop")]
        for button, press in zip(self.buttons, (self.keep, self.drop), strict=True):
            button.on_click(press)
        self.buttons[1].layout.visibility = "hidden"  # its place is kept

    def keep(self, _=None) -> None:
        """Show the current picture as A, in the place of the last one; nothing is drawn."""
        if self.current is None:  # an error
            return
        state, frame = self.current
        words = f"{chosen(self.explorer.named(state))}   {frame.line}"
        alt = kept(self.explorer.alt(state, frame.line))
        self.line.value = _said(f"<b>A</b>  {html.escape(words)}", alt)
        if len(self.box.children) == 1:
            parts: list[widgets.Widget] = [_picture(self.explorer)]
            if frame.sound:
                parts.append(_named("A", widgets.Audio(autoplay=False, loop=False)))
            self.box.children = [self.line, *parts]
        self.box.children[1].value = frame.jpeg
        if frame.sound:
            self.box.children[2].children[1].value = frame.sound
        self.buttons[1].layout.visibility = "visible"

    def drop(self, _=None) -> None:
        """Take A away."""
        parts, self.box.children = self.box.children[1:], [self.line]
        for part in parts:
            cells.close(part)
        self.line.value = ""
        self.buttons[1].layout.visibility = "hidden"


def _picture(explorer: Explorer) -> widgets.Image:
    """An empty image, wider than it is drawn where there is room: to be read in the last row."""
    widest = round(1.25 * explorer.size[0])
    layout = widgets.Layout(width="100%", max_width=f"{widest}px", height="auto")
    return widgets.Image(format="jpeg", layout=layout)


def _said(markup: str, alt: str) -> str:
    """A line of words and numbers, and hidden in it the alt text of its picture."""
    return (
        f'<code style="white-space:pre-wrap">{markup}</code>'
        f'<span class="qc-alt" hidden>{html.escape(alt)}</span>'
    )


def _named(name: str, player: widgets.Audio) -> widgets.HBox:
    words = widgets.Label(name, layout=widgets.Layout(flex="0 0 auto"))  # whole, on a phone too
    row = widgets.HBox([words, player])
    row.add_class("qc-sound")
    return row


def _button(name: str) -> widgets.Button:
    return widgets.Button(description=label(name), layout=widgets.Layout(width="auto"))


def _input(c: Control) -> widgets.Widget:
    if c.kind == "checkbox":
        return widgets.Checkbox(
            c.start, description=label(c.name), indent=False, layout=widgets.Layout(width="auto")
        )
    more = {"description": label(c.name), "style": {"description_width": "initial"}}
    if c.kind == "select":
        more["layout"] = widgets.Layout(width="auto")
        return widgets.Dropdown(options=[(option(v), v) for v in c.values], value=c.start, **more)
    if c.values == tuple(range(int(c.values[0]), int(c.values[-1]) + 1)):
        return widgets.IntSlider(c.start, min=c.values[0], max=c.values[-1], **more)
    return widgets.SelectionSlider(options=[(str(v), v) for v in c.values], value=c.start, **more)


class Ahead:
    """Draws the neighbours of a state while the kernel is idle; a new request comes first."""

    def __init__(self, explorer: Explorer) -> None:
        self.explorer = explorer
        self.task: asyncio.Task | None = None

    def start(self, state: tuple) -> None:
        """Begin with the neighbours of this state, and leave those of the last one."""
        if self.task is not None and not self.task.done():
            # Its loop may be another thread's.
            self.task.get_loop().call_soon_threadsafe(self.task.cancel)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no kernel, no idle time
            return
        self.task = loop.create_task(self._draw(self.explorer.neighbours(*state)))

    async def _draw(self, states: list[tuple]) -> None:
        for state in states:
            await asyncio.sleep(0.03)  # lets a message that is waiting go first
            with suppress(Exception):  # it will be shown when somebody goes there
                self.explorer.live_frame(*state)
