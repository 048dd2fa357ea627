"""The examination of the last chapter: formulas to choose, numbers to work out, then the score.

>>> from quantcore import exercises
>>> paper = exercises.exam()
>>> paper.score([question.answers.right for question in paper.questions])
24

An attempt is drawn from its number: the same for everyone, and another one for each attempt.
Like a prediction it is shown as widgets, as native inputs (QUANTCORE_STATIC=1), or as a line.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from math import ceil, log10
from random import Random

from .. import words
from ..page import Asked
from .answers import Answers, choice, number
from .prediction import Prediction, joined, say

# How many formulas of each group an attempt has; the chapter that derives a group, or one code.
GROUPS = {"N": 4, "S": 2, "P": 2, "Q": 1, "I": 1, "V": 1, "T": 1}
DERIVED = {
    "N": "01_information_theory", "S": "02_schemes", "P": "03_params", "Q": "04_quantizer",
    "I": "04b_integer", "V": "05_visualization", "T": "05b_network",
    "N13": "01b_rate_distortion", "N14": "01b_rate_distortion", "N15": "01b_rate_distortion",
}  # fmt: skip
# The codes of the summary's table: the formula, and what is often taken for it.
FOUR = "Σq₁q₂ − z₂Σq₁ − z₁Σq₂"
TOP = "10·log₁₀(12·(2^(b−1) − 1)²)"
FORMULAS = {
    "N2": ("Δ²/12", "Δ²/3", "Δ²/4", "Δ/12"),
    "N4": ("10·log₁₀(E[x²]/σ²)", "20·log₁₀(E[x²]/σ²)", "10·log₁₀(σ²/E[x²])", "10·log₁₀(E|x|/σ)"),
    "N5": ("6.02·b + 4.77 − 20·log₁₀Γ", "6.02·b + 1.76 − 20·log₁₀Γ",
           "6.02·b + 4.77 − 10·log₁₀Γ", "6.02·b + 4.77 + 20·log₁₀Γ"),
    "N7": ("6.02·b + 1.76", "6.02·b", "6.02·b + 4.77", "3.01·b + 1.76"),
    "N13": ("−Σ p·log₂p", "−Σ log₂p", "Σ p·log₂p", "−Σ p·ln p"),
    "N14": ("h − log₂Δ", "h + log₂Δ", "h − Δ", "log₂Δ − h"),
    "N15": ("σ²·2^(−2R)", "σ²·2^(−R)", "σ·2^(−2R)", "σ²·2^(2R)"),
    "N17": ("2·Δ²/12", "Δ²/12", "Δ²/3", "Δ²/4"),
    "N18": ("√((Nμ)² + Nσ²)", "√(Nμ² + Nσ²)", "√((Nμ)² + (Nσ)²)", "Nμ + Nσ"),
    "S1": ("−2^(b−1) … 2^(b−1) − 1", "1 − 2^(b−1) … 2^(b−1) − 1", "−2^b … 2^b − 1",
           "−2^(b−1) … 2^(b−1)"),
    "S2": ("0 … 2^b − 1", "0 … 2^b", "0 … 2^(b−1) − 1", "1 … 2^b"),
    "S3": ("(q₀ mod 16) + 16·(q₁ mod 16)", "16·(q₀ mod 16) + (q₁ mod 16)", "q₀ + 16·q₁",
           "(q₀ mod 8) + 8·(q₁ mod 8)"),
    "S4": ("2^(1 − bias)·T/2^w", "2^(−bias)·T/2^w", "2^(1 − bias)·(1 + T/2^w)",
           "2^(−bias)·(1 + T/2^w)"),
    "P2": ("(x_max − x_min)/(q_max − q_min)", "(x_max − x_min)/2^b", "x_max/(q_max − q_min)",
           "(q_max − q_min)/(x_max − x_min)"),
    "P3": ("clamp(rint(q_min − x_min/s))", "clamp(rint(q_min + x_min/s))",
           "clamp(rint(x_min/s − q_min))", "q_min − x_min/s"),
    "P4": ("max|x|/(2^(b−1) − 1)", "max|x|/2^(b−1)", "x_max/(2^(b−1) − 1)", "max|x|/(2^b − 1)"),
    "P7": ("x_max/(2^b − 1)", "x_max/2^b", "x_max/(2^(b−1) − 1)", "x_max/2^(b−1)"),
    "P8": ("b + 32/g", "b + 32·g", "b + 32", "b + g/32"),
    "P12": ("1/(n + 1)", "1/n", "0", "1/2ⁿ"),
    "Q1": ("clamp(rint(x/s) + z)", "clamp(rint(x/s + z))", "rint(x/s) + z",
           "clamp(rint(x·s) + z)"),
    "Q2": ("s·(q − z)", "s·(q + z)", "s·q − z", "(q − z)/s"),
    "Q3": ("s/2", "s", "s/12", "s²/12"),
    "I1": (f"{FOUR} + K·z₁z₂", f"{FOUR} − K·z₁z₂", f"{FOUR} + z₁z₂",
           "Σq₁q₂ − z₁Σq₁ − z₂Σq₂ + K·z₁z₂"),
    "I2": ("s₁s₂/s₃", "s₃/(s₁s₂)", "s₁/(s₂s₃)", "s₁s₂s₃"),
    "I4": ("⌊(2^(B−1) − 1)/(a₁a₂)⌋", "⌊2^B/(a₁a₂)⌋", "⌊(2^(B−1) − 1)/(a₁ + a₂)⌋",
           "⌊(2^(B−1) − 1)/a₁⌋"),
    "I5": ("2^(−(n + 1))", "2^(−n)", "1/2", "1/n"),
    "V1": ("1", "1/2", "2", "1/√(2π)"),
    "V2": ("s²/12", "N·s²/12", "s²/(12·N)", "0"),
    "V3": (f"{TOP} − 20·log₁₀(max|x|/rms)", f"{TOP} − 10·log₁₀(max|x|/rms)",
           f"{TOP} + 20·log₁₀(max|x|/rms)", "6.02·b + 1.76 − 20·log₁₀(max|x|/rms)"),
    "T1": ("(γ/σ)·w", "(σ/γ)·w", "γ·σ·w", "w/σ"),
    "T2": ("Σ Dₖ", "(Σ √Dₖ)²", "max Dₖ", "(Σ Dₖ)/K"),
    "T3": ("20·log₁₀(max|w|/max|wⱼ|)", "10·log₁₀(max|w|/max|wⱼ|)", "20·log₁₀(max|wⱼ|/max|w|)",
           "0"),
}  # fmt: skip

Drawn = tuple[Answers, dict[str, object]]  # and the fields of the question's sentence


def range_without_0(r: Random) -> Drawn:
    """1: the scale of data in a range without 0."""
    lo, width = r.randint(2, 5), r.randint(1, 2)
    hi = lo + width
    right = number(hi / 15, 0.002, range_alone=width / 15, counted_16=hi / 16)
    return right, {"lo": lo, "hi": hi}


def symmetric_scale(r: Random) -> Drawn:
    """2: the divisor of a symmetric scale."""
    bits, most = r.randint(3, 5), r.choice([0.7, 1.5, 2.1, 3, 6])
    half = 2 ** (bits - 1)
    wrong = {"full_range": most / half, "unsigned": most / (2 * half - 1)}
    return number(most / (half - 1), 0.005 * most / half, **wrong), {"bits": bits, "most": most}


def zero_point_sign(r: Random) -> Drawn:
    """3: what a code stands for."""
    s, z, q = r.choice([0.1, 0.25, 0.5, 2]), r.choice([-9, -5, 4, 7, 12]), r.randint(20, 90)
    right = number(s * (q - z), 0.001, added=s * (q + z), left_out=s * q, unscaled=s * q - z)
    return right, {"s": s, "z": z, "q": q}


def truncated_noise(r: Random) -> Drawn:
    """4: the noise power of truncation."""
    s = r.choice([0.3, 0.6, 1.2, 3])
    power = s**2
    return number(power / 3, 0.01 * power, nearest=power / 12, bias_alone=power / 4), {"s": s}


def order_of_steps(r: Random) -> Drawn:
    """5: rounding first, then the zero point."""
    k, z = 2 * r.randint(1, 9), r.choice([3, 5, 7, 11])  # even, and odd
    right = number(
        round(k + 0.5) + z, 0, z_first=round(k + 0.5 + z), left_out=k, unrounded=k + z + 0.5
    )
    return right, {"u": k + 0.5, "z": z}


def decibels(r: Random) -> Drawn:
    """6: a ratio of amplitudes in decibels."""
    ratio = r.choice([5, 20, 50, 200, 500])
    twenty = 20 * log10(ratio)
    wrong = {"of_powers": twenty / 2, "upside_down": -twenty, "squared_twice": 2 * twenty}
    return number(twenty, 0.1, **wrong), {"ratio": ratio}


def on_the_grid(r: Random) -> Drawn:
    """7: where the noise is not a twelfth of the step squared."""
    part = r.choice([3, 4, 5, 8])
    return number(12 / part**2, 0.01, always=1, amplitude=12 / part, exact=0), {"part": part}


def packed_bytes(r: Random) -> Drawn:
    """8: the bytes of an odd number of int4 codes."""
    n = 2 * r.randint(50, 900) + 1
    return number(ceil(n / 2), 0, lost_one=n // 2, one_each=n, bits_or_floats=4 * n), {"n": n}


def transposed_channels(r: Random) -> Drawn:
    """9: which dimension holds the output channels."""
    ins, outs, size = r.choice([3, 16, 24]), r.choice([8, 32, 48]), r.choice([2, 3, 5])
    right = number(outs, 0, first=ins, both=ins * outs, one=1)
    return right, {"ins": ins, "outs": outs, "size": size}


def outlier_cost(r: Random) -> Drawn:
    """10: what one outlier costs."""
    ratio, most = r.choice([5, 8, 20, 50]), r.choice([2, 3, 4])
    wrong = {"of_powers": 10 * log10(ratio), "ratio": ratio, "nothing": 0}
    return number(20 * log10(ratio), 0.1, **wrong), {"most": most, "far": most * ratio}


def passed_gradients(r: Random) -> Drawn:
    """11: which gradients pass."""
    n, cut = r.choice([100, 200, 500, 1000]), r.randint(5, 45)
    return number(n - cut, 0, all_pass=n, only_clipped=cut, none_pass=0), {"n": n, "cut": cut}


def product_of_codes(r: Random) -> Drawn:
    """12: all four terms of a product."""
    a, b = ([r.randint(-9, 9) for _ in range(3)] for _ in "ab")
    y, z = r.choice([-4, -2, 3, 5]), r.choice([-5, -3, 2, 4])
    codes = sum(p * q for p, q in zip(a, b, strict=True))
    right = codes - z * sum(a) - y * sum(b) + 3 * y * z
    wrong = {
        "codes_alone": codes,
        "three_terms": right - 3 * y * z,
        "k_left_out": right - 2 * y * z,
    }
    return number(right, 0, **wrong), {"a": a, "b": b, "y": y, "z": z}


# In the order of the chapter's twelve questions, with the chapter to read again.
QUESTIONS: dict[Callable[[Random], Drawn], str] = {
    range_without_0: "03_params",
    symmetric_scale: "03_params",
    zero_point_sign: "04_quantizer",
    truncated_noise: "04_quantizer",
    order_of_steps: "04_quantizer",
    decibels: "01_information_theory",
    on_the_grid: "01_information_theory",
    packed_bytes: "02_schemes",
    transposed_channels: "03_params",
    outlier_cost: "03_params",
    passed_gradients: "04_quantizer",
    product_of_codes: "04b_integer",
}


class Question(Prediction):
    """One question of an attempt: its sentence with the numbers drawn, and where to read again."""

    def __init__(self, name: str, answers: Answers, chapter: str, texts: dict, about: dict) -> None:
        self.name, self.answers, self.chapter, self.words = name, answers, chapter, texts
        self.label, self.unit = texts["label"].format(**about), texts.get("unit", "")

    def feedback(self) -> dict[str, str]:
        """What is said to each answer once the paper is handed in."""
        known = {name: self.words.get(name, exam_say("formula")) for name in self.answers.named}
        shown = {**known, "other": say("other"), "unread": say("unread"), "unchosen": say("one-of")}
        off = joined(say("within").format(tolerance=self.tolerance), "{side}")
        off = off if self.answers.tolerance else "{side}"
        sides = {side: off.format(side=say(side)) for side in ("low", "high")}
        return {name: text.format(code=self.name) for name, text in (shown | sides).items()}

    def said(self, given: str | Sequence[str] | None) -> str:
        """What is said to an answer; of an examination nothing is kept."""
        return self.feedback()[self.judge(given)]


def exam_say(key: str) -> str:
    """A sentence of the paper's own."""
    return words.entry("exam", "paper")[key]


