"""What a check says, in the edition's language: as HTML on the page, as text for whoever compares.

In text the hints do not stand: they are folded, one step after the other, in the HTML.
"""

from __future__ import annotations

import html
import re
from functools import partial

import torch
from torch import Tensor

from .. import words
from ..page import is_static
from .kinds import SECONDS, Finding
from .running import Failed

say = partial(words.entry, "verdicts")
COLOURS = {"passed": "#009e73", "untouched": "#767676", "wrong": "#d55e00", "slow": "#d55e00"}


class Verdict:
    """The result of a check; its last line in a cell shows it.

    status         "passed", "untouched", "wrong" or "slow"
    misconception  the name of the one that was recognised, or None
    """

    def __init__(self, name: str, finding: Finding) -> None:
        self.name, self.finding = name, finding
        self.status, self.misconception = finding.status, finding.misconception
        self._words = words.entry("exercises", name)

    @property
    def head(self) -> str:
        """The first line."""
        if self.status == "untouched":
            return say("untouched-static" if is_static() else "untouched")
        return say(self.status).format(count=self.finding.count, seconds=f"{SECONDS:g}")

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What shows it: (what it is, its value) for each line."""
        found, lines = self.finding, []
        if found.example:
            inside = ", ".join(f"{k}={written(v)}" for k, v in found.example.items())
            lines.append((say(found.shown), inside))
        if found.expected is not None:
            lines.append((say("expected"), written(found.expected)))
        if isinstance(found.got, Failed):
            lines.append((say("raised"), f"{found.got.kind}: {found.got.message}"))
            if found.got.line:
                lines.append((say("line").format(number=found.got.number), found.got.line))
        elif self.status == "wrong" or found.got is not None:
            lines.append((say("got"), written(found.got)))
        if found.printed.strip():
            lines.append((say("printed"), found.printed.strip()))
        return lines

    @property
    def hint(self) -> str:
        """What is said to the misconception that was recognised, or nothing."""
        return self._words[self.misconception] if self.misconception else ""

    def __repr__(self) -> str:
        colon = say("colon")
        lines = [f"  {what}{colon}{value}" for what, value in self.lines]
        return "\n".join([self.head, *lines, *([self.hint] if self.hint else [])])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<div>{html.escape(what)}{say('colon')}"
            f'<code style="white-space:pre-wrap">{html.escape(value)}</code></div>'
            for what, value in self.lines
        )
        hint = f"<p style='margin:.4em 0 0'>{marked(self.hint)}</p>" if self.hint else ""
        steps = "" if self.status == "passed" else _folded(self._words["steps"])
        return (
            f'<div class="qc-check" style="border-left:4px solid {COLOURS[self.status]};'
            f'padding:.2em .8em"><strong>{html.escape(self.head)}</strong>{rows}{hint}{steps}</div>'
        )


def _folded(steps: list[str]) -> str:
    """Hints in steps, each inside the one before."""
    inner = ""
    for number, step in reversed(list(enumerate(steps, 1))):
        summary = html.escape(say("step").format(number=number))
        inner = f"<details><summary>{summary}</summary>{marked(step)}{inner}</details>"
    return inner


def marked(text: str) -> str:
    """Text as HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def written(value: object) -> str:
    """A value as it would be typed, short."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {written(v)}" for key, v in value.items())
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple | list):
        inside = ", ".join(written(v) for v in value)
        return f"({inside})" if isinstance(value, tuple) else f"[{inside}]"
    if isinstance(value, Tensor):
        if value.numel() > 12:
            return f"tensor(shape={tuple(value.shape)}, dtype={value.dtype})"
        text = str(value.detach().tolist() if value.dtype != torch.float32 else _short(value))
        kind = "" if value.dtype == torch.float32 else f", dtype={value.dtype}"
        return f"tensor({text}{kind})"
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else f"{text[:199]}…"


def _short(values: Tensor) -> object:
    """Nested lists of a float32 tensor's values, to six digits."""
    if values.dim():
        return [_short(v) for v in values.detach()]
    return float(f"{values.item():.6g}")
