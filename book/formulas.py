"""TeX in Markdown to MathML: `find` the formulas, `draw` them with pandoc, `replace` them.

A formula is `$…$` or `$$…$$` by pandoc's own rule: no space after the opening dollar nor before
the closing one, and no digit after it. What stands in code is not a formula.
"""

import html
import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

# What may hold a dollar, in the order of who owns it: code first, formulas last.
TOKEN = re.compile(
    r"""
    ^[ \t]*(?P<fence>`{3,}|~{3,})[^\n]*\n(?:.*?^[ \t]*(?P=fence)[`~]*[ \t]*$|.*\Z)
    | (?<!`)(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)
    | <(?P<tag>code|pre|script|style)\b.*?</(?P=tag)>
    | <!--.*?-->
    | \\[\\$`]
    | \$\$(?P<display>(?:[^$\\]|\\.)+?)\$\$
    | \$(?P<inline>(?!\s)(?:[^$\\]|\\.)+?(?<!\s))\$(?!\d)
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
# An inline formula with what stands right after it. Browsers break the line between the two, and
# a line would begin with a comma.
WITH_NEXT = re.compile(
    r'(<span class="formula inline">(?:(?!</span>).)*</span>)'
    r"([A-Za-z0-9,.;:!?)’”%/-]+|[，。；：！？、）》]+)"
)
LONG = 60  # characters of TeX from which an inline formula may be wider than a phone
# A hat over one letter keeps its size; pandoc's would stretch to the letter's width.
HAT = re.compile('<mover>(<mi>[^<]*</mi>)<mo accent="true">\u0302</mo>')
LETTER_HAT = '<mover accent="true">\\1<mo stretchy="false">\u02c6</mo>'
# log, max, log₂ …, with the end of what stands before and the start of what follows.
FUNCTION = re.compile(
    r'(</m[^o][a-z]*>|<mo[^>]*form="postfix">[^<]*</mo>)?'
    r'((?:<msub>)?<mrow><mi mathvariant="normal">[a-z]+</mi><mo>\u2061</mo></mrow>'
    r"(?:(?:<mi>\w+</mi>|<mn>\w+</mn>)</msub>)?)"
    r"(?=(<mi|<mn|<mf|<ms[uq]|<mrow><mi)?)"
)
THIN = '<mspace width="0.167em"></mspace>'


class Formula(NamedTuple):
    """The TeX of a formula, and whether it stands on lines of its own."""

    tex: str
    display: bool


def _formula(match: re.Match) -> Formula | None:
    tex = match["display"] or match["inline"]
    if tex is None or re.search(r"\n\s*\n", tex):  # dollars of two paragraphs are no pair
        return None
    return Formula(" ".join(tex.split()), match["display"] is not None)


def find(markdown: str) -> Iterator[Formula]:
    """Every formula in the text, in order."""
    return filter(None, map(_formula, TOKEN.finditer(markdown)))


def replace(markdown: str, drawn: Mapping[Formula, str]) -> str:
    """The text with each formula replaced by its HTML, which holds to what follows it."""

    def one(match: re.Match) -> str:
        formula = _formula(match)
        return match[0] if formula is None else drawn[formula]

    return WITH_NEXT.sub(r'<span class="unbroken">\1\2</span>', TOKEN.sub(one, markdown))


def _pandoc(*arguments: str, text: str) -> tuple[str, str]:
    import pypandoc  # finding formulas needs no pandoc

    done = subprocess.run(
        [pypandoc.get_pandoc_path(), *arguments],
        input=text,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout, done.stderr


def draw(formulas: Iterable[Formula]) -> dict[Formula, str]:
    """The HTML of each formula, on one line and safe in Markdown: one call of pandoc for all.

    Raises ValueError with pandoc's own words where it does not understand a formula.
    """
    wanted = sorted(set(formulas))
    if not wanted:
        return {}
    document = json.loads(_pandoc("-f", "markdown", "-t", "json", text="")[0])
    for formula in wanted:
        kind = {"t": "DisplayMath" if formula.display else "InlineMath"}
        document["blocks"] += [{"t": "Para", "c": [{"t": "Math", "c": [kind, formula.tex]}]}]
    page, warnings = _pandoc(
        *("-f", "json", "-t", "html", "--mathml", "--wrap=none"), text=json.dumps(document)
    )
    if warnings:
        raise ValueError(warnings.strip())
    found = re.findall(r"<math.*?</math>", page, flags=re.DOTALL)
    assert len(found) == len(wanted), "one formula each"
    return {formula: _html(formula, math) for formula, math in zip(wanted, found, strict=True)}


def _html(formula: Formula, math: str) -> str:
    math = re.sub(r"<annotation.*?</annotation>|</?semantics>", "", math, flags=re.DOTALL)
    math = math.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    math = HAT.sub(LETTER_HAT, math.replace("&#8289;", "\u2061"))
    if r"\displaystyle" in formula.tex:  # which pandoc passes over
        math = math.replace("<math ", '<math displaystyle="true" ', 1)
    math = FUNCTION.sub(_spaced, math)
    # Between the tags Markdown would still read: *, _, | and their kind become entities.
    math = re.sub(r">([^<>]+)<", lambda m: f">{_entities(html.unescape(m[1]))}<", math)
    math = " ".join(math.split())
    kind = "display" if formula.display else "long" if len(formula.tex) >= LONG else "inline"
    return f'<span class="formula {kind}">{math}</span>'


def _spaced(function: re.Match) -> str:
    """The thin spaces that TeX puts around the name of a function, and pandoc does not."""
    before, name, after = function.groups()
    return (before + THIN if before else "") + name + (THIN if after else "")


def _entities(text: str) -> str:
    return "".join(c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in text)
