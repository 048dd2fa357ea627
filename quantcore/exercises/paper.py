"""An examination on the page: widgets with a kernel, native inputs without one."""

from __future__ import annotations

import html
from copy import copy
from string import Template
from typing import TYPE_CHECKING

import ipywidgets as widgets

from .. import words
from ..explore import cells
from ..page import embedded
from . import live, static
from .exam import Exam, exam_say, report
from .prediction import joined

if TYPE_CHECKING:
    from .exam import Question

WRAPPED = '<span style="white-space:normal">{}</span>'


# ---- with a kernel --------------------------------------------------------------------------


def view(paper: Exam) -> widgets.VBox:
    """All questions, one button that hands them in, one that draws the next attempt."""
    title, asked, score = widgets.HTML(), widgets.VBox(), widgets.HTML()
    score.add_class("qc-line")
    hand_in, another = (
        widgets.Button(description=exam_say(key), layout={"width": "auto"})
        for key in ("hand-in", "another")
    )
    rows: list[tuple[Question, widgets.Widget, widgets.HTML]] = []

    def draw() -> None:
        old = asked.children
        rows[:] = [_row(question) for question in paper.questions]
        numbered = enumerate(rows, start=1)
        asked.children = [_box(n, *row) for n, row in numbered]
        title.value = html.escape(exam_say("attempt").format(attempt=paper.attempt))
        score.value = ""
        for box in old:
            cells.close(box)

    def judge(_) -> None:
        given = [answer.value for _, answer, _ in rows]
        for question, answer, line in rows:
            line.value = WRAPPED.format(html.escape(question.said(answer.value)))
        count = len(rows)
        said = report(paper.score(given), count, paper.again(given))
        score.value = WRAPPED.format(said)

    def next_attempt(_) -> None:
        paper.draw(paper.attempt + 1)
        draw()

    hand_in.on_click(judge)
    another.on_click(next_attempt)
    draw()
    end = widgets.VBox([widgets.HBox([hand_in, another]), score])
    end.add_class("qc-live")
    box = widgets.VBox([title, asked, end])
    box.add_class("qc-exam")
    cells.shown(paper, box)
    return box


def _row(question: Question) -> tuple[Question, widgets.Widget, widgets.HTML]:
    [answer] = live.inputs(question, exam_say("answer"))
    line = widgets.HTML()
    line.add_class("qc-line")
    return question, answer, line


def _box(n: int, question: Question, answer: widgets.Widget, line: widgets.HTML) -> widgets.VBox:
    above = widgets.HTML(WRAPPED.format(html.escape(f"{n}. {question.label}")))
    above.add_class("qc-asked")
    unit = [widgets.Label(question.unit)] if question.unit else []
    box = widgets.VBox([above, widgets.HBox([answer, *unit]), line])
    box.add_class("qc-live")
    return box


# ---- without ---------------------------------------------------------------------------------

PAGE = Template("""<section class="qc-exam" aria-label="$title">
<style>
.qc-exam .qc-prediction button{display:none}
.qc-exam legend,.qc-exam .qc-prediction label:has(input:not([type=radio])){max-width:100%}
.qc-exam .qc-prediction label:has(input:not([type=radio])){display:block}
.qc-exam>button{font:inherit;min-height:2.4em;padding:.1em 1em;border:1px solid;border-radius:6px;
color:inherit;background:none;cursor:pointer}
@media print{.qc-exam>button{display:none}}
</style>
<p>$title</p>
$forms
<button type="button">$hand_in</button>
<p class="qc-score" role="status" aria-live="polite"></p>
<script type="application/json" data-exam>$about</script>
<script>$script</script>
</section>""")

SCRIPT = r"""(function () {
  const exam = document.currentScript.parentElement;
  const about = JSON.parse(exam.querySelector('script[data-exam]').textContent);
  const forms = [...exam.querySelectorAll('form')];
  const score = exam.querySelector('.qc-score');
  let handing = false;
  // Enter in a field hands nothing in.
  exam.addEventListener('submit', function (event) {
    if (handing) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  exam.querySelector(':scope > button').addEventListener('click', function () {
    handing = true;
    for (const form of forms) form.requestSubmit();
    handing = false;
    const right = forms.filter(form => form.dataset.answer === 'right').length;
    const missed = new Set(about.chapters.filter((_, i) => forms[i].dataset.answer !== 'right'));
    const put = (text, values) => text.split(/(\{\w+\})/).forEach(function (part) {
      const value = values[part.slice(1, -1)];
      score.append(...(part.startsWith('{') ? [value].flat() : [part]));
    });
    score.textContent = '';
    put(about.score, {score: right, count: forms.length});
    score.append(about.space);
    const links = [...missed].sort().flatMap(function (chapter, i) {
      const link = document.createElement('a');
      link.href = chapter + '.html';
      link.textContent = about.names[chapter];
      return i ? [about.comma, link] : [link];
    });
    if (links.length) put(about.again, {chapters: links});
    else score.append(about.all);
    exam.dataset.score = right;
  });
})();"""


def static_html(paper: Exam) -> str:
    """The questions as predictions show them, with one button for all, and the score."""
    about: dict[str, object] = {key: exam_say(key) for key in ("score", "again", "all", "comma")}
    names = words.entry("exam", "chapters")
    chapters = [question.chapter for question in paper.questions]
    about |= {"names": names, "chapters": chapters, "space": joined("a", "b")[1:-1]}
    forms = []
    for n, question in enumerate(paper.questions, start=1):
        numbered = copy(question)
        numbered.label = f"{n}. {question.label}"
        forms.append(static.static_html(numbered))
    return PAGE.substitute(
        title=html.escape(exam_say("attempt").format(attempt=paper.attempt)),
        forms="\n".join(forms),
        hand_in=html.escape(exam_say("hand-in")),
        about=embedded(about),
        script=SCRIPT,
    )
