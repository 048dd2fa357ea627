"""Whom the chapters cite, the terms of the glossary, and the codes of the table of formulas."""

import re

import nbformat
import pytest
from chapters import EDITIONS, NOTEBOOKS, name_of, page, put, texts, write_chapter
from nbformat.v4 import new_markdown_cell

SUMMARY, GLOSSARY, REFERENCES = "06_summary", "glossary", "references"
CITED = re.compile(rf"\[([^\[\]]+)\]\({REFERENCES}\.ipynb[^)]*\)")
ENTRY = re.compile(r"^[-*] \*\*(.+?)\*\*　\S.*\.$", re.MULTILINE)
CODE = re.compile(r"〔([^〕]*)〕")
CODES = re.compile(rf"\[([A-Z]\d+)\]\({SUMMARY}\.ipynb#[^)]+\)")
LINKED = re.compile(r"\[[^\]]*\]\((\w+)\.ipynb[^)]*\)")


def rows(text):
    """The cells of each row of each table, without its head."""
    table = []
    for line in text.splitlines():
        if re.match(r"\|[\s:|-]+\|$", line):
            table = table[:-1]  # the line before was the head
        elif line.startswith("|"):
            table.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return table


def formula_codes(folder):
    """Code → the chapter that derives its formula, from the table of the summary."""
    found = (row for row in rows(page(folder / SUMMARY)) if re.fullmatch(r"[A-Z]\d+", row[0]))
    return {row[0]: "".join(LINKED.findall(row[-1])[:1]) for row in found}


# ---- what is checked -------------------------------------------------------------------


def citations(notebook, path):
    known = {*ENTRY.findall(page(path.with_stem(REFERENCES))), "参考文献", "References"}
    for i, text in texts(notebook):
        for link in CITED.findall(text):
            for name in link.split("；"):
                if name not in known:
                    yield f"cell {i} cites {name!r}, which is no entry of {REFERENCES}.py"


def codes(notebook, path):
    known = formula_codes(path.parent)
    for i, text in texts(notebook):
        for match in CODE.finditer(text):
            said, before = match[1], text[: match.start()].rstrip().splitlines()[-2:]
            found = CODES.findall(said)
            if "$" not in "".join(before):
                yield f"cell {i}: 〔{said}〕 stands below no formula"
            if not found or re.search(r"[A-Z]\d", CODES.sub("", said)):
                yield f"cell {i}: 〔{said}〕: a code is written 〔[N2]({SUMMARY}.ipynb#公式总表)〕"
            for code in found:
                if code not in known:
                    yield f"cell {i}: {code} is not in the table of {SUMMARY}.py"


def malformed_entries(folder):
    for line in page(folder / REFERENCES).splitlines():
        if line[:2] in ("- ", "* ") and not ENTRY.match(line):
            yield f"{REFERENCES}.py: {line[:40]!r}: an entry is `- **NAME，YEAR**　ENTRY.`"


def uncited(folder):
    labels = ENTRY.findall(page(folder / REFERENCES))
    chapters = [page(path) for path in sorted(folder.glob("*.py")) if path.stem != REFERENCES]
    cited = {name for text in chapters for link in CITED.findall(text) for name in link.split("；")}
    for name in labels:
        if name not in cited:
            yield f"{REFERENCES}.py: no chapter cites {name}"
    for name in sorted({name for name in labels if labels.count(name) > 1}):
        yield f"{REFERENCES}.py: two entries are called {name}"


def lost_codes(folder):
    for code, chapter in formula_codes(folder).items():
        standing = {c for said in CODE.findall(page(folder / chapter)) for c in CODES.findall(said)}
        if code not in standing:
            yield f"{chapter or SUMMARY}.py: no formula carries 〔[{code}]({SUMMARY}.ipynb#…)〕"


def terms(folder):
    seen = set()
    for row in rows(page(folder / GLOSSARY)):
        chapter = "".join(LINKED.findall(row[-1])[:1])
        if len(row) != 4 or not chapter:
            yield f"{GLOSSARY}.py: {row}: term, English, explanation, link to the chapter"
            continue
        term, english = row[:2]
        if term in seen:
            yield f"{GLOSSARY}.py: {term} has two rows"
        seen.add(term)
        # **饱和截断**（clipping，也叫…）, or [**缩放因子**](glossary.ipynb#量化参数)（scale）
        first = rf"{re.escape(term)}\**(\]\([^)]*\))?（[^）]*{re.escape(english)}"
        if not re.search(first, page(folder / chapter), re.IGNORECASE):
            yield f"{GLOSSARY}.py: {chapter} does not say {term}（{english}）"


CHECKS = [citations, codes]
FOLDER_CHECKS = [malformed_entries, uncited, lost_codes, terms]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_chapter(path, check):
    assert not list(check(nbformat.read(path, as_version=4), path))