class Exam(Asked):
    """An attempt; `attempt` counts from 1. Display it, or ask `score` and `again`."""

    def __init__(self, attempt: int = 1) -> None:
        self.draw(attempt)

    def draw(self, attempt: int) -> None:
        """Draw the questions of an attempt."""
        self.attempt, random = attempt, Random(attempt)
        codes = [
            code
            for group, n in GROUPS.items()
            for code in sorted(random.sample([c for c in FORMULAS if c[0] == group], n), key=_place)
        ]
        self.questions = [_formula(code) for code in codes]
        self.questions += [_drawn(make, chapter, random) for make, chapter in QUESTIONS.items()]

    def score(self, given: Sequence[str | float | None]) -> int:
        """How many of the answers, one a question, are right."""
        asked = zip(self.questions, given, strict=True)
        return sum(q.judge(None if g is None else str(g)) == "right" for q, g in asked)

    def again(self, given: Sequence[str | float | None]) -> list[str]:
        """The chapters to read again, each once."""
        asked = zip(self.questions, given, strict=True)
        missed = [q for q, g in asked if q.judge(None if g is None else str(g)) != "right"]
        return sorted({q.chapter for q in missed})

    @property
    def unanswered(self) -> str:
        """The line of text where nothing can be answered."""
        return exam_say("unanswered").format(count=len(self.questions))

    def widget(self):
        """The inputs of the live page."""
        from . import paper

        return paper.view(self)

    def static_html(self) -> str:
        """The inputs of a static page."""
        from . import paper

        return paper.static_html(self)


