"""Hold the editions to each other: `python notebooks/parity.py 03_params` (or every chapter).

The Chinese edition is the source. Cell for cell the other one has the same kind and tags, the same
code but for the line that sets the language, and in its text the same formulas, numbers,
references, questions and shape. What a language may choose is left to it: the order of words, a
number that one of them spells out, and how often a symbol or a name is said again.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from urllib.parse import unquote

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script too

from book import formulas
from notebooks.build import ROOT, read_source
from notebooks.pace import FENCE
from notebooks.tags import slide_type, tags

SOURCE = "zh"
GLOSSARY, REFERENCES = "glossary", "references"
LANGUAGE = re.compile(r'^explore\.set_language\("(\w+)"\)$', re.MULTILINE)
CHINESE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
LINK = re.compile(r"\[([^\[\]]*)\]\(([^)#\s]*)(?:#([^)\s]*))?[^)]*\)")
CODE = re.compile(r"[A-Z]\d+")  # of a formula in the summary's table
SYMBOL = re.compile(r"\\?[A-Za-z]+(?:[ {][A-Za-z]+\}?)?(?:[_^](?:\{[^{}]*\}|\\?\w+))*")
LABELS = {"预测": "Predict", "计算": "Compute", "思考": "Think", "操作": "Try"}
LABEL = re.compile(r"\*\*(?:【(\w+)】|\[(\w+)\])\*\*")
NUMBER = re.compile(
    r"(?<![A-Za-z\d.])(\d{1,3}(?:,\d{3})+(?!\d)|\d+)(\.\d+)?"
    r"(?:(?:st|nd|rd|th|s)\b|(?![A-Za-z\d]))(?:\s?([十百千]?[万亿]|thousand|million|billion))?"
)
NAME = re.compile(r"[A-Za-z]+\d[A-Za-z\d]*|\d+[A-Za-z]+")  # INT8, E4M3, 7B
ORDINAL = re.compile(r"\d+(?:st|nd|rd|th|s)")  # 2nd; 0s and 1s
EDITION = re.compile(r"(?<=/)(zh|en)/")  # in my/zh/, notebooks/en/
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"两": 2}
UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
NUMERAL = re.compile(f"[{''.join([*DIGITS, *UNITS])}]+")


def rows(text: str) -> list[list[str]]:
    """The cells of each row of each table, without its head."""
    table = []
    for line in text.splitlines():
        if re.match(r"\|[\s:|-]+\|$", line):
            table = table[:-1]  # the line before was the head
        elif line.startswith("|"):
            table.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return table


def introduction(term: str, english: str) -> re.Pattern:
    """Where a Chinese chapter introduces a term: **饱和截断**（clipping，也叫…）."""
    first = rf"(?<![\u4e00-\u9fff]){re.escape(term)}\**(\]\([^)]*\))?（[^）]*{re.escape(english)}"
    return re.compile(first, re.IGNORECASE)


def agreed(english: str) -> re.Pattern:
    """The agreed word in an English text: with hyphens or without, and with any ending."""
    parts = map(re.escape, re.split(r"[\s\-–]+", english))
    return re.compile(r"\b" + r"[\s–-]".join(parts), re.IGNORECASE)


def english_label(label: str) -> str:
    """What is called `Jacob 等，2018` in the Chinese references is `Jacob et al., 2018` here."""
    return label.replace(" 等，", " et al., ").replace("，", ", ").replace("；", "; ")


def page(path: Path) -> str:
    """The Markdown of a chapter's source; nothing where there is none."""
    return _page(path, path.stat().st_mtime_ns) if path.exists() else ""


@lru_cache
def _page(path: Path, time: int) -> str:
    cells = read_source(path).cells
    return "\n\n".join(c.source for c in cells if c.cell_type == "markdown")


# ---- what a text holds: things that are counted ---------------------------------------------


def plain(text: str) -> str:
    """A text without formulas, code, citations, the targets of links, and the numbers of items."""
    text = formulas.TOKEN.sub(" ", text)
    text = re.sub(rf"\[[^\[\]]*\]\({REFERENCES}\.ipynb[^)]*\)", " ", text)
    text = re.sub(r"<[^>]*>|\]\([^)]*\)", " ", text)
    return re.sub(r"(?m)^\s*\d+\. ", "", text)


def the_formulas(text: str) -> Counter:
    """Formulas that are more than a symbol, without the punctuation at their end."""
    return Counter(f for f in _tex(text) if not SYMBOL.fullmatch(f))


