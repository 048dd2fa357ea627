"""What a prediction asks for, which answer is right, and what each misconception answers.

Three kinds: a number, a choice among options, an order of a few things. Values are computed by
the chapter's function; the words (:mod:`quantcore.words`, table `predictions`) are found by the
misconceptions' names. :func:`read_number` and :meth:`Answers.judge` have a twin in static.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)(?:/([0-9]+))?", re.I)
# What is said of an answer that is neither right nor a known misconception.
OTHERWISE = ("low", "high", "other", "unread", "unchosen")
SLACK = 1e-9  # so that a tolerance of 0.05 takes 0.05, whatever floats make of it


@dataclass(frozen=True)
class Answers:
    """The right answer, and the answers that misconceptions give, each by its name.

    kind       "number", "choice" (of a text, or of the key of one) or "order" (keys of items)
    tolerance  how far from a number an answer may lie to be taken for it

    Raises ValueError where two answers could not be told apart.
    """

    kind: str
    right: object
    wrong: dict[str, object]
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if clash := set(self.wrong) & {"right", "label", "unit", *OTHERWISE}:
            raise ValueError(f"wrong: {sorted(clash)} cannot be names of misconceptions")
        for one, other in combinations(self.named, 2):
            if self._alike(self.named[one], self.named[other], 2 * self.tolerance):
                raise ValueError(f"wrong: {one} and {other} give the same answer")

    @property
    def named(self) -> dict[str, object]:
        """Every known answer by its name, the right one first."""
        return {"right": self.right, **self.wrong}

    @property
    def options(self) -> list[str]:
        """What can be chosen, or put in order; the right one has no place of its own."""
        if self.kind == "order":
            return sorted(self.right)  # type: ignore[call-overload]
        return sorted(map(str, self.named.values())) if self.kind == "choice" else []

    def judge(self, given: str | Sequence[str] | None, unit: str = "") -> str:
        """The name of the answer that was given: "right", a misconception, or one of OTHERWISE.

        given: what was typed, the option that was chosen, or the items in their order.
        unit: what a number may end with.
        """
        answer: object = given
        if self.kind == "number":
            answer = read_number(str(given), unit)
            if answer is None:
                return "unread"
        elif self.kind == "order":
            answer = tuple(given or ())
            if sorted(answer) != self.options:
                return "unchosen"
        elif given not in self.options:
            return "unchosen"
        for name, value in self.named.items():
            if self._alike(answer, value, self.tolerance):
                return name
        if self.kind == "number":
            return "low" if answer < self.right else "high"  # type: ignore[operator]
        return "other"

    def _alike(self, one: object, other: object, tolerance: float) -> bool:
        if self.kind == "number":
            return abs(one - other) <= tolerance + SLACK  # type: ignore[operator]
        return one == other


def number(right: float, tolerance: float = 0.0, **wrong: float) -> Answers:
    """A number: the right one, how far off an answer may be, and what misconceptions give.

    >>> number(-64, added=64).judge("+64")
    'added'
    """
    values: dict[str, object] = {name: float(value) for name, value in wrong.items()}
    return Answers("number", float(right), values, float(tolerance))


def choice(right: str, **wrong: str) -> Answers:
    """One of several options: a text, or a key of the prediction's words.

    >>> choice("E1 87", high_first="1E 78").judge("E1 87")
    'right'
    """
    return Answers("choice", right, dict(wrong))


def order(*right: str, **wrong: Sequence[str]) -> Answers:
    """Three or four items in their order: keys of the prediction's words.

    >>> order("a", "b", "c", backwards="cba").judge(["c", "b", "a"])
    'backwards'
    """
    return Answers("order", right, {name: tuple(items) for name, items in wrong.items()})


def read_number(text: str, unit: str = "") -> float | None:
    """The number that was typed: 3, −0.5, 1e-3, 1/12, full width or not; None where it is none.

    >>> read_number("−１/8")
    -0.125
    """
    plain, end = (plain_text(t) for t in (text, unit))
    found = NUMBER.fullmatch(plain.removesuffix(end))
    if not found or (found[2] and not int(found[2])):
        return None
    return float(found[1]) / int(found[2] or 1)


def plain_text(text: str) -> str:
    """Without spaces, with one kind of digits and one kind of minus."""
    plain = unicodedata.normalize("NFKC", text)
    return re.sub(r"\s", "", plain).replace("\u2212", "-").replace("\u2013", "-")
