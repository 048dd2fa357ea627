"""A page, live or static, and what is asked on it.

A page is live (JupyterLab, with a kernel), or static where QUANTCORE_STATIC=1 is set: then it has
no kernel and makes no request. Nothing large is loaded here: a check of an exercise asks, too.
"""

from __future__ import annotations

import json
import os

WIDGET = "application/vnd.jupyter.widget-view+json"


def is_static() -> bool:
    """Whether what is shown now goes on a static page."""
    return os.environ.get("QUANTCORE_STATIC") == "1"


def embedded(value: object) -> str:
    r"""JSON that may stand in a <script> of a page: no text in it can end the script.

    >>> embedded({"hint": "</script>"})
    '{"hint": "\\u003c/script>"}'
    """
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


class Asked:
    """What a cell asks and a student answers: widgets live, native inputs on a static page.

    A code host shows neither; there its line of text stands.
    """

    @property
    def unanswered(self) -> str:
        """The line of text where nothing can be answered."""
        raise NotImplementedError

    def widget(self):
        """The inputs of the live page."""
        raise NotImplementedError

    def static_html(self) -> str:
        """The inputs of a static page."""
        raise NotImplementedError

    def bundle(self) -> dict[str, object]:
        """What the cell shows, by its kinds."""
        if is_static():
            return {"text/html": self.static_html(), "text/plain": self.unanswered}
        view = self.widget()._repr_mimebundle_()
        return {WIDGET: view[WIDGET], "text/plain": self.unanswered}

    def free(self) -> None:
        """Called when the cell is run again, or deleted; there is nothing to let go of."""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.bundle(), raw=True)