def symbols(text: str) -> Counter:
    """Formulas that are one symbol, once each: a pronoun may stand for a symbol."""
    return Counter({f for f in _tex(text) if SYMBOL.fullmatch(f)})


def _tex(text: str) -> list[str]:
    return [re.sub(r"[\s.,;]+$|\\[,;]$", "", f.tex) for f in formulas.find(text)]


def numbers(text: str) -> Counter:
    """Numbers in digits, times what stands behind them: 70 亿 and 7 billion are one number."""
    found: Counter = Counter()
    for whole, part, scale in NUMBER.findall(plain(text)):
        number = whole.replace(",", "") + part
        if scale:
            times = SCALES.get(scale) or numeral(scale)
            number = f"{(Decimal(number) * times).normalize():f}"
        found[number] += 1
    return found


def numeral(word: str) -> int:
    """The value of 三, 十二, 一千万 …; of 一二 what comes last."""
    total = section = digit = 0
    for c in word:
        if c in DIGITS:
            digit = DIGITS[c]
        elif UNITS[c] < 10**4:
            section, digit = section + (digit or 1) * UNITS[c], 0
        else:
            total, section, digit = (total + (section + digit or 1)) * UNITS[c], 0, 0
    return total + section + digit


def spelt(text: str) -> Counter:
    """Numbers in words, of either language."""
    text = plain(text)
    found = Counter(str(WORDS.index(w)) for w in re.findall(r"[a-z]+", text.lower()) if w in WORDS)
    return found + Counter(str(numeral(word)) for word in NUMERAL.findall(text))


def names(text: str) -> Counter:
    """INT8, E4M3, 7B and their kind, once each."""
    return Counter({n for n in NAME.findall(plain(text)) if not ORDINAL.fullmatch(n)})


def inline_code(text: str) -> Counter:
    """Pieces of code in a line, once each; of a path into an edition, whatever the edition."""
    found = {m[0].strip("`") for m in formulas.TOKEN.finditer(text) if m["ticks"]}
    return Counter(EDITION.sub("…/", code) for code in found)


def code_lines(text: str) -> Counter:
    """The lines of code in fences."""
    fences = [m[0].splitlines()[1:-1] for m in formulas.TOKEN.finditer(text) if m["fence"]]
    return Counter(line.strip() for lines in fences for line in lines if line.strip())


def shape(text: str) -> dict[str, list | int]:
    """What the page looks like: its headings and questions in order, how many of the rest."""
    text = FENCE.sub("", text)
    return {
        "headings": [
            level + " ★" * ("★" in title)
            for level, title in re.findall(r"^(#+) (.*)$", text, re.MULTILINE)
        ],
        "questions": [LABELS.get(zh, zh) or en for zh, en in LABEL.findall(text)],
        "list items": len(re.findall(r"(?m)^\s*(?:[-*]|\d+\.) ", text)),
        "table rows": len(re.findall(r"(?m)^\|", text)),
        "folds": text.count("<details"),
        "pictures": text.count("!["),
    }


# ---- references -------------------------------------------------------------------------------


def links(text: str, here: Path, there: Path) -> Counter:
    """Where a text of the chapter `here` leads; `there` is the same chapter of the other edition.

    A heading is called by its position on its page, which is the same in both editions.
    """
    found: Counter = Counter()
    for said, file, place in LINK.findall(text):
        if file == f"{REFERENCES}.ipynb" and re.search(r"\d{4}", said):
            found.update(f"[{label}]" for label in english_label(said).split("; "))
            continue
        target = f"{said} in {file}" if CODE.fullmatch(said) else file
        name = f"{Path(file or here.name).stem}.py"
        if place and all(side.with_name(name).exists() for side in (here, there)):
            target += f"#{position(here.with_name(name), place)}"
        found[target] += 1
    return found