@pytest.mark.parametrize("folder", EDITIONS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("check", FOLDER_CHECKS, ids=lambda check: check.__name__)
def test_edition(folder, check):
    assert not list(check(folder))


# ---- a check that cannot fail checks nothing ----------------------------------------------

RIGHT = {
    "03_params": "**饱和截断**（clipping，也叫限幅）。"
    "[**缩放因子**](glossary.ipynb#a)（scale）。\n\n"
    "$$\na\n$$\n〔[N2](06_summary.ipynb#公式总表)、[N3](06_summary.ipynb#公式总表)〕\n\n"
    "（[Max，1960；Jacob 等，2018](references.ipynb)），见[参考文献](references.ipynb)。",
    SUMMARY: "| 编号 | 章 |\n|:--|:--|\n"
    "| N2 | [b](03_params.ipynb) |\n| N3 | [b](03_params.ipynb) |",
    GLOSSARY: "| 术语 | 英文 | 说明 | 章 |\n|:--|:--|:--|:--|\n"
    "| 饱和截断 | clipping | 出界的取端点 | [b](03_params.ipynb) |\n"
    "| 缩放因子 | Scale | $\\lvert s\\rvert$ | [b](03_params.ipynb) |",
    REFERENCES: "- **Max，1960**　MAX J. Quantizing[J]. IRE, 1960.\n"
    "- **Jacob 等，2018**　JACOB B, et al. Quantization[C]. CVPR, 2018.",
}


@pytest.fixture
def edition(tmp_path):
    """Its folder, and the notebook of its chapter: nothing is wrong with them."""
    for name, text in RIGHT.items():
        notebook = write_chapter(tmp_path / "zh" / f"{name}.ipynb", [new_markdown_cell(text)])
        if name == "03_params":
            chapter = notebook
    return tmp_path / "zh", chapter


@pytest.mark.parametrize("check", CHECKS + FOLDER_CHECKS, ids=lambda check: check.__name__)
def test_check_accepts(check, edition):
    folder, notebook = edition
    given = (folder,) if check in FOLDER_CHECKS else (notebook, folder / "03_params.ipynb")
    assert not list(check(*given))


WRONG = [
    (citations, "（[Maks，1960](references.ipynb)）", "Maks"),
    (citations, "（[Max，1960；Jacob，2018](references.ipynb)）", "'Jacob，2018'"),
    (codes, "〔[N9](06_summary.ipynb#公式总表)〕", "N9 is not in"),
    (codes, "〔N2〕", "is written"),
    (codes, "$a$\n\n好。\n好。\n〔[N2](06_summary.ipynb#公式总表)〕", "below no formula"),
    (codes, "〔[N2](06_summary.ipynb#公式总表)和 N3〕", "is written"),
]
WRONG_FOLDERS = [
    (malformed_entries, REFERENCES, "　MAX", " MAX", "**Max"),
    (malformed_entries, REFERENCES, "IRE, 1960.", "IRE, 1960", "**Max"),
    (uncited, "03_params", "Max，1960；", "", "no chapter cites Max，1960"),
    (uncited, REFERENCES, "Jacob 等，2018", "Max，1960", "two entries are called Max"),
    (lost_codes, "03_params", "、[N3](06_summary.ipynb#公式总表)", "", "03_params.py: no formula"),
    (lost_codes, SUMMARY, "[b](03_params.ipynb)", "b", "06_summary.py: no formula"),
    (terms, "03_params", "（clipping", "（cutting", "饱和截断（clipping）"),
    (terms, GLOSSARY, "| 缩放因子 |", "| 饱和截断 |", "two rows"),
    (terms, GLOSSARY, "[b](03_params.ipynb)", "b", "link to the chapter"),
    (terms, GLOSSARY, "| 出界的取端点 ", "", "link to the chapter"),
]


def test_every_check_is_shown_something_wrong():
    assert {check for check, *_ in WRONG + WRONG_FOLDERS} == {*CHECKS, *FOLDER_CHECKS}


@pytest.mark.parametrize(("check", "text", "said"), WRONG)
def test_check_refuses(check, text, said, edition):
    folder, notebook = edition
    put("cells 0 source", text)(notebook)
    assert said in "\n".join(check(notebook, folder / "03_params.ipynb"))


@pytest.mark.parametrize(("check", "name", "old", "new", "said"), WRONG_FOLDERS)
def test_folder_check_refuses(check, name, old, new, said, edition):
    folder, _ = edition
    assert old in RIGHT[name]
    cell = new_markdown_cell(RIGHT[name].replace(old, new))
    write_chapter(folder / f"{name}.ipynb", [cell])
    assert said in "\n".join(check(folder))
