"""A prediction with a kernel: ipywidgets, answered by the button, and by Enter."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import ipywidgets as widgets

from .. import words
from ..explore import cells

if TYPE_CHECKING:
    from .prediction import Prediction

WIDE = {"style": {"description_width": "initial"}, "layout": {"width": "auto"}}


def view(asked: Prediction) -> widgets.VBox:
    """The inputs, the button and a line for what is said; freed with its cell."""
    button = widgets.Button(description=words.entry("asking", "answer"), layout={"width": "auto"})
    said = widgets.HTML()
    said.add_class("qc-line")  # which the page's script makes a live region
    kind = asked.answers.kind
    answers = inputs(asked, asked.label)

    def answer(*_) -> None:
        given = [i.value for i in answers]
        text = asked.said(given if kind == "order" else given[0])
        said.value = f'<span style="white-space:normal">{html.escape(text)}</span>'

    button.on_click(answer)
    for i in answers:
        # A text field tells of Enter in a message of its own.
        i.on_msg(lambda _, content, __: answer() if content.get("event") == "submit" else None)
    unit = [widgets.Label(asked.unit)] if asked.unit else []
    row = widgets.HBox([*answers, *unit, button], layout={"flex_flow": "row wrap"})
    # A number's name stands beside it; several inputs have it above them.
    above = widgets.Label(asked.label)
    above.add_class("qc-asked")
    if kind == "number":
        above.layout.display = "none"
    box = widgets.VBox([above, row, said])
    box.add_class("qc-live")
    box.add_class("qc-prediction")
    cells.shown(asked, box)
    return box


def inputs(asked: Prediction, name: str) -> list[widgets.Widget]:
    """What an answer is given with: one input, or one for each place; `name` is a number's."""
    if asked.answers.kind == "number":
        return [widgets.Text(description=name, **WIDE)]
    options = [(text, key) for key, text in asked.options]
    if asked.answers.kind == "choice":
        return [widgets.RadioButtons(options=options, value=None, **WIDE)]
    options = [("", ""), *options]
    places = range(1, len(asked.options) + 1)
    names = [words.entry("asking", "place").format(n=n) for n in places]
    return [widgets.Dropdown(options=options, value="", description=n, **WIDE) for n in names]