def position(path: Path, place: str) -> str:
    """The heading with that address: (heading 3); or the address, and that there is none."""
    text = FENCE.sub("", page(path))
    found = [h.strip().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    place = unquote(place)
    return f"(heading {found.index(place)})" if place in found else f"{place} (no such heading)"


# ---- the comparison -----------------------------------------------------------------------------


def counted(ours: Counter, theirs: Counter) -> str:
    """What one text has and the other lacks, or nothing."""
    sides = {SOURCE: ours - theirs, "here": theirs - ours}
    lists = {name: ", ".join(sorted(found.elements())) for name, found in sides.items() if found}
    return "; ".join(f"only in {name}: {found}" for name, found in lists.items())


def compare_code(ours: str, theirs: str, edition: str) -> Iterator[str]:
    """Code is the same but for the line that sets the language."""
    if LANGUAGE.findall(theirs) not in ([], [edition]):
        yield f'set_language("{edition}") is the language here'
    pair = [LANGUAGE.sub("explore.set_language()", text).splitlines() for text in (ours, theirs)]
    for a, b in zip_longest(*pair, fillvalue="(no line)"):
        if a != b:
            yield f"code: {a!r} in {SOURCE}, {b!r} here"
            return


def compare_text(ours: str, theirs: str, here: Path, there: Path) -> Iterator[str]:
    """`here` is the chapter in Chinese, `there` the other."""
    for count in (the_formulas, symbols, names):
        if found := counted(count(ours), count(theirs)):
            yield f"{count.__name__.replace('the_', '')}: {found}"
    # A number that one language has in digits may be a word in the other.
    a, b = numbers(ours), numbers(theirs)
    if found := counted(a - b - spelt(theirs), b - a - spelt(ours)):
        yield f"numbers: {found}"
    for count in (inline_code, code_lines):  # what is in Chinese there has been translated
        a, b = count(ours), count(theirs)
        words = sum((a[key] for key in a if CHINESE.search(key)), 0)
        missing = Counter({key: n for key, n in (a - b).items() if not CHINESE.search(key)})
        if missing or (b - a).total() != words:
            yield f"{count.__name__.replace('_', ' ')}: {counted(a, b)}"
    if found := counted(links(ours, here, there), links(theirs, there, here)):
        yield f"references: {found}"
    for (what, a), b in zip(shape(ours).items(), shape(theirs).values(), strict=True):
        if a != b:
            yield f"{what}: {a} in {SOURCE}, {b} here"
    for term, english, *_ in rows(page(here.with_name(f"{GLOSSARY}.py"))):
        if introduction(term, english).search(ours) and not agreed(english).search(theirs):
            yield f"terms: {term} is introduced, and {english!r} is not said"
    if here.stem == GLOSSARY:  # the same rows, each beginning with the page's own language
        for a, b in zip(rows(ours), rows(theirs), strict=False):
            if a[:2] != b[1::-1]:
                yield f"terms: {a[:2]} in {SOURCE}, {b[:2]} here"


def differences(here: Path, there: Path) -> Iterator[str]:
    """Where the chapter `there` (a .py) differs from the one `here`, in words."""
    if not there.exists() or not here.exists():
        yield f"there is no {(here if there.exists() else there).name}"
        return
    pair = [read_source(path).cells for path in (here, there)]
    if len(pair[0]) != len(pair[1]):
        yield f"{len(pair[0])} cells in {SOURCE}, {len(pair[1])} here"
    for i, (ours, theirs) in enumerate(zip(*pair, strict=False)):
        a, b = ((cell.cell_type, tags(cell), slide_type(cell)) for cell in (ours, theirs))
        found = [f"kind, tags and slide: {a} in {SOURCE}, {b} here"] if a != b else []
        if a[0] != b[0]:
            yield f"cell {i}: {found[0]}; what follows is compared when this is mended"
            return
        if ours.cell_type == "code":
            found += compare_code(ours.source, theirs.source, there.parent.name)
        else:
            found += compare_text(ours.source, theirs.source, here, there)
        title = re.search(r"^#+ (.*)", theirs.source) if theirs.cell_type == "markdown" else None
        yield from (f"cell {i}{f' ({title[1]})' if title else ''}: {line}" for line in found)


def chapters(root: Path) -> list[tuple[Path, Path]]:
    """Each chapter of either edition, in the source and in another edition."""
    others = [path.parent for path in sorted(root.glob("[!.]*/SUMMARY.md"))]
    return [
        (root / SOURCE / name, folder / name)
        for folder in others
        if folder.name != SOURCE
        for name in sorted({p.name for side in (root / SOURCE, folder) for p in side.glob("*.py")})
    ]


def main(wanted: list[str]) -> None:
    """Print the differences of the named chapters, or of all; exit 1 where there are any."""
    found = [
        f"{there.parent.name}/{there.stem}, {line}"
        for here, there in chapters(ROOT)
        if not wanted or there.stem in wanted
        for line in differences(here, there)
    ]
    print(*found, f"{len(found)} differences", sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main(sys.argv[1:])
