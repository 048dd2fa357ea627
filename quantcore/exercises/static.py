"""A prediction as plain HTML: native inputs, all that can be said inside, no request."""

from __future__ import annotations

import html
from string import Template
from typing import TYPE_CHECKING

from .. import words
from ..page import embedded
from .answers import SLACK

if TYPE_CHECKING:
    from .prediction import Prediction

PAGE = Template("""<form class="qc-prediction" autocomplete="off">
<style>
.qc-prediction{margin:1em 0;padding:.6em .8em;border:1px solid;border-radius:8px;
font-family:system-ui,sans-serif}
.qc-prediction fieldset{display:flex;flex-wrap:wrap;gap:.3em 1.2em;margin:0;padding:0;border:0}
.qc-prediction legend{padding:0;margin-bottom:.3em}
.qc-prediction label{display:inline-flex;gap:.5em;align-items:center;min-height:2.2em}
.qc-prediction :is(input,select,button){font:inherit;max-width:100%}
.qc-prediction input:not([type=radio]){width:9em;padding:.15em .4em}
.qc-prediction button{min-height:2.2em;padding:.1em .8em;border:1px solid;border-radius:6px;
color:inherit;background:none;cursor:pointer}
.qc-prediction .qc-said{margin:.4em 0 0;min-height:1.5em}
.qc-prediction .qc-said:empty{margin:0;min-height:0}
@media print{.qc-prediction button{display:none}}
</style>
$inputs
<p class="qc-said" role="status" aria-live="polite"></p>
<script type="application/json" data-answers>$about</script>
<script>$script</script>
</form>""")

SCRIPT = r"""(function () {
  const form = document.currentScript.parentElement;
  const about = JSON.parse(form.querySelector('script[data-answers]').textContent);
  const said = form.querySelector('.qc-said');
  const plain = text =>
    text.normalize('NFKC').replace(/\s/g, '').replace(/[\u2212\u2013]/g, '-');
  function read(text) {
    const typed = plain(text), unit = plain(about.unit);
    const number = unit && typed.endsWith(unit) ? typed.slice(0, -unit.length) : typed;
    const found =
      /^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)(?:\/([0-9]+))?$/i.exec(number);
    return found && !(found[2] && !+found[2]) ? +found[1] / +(found[2] || 1) : null;
  }
  function judge() {
    const values = [...form.querySelectorAll('select, input:checked, input:not([type=radio])')]
      .map(input => input.value);
    if (about.kind === 'number') {
      const value = read(values[0]);
      if (value === null) return 'unread';
      for (const [name, known] of about.answers) {
        if (Math.abs(value - known) <= about.tolerance) return name;
      }
      return value < about.answers[0][1] ? 'low' : 'high';
    }
    if (about.kind === 'choice' && !values.length) return 'unchosen';
    if (about.kind === 'order' && (values.includes('') || new Set(values).size < values.length))
      return 'unchosen';
    const given = JSON.stringify(about.kind === 'order' ? values : values[0]);
    const found = about.answers.find(([, known]) => JSON.stringify(known) === given);
    return found ? found[0] : 'other';
  }
  form.addEventListener('submit', function (event) {
    event.preventDefault();
    const name = judge();
    said.textContent = about.feedback[name];
    form.dataset.answer = name;
  });
})();"""


def static_html(asked: Prediction) -> str:
    """The inputs, the button, and a place for what is said to the answer."""
    answers = asked.answers
    about = {
        "kind": answers.kind,
        "answers": list(answers.named.items()),
        "tolerance": answers.tolerance + SLACK,
        "unit": asked.unit,
        "feedback": asked.feedback(),
    }
    button = f'<button type="submit">{html.escape(words.entry("asking", "answer"))}</button>'
    make = {"number": _number, "choice": _choice, "order": _order}[answers.kind]
    return PAGE.substitute(
        inputs=make(asked, html.escape(asked.label), button),
        about=embedded(about),
        script=SCRIPT,
    )


def _number(asked: Prediction, label: str, button: str) -> str:
    unit = f"<span>{html.escape(asked.unit)}</span>" if asked.unit else ""
    return (
        f'<fieldset><label>{label}<input name="answer" type="text" inputmode="text">{unit}</label>'
        f"{button}</fieldset>"
    )


def _choice(asked: Prediction, label: str, button: str) -> str:
    options = "".join(
        f'<label><input type="radio" name="answer" value="{html.escape(key)}">'
        f"{html.escape(text)}</label>"
        for key, text in asked.options
    )
    return f"<fieldset><legend>{label}</legend>{options}{button}</fieldset>"


def _order(asked: Prediction, label: str, button: str) -> str:
    options = '<option value=""></option>' + "".join(
        f'<option value="{html.escape(key)}">{html.escape(text)}</option>'
        for key, text in asked.options
    )
    selects = "".join(
        f"<label>{html.escape(words.entry('asking', 'place').format(n=n))}"
        f'<select name="answer-{n}">{options}</select></label>'
        for n in range(1, len(asked.options) + 1)
    )
    return f"<fieldset><legend>{label}</legend>{selects}{button}</fieldset>"
