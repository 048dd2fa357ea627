"""A prediction on the page: what it asks, what it says to an answer, and its three lives.

It is shown as widgets in JupyterLab, as native inputs where QUANTCORE_STATIC=1 is set (no kernel,
no request), and as one line of text on a code host.

jupyterquiz 2.9 was tried first: without a kernel or a network it works, but it says "Type numeric
answer here" and "Correct!" in English only, gives its inputs random ids (a saved notebook would
change with each run), has no live region and no name for its inputs, reads no "−64" with a real
minus sign, takes no order, and one question is 42 kB of script.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial, reduce

from .. import words
from . import keeping
from .answers import Answers
from .static import static_html

say = partial(words.entry, "asking")
WIDGET = "application/vnd.jupyter.widget-view+json"


def joined(*sentences: str) -> str:
    """Sentences in a row, as the language sets them."""
    return reduce(lambda a, b: say("joined").format(first=a, then=b), filter(None, sentences))


class Prediction:
    """One question about what the next cell will show. Display it, or ask `said(answer)`.

    name     the key of its words
    answers  what is right, and what the misconceptions answer
    """

    def __init__(self, name: str, answers: Answers) -> None:
        self.name, self.answers = name, answers
        self.words = words.entry("predictions", name)
        self.label, self.unit = self.words["label"], self.words.get("unit", "")

    @property
    def options(self) -> list[tuple[str, str]]:
        """What can be chosen or put in order: (key, text)."""
        return [(o, self.words.get("options", {}).get(o, o)) for o in self.answers.options]

    def judge(self, given: str | Sequence[str] | None) -> str:
        """The name of the answer that was given; a number may end with its unit."""
        return self.answers.judge(given, self.unit)

    def feedback(self) -> dict[str, str]:
        """What is said to each answer, by the answer's name."""
        static = os.environ.get("QUANTCORE_STATIC") == "1"
        then = say("next-static") if static else say("next")
        again = say("again-static") if static else say("again")
        said = {"right": joined(self.words["right"], then)}
        said |= {name: joined(self.words[name], again) for name in self.answers.wrong}
        hint = self.words.get("otherwise", "")
        if self.answers.kind == "number":
            exact = not self.answers.tolerance
            within = "" if exact else say("within").format(tolerance=self.tolerance)
            said |= {side: joined(within, say(side), hint, again) for side in ("low", "high")}
            return said | {"unread": say("unread")}
        said["other"] = joined(say("other"), hint, again)
        each = say("one-of") if self.answers.kind == "choice" else say("each-once")
        return said | {"unchosen": each}

    @property
    def tolerance(self) -> str:
        """How far off an answer may be, with its unit."""
        return f"±{self.answers.tolerance:g} {self.unit}".strip()

    def said(self, given: str | Sequence[str] | None) -> str:
        """Judge an answer, note that it was given, and say what is to be said."""
        name = self.judge(given)
        if name not in ("unread", "unchosen"):
            keeping.note("predictions", self.name, name == "right")
        return self.feedback()[name]

    def bundle(self) -> dict[str, object]:
        """What the cell shows, by its kinds."""
        unanswered = say("unanswered").format(label=self.label)
        if os.environ.get("QUANTCORE_STATIC") == "1":
            return {"text/html": static_html(self), "text/plain": unanswered}
        view = self.widget()._repr_mimebundle_()
        return {WIDGET: view[WIDGET], "text/plain": unanswered}

    def widget(self):
        """The inputs of the live page."""
        from . import live

        return live.view(self)

    def free(self) -> None:
        """Called when the cell is run again, or deleted; there is nothing to let go of."""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.bundle(), raw=True)