def report(score: int, count: int, chapters: Sequence[str]) -> str:
    """The score, and links to the chapters; HTML."""
    names = words.entry("exam", "chapters")
    link = '<a href="{}.ipynb" target="_blank" style="text-decoration:underline">{}</a>'
    links = [link.format(c, html.escape(names[c])) for c in chapters]
    said = html.escape(exam_say("score").format(score=score, count=count))
    then = exam_say("again").format(chapters=exam_say("comma").join(links)) if links else ""
    return joined(said, then or html.escape(exam_say("all")))


def _place(code: str) -> int:
    return list(FORMULAS).index(code)


def _formula(code: str) -> Question:
    right, *wrong = FORMULAS[code]
    answers = choice(right, **{f"mistake_{i}": text for i, text in enumerate(wrong, start=1)})
    label = exam_say("choose").format(code=code, name=words.entry("exam", "formulas")[code])
    texts = {"label": label.replace("{", "{{").replace("}", "}}"), "right": exam_say("right")}
    return Question(code, answers, DERIVED.get(code, DERIVED[code[0]]), texts, {})


def _drawn(make: Callable[[Random], Drawn], chapter: str, random: Random) -> Question:
    while True:
        try:
            answers, about = make(random)
        except ValueError:  # two answers cannot be told apart: draw other numbers
            continue
        texts = words.entry("exam", "questions")[make.__name__]
        return Question(make.__name__, answers, chapter, texts, about)
