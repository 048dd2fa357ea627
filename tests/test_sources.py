"""Whom the chapters cite, the terms of the glossary, and the codes of the table of formulas."""

import re

import nbformat
import pytest
from chapters import EDITIONS, NOTEBOOKS, name_of, page, put, texts, write_chapter
from nbformat.v4 import new_markdown_cell

from notebooks.parity import GLOSSARY, REFERENCES, agreed, introduction, rows

SUMMARY = "06_summary"
CITED = re.compile(rf"\[([^\[\]]+)\]\({REFERENCES}\.ipynb[^)]*\)")
ENTRY = re.compile(r"^[-*] \*\*(.+?)\*\*(?:　| – )\S.*\.$", re.MULTILINE)
FORM = {"zh": "`- **NAME，YEAR**　ENTRY.`", "en": "`- **NAME, YEAR** – ENTRY.`"}
SEVERAL = re.compile("；|; ")
# 〔[N2](…)、[N3](…)〕 in Chinese, [[N2](…), [N3](…)] in English
CODE = {
    "zh": re.compile(r"〔([^〕]*)〕"),
    "en": re.compile(r"\[(?=\[?[A-Z]\d)((?:\[[^\[\]]*\]\([^)]*\)|[^\[\]])*)\](?!\()"),
}
CODES = re.compile(rf"\[([A-Z]\d+)\]\({SUMMARY}\.ipynb#[^)]+\)")
LINKED = re.compile(r"\[[^\]]*\]\((\w+)\.ipynb[^)]*\)")


def formula_codes(folder):
    """Code → the chapter that derives its formula, from the table of the summary."""
    found = (row for row in rows(page(folder / SUMMARY)) if re.fullmatch(r"[A-Z]\d+", row[0]))
    return {row[0]: "".join(LINKED.findall(row[-1])[:1]) for row in found}


# ---- what is checked -------------------------------------------------------------------


def citations(notebook, path):
    known = {
        *ENTRY.findall(page(path.with_stem(REFERENCES))),
        *"参考文献 References references".split(),
    }
    for i, text in texts(notebook):
        for link in CITED.findall(text):
            for name in SEVERAL.split(link):
                if name not in known:
                    yield f"cell {i} cites {name!r}, which is no entry of {REFERENCES}.py"


def codes(notebook, path):
    known = formula_codes(path.parent)
    for i, text in texts(notebook):
        for match in CODE[path.parent.name].finditer(text):
            said, before = match[1], text[: match.start()].rstrip().splitlines()[-2:]
            found = CODES.findall(said)
            if "$" not in "".join(before):
                yield f"cell {i}: {match[0]} stands below no formula"
            if not found or re.search(r"[A-Z]\d", CODES.sub("", said)):
                yield f"cell {i}: {match[0]}: a code is written [N2]({SUMMARY}.ipynb#…) in them"
            for code in found:
                if code not in known:
                    yield f"cell {i}: {code} is not in the table of {SUMMARY}.py"


def malformed_entries(folder):
    for line in page(folder / REFERENCES).splitlines():
        if line[:2] in ("- ", "* ") and not ENTRY.match(line):
            yield f"{REFERENCES}.py: {line[:40]!r}: an entry is {FORM[folder.name]}"


def uncited(folder):
    labels = ENTRY.findall(page(folder / REFERENCES))
    chapters = [page(path) for path in sorted(folder.glob("*.py")) if path.stem != REFERENCES]
    cited = {
        name for text in chapters for link in CITED.findall(text) for name in SEVERAL.split(link)
    }
    for name in labels:
        if name not in cited:
            yield f"{REFERENCES}.py: no chapter cites {name}"
    for name in sorted({name for name in labels if labels.count(name) > 1}):
        yield f"{REFERENCES}.py: two entries are called {name}"


def lost_codes(folder):
    for code, chapter in formula_codes(folder).items():
        said = CODE[folder.name].findall(page(folder / chapter))
        standing = {found for one in said for found in CODES.findall(one)}
        if code not in standing:
            yield f"{chapter or SUMMARY}.py: no formula carries [{code}]({SUMMARY}.ipynb#…)"


def terms(folder):
    seen = set()
    for row in rows(page(folder / GLOSSARY)):
        chapter = "".join(LINKED.findall(row[-1])[:1])
        if len(row) != 4 or not chapter:
            yield f"{GLOSSARY}.py: {row}: term, English, explanation, link to the chapter"
            continue
        term, other = row[:2]
        row = term if folder.name == "zh" else (term, other)  # 偏差 and 偏置 are both called bias
        if row in seen:
            yield f"{GLOSSARY}.py: {term} has two rows"
        seen.add(row)
        # zh: **饱和截断**（clipping，也叫…）; en: **clipping**, **straight-… estimator** (STE)
        bold = rf"\*\*[^*\n]*(\*\*(\]\([^)]*\))? \([^)]*)?{agreed(term).pattern}"
        first = introduction(term, other) if folder.name == "zh" else re.compile(bold, re.I)
        if not first.search(page(folder / chapter)):
            yield f"{GLOSSARY}.py: {chapter} does not introduce {term}（{other}）"


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

ZH = {
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
EN = {
    "03_params": "**Clipping** (also *saturation*), the [**scale**](glossary.ipynb#a), a "
    "[**straight-through estimator**](glossary.ipynb#a) (STE).\n\n"
    "$$\na\n$$\n[[N2](06_summary.ipynb#Formulas), [N3](06_summary.ipynb#Formulas)]\n\n"
    "([Max, 1960; Jacob et al., 2018](references.ipynb)), see [N2](06_summary.ipynb#Formulas).",
    SUMMARY: ZH[SUMMARY],
    GLOSSARY: "| term | 中文 | meaning | chapter |\n|:--|:--|:--|:--|\n"
    "| clipping | 饱和截断 | beyond the end, its value | [b](03_params.ipynb) |\n"
    "| scale | 缩放因子 | $s$ | [b](03_params.ipynb) |\n"
    "| STE | 直通估计器 | a convention | [b](03_params.ipynb) |",
    REFERENCES: "- **Max, 1960** – MAX J. Quantizing[J]. IRE, 1960.\n"
    "- **Jacob et al., 2018** – JACOB B, et al. Quantization[C]. CVPR, 2018.",
}
RIGHT = {"zh": ZH, "en": EN}


def write(folder, pages):
    """An edition: its folder, and the notebook of its chapter. Nothing is wrong with ours."""
    notebooks = {
        name: write_chapter(folder / f"{name}.ipynb", [new_markdown_cell(text)])
        for name, text in pages.items()
    }
    return folder, notebooks["03_params"]


@pytest.mark.parametrize("language", RIGHT)
@pytest.mark.parametrize("check", CHECKS + FOLDER_CHECKS, ids=lambda check: check.__name__)
def test_check_accepts(check, language, tmp_path):
    folder, notebook = write(tmp_path / language, RIGHT[language])
    given = (folder,) if check in FOLDER_CHECKS else (notebook, folder / "03_params.ipynb")
    assert not list(check(*given))


PLACE = "06_summary.ipynb#x"
WRONG = [
    ("zh", citations, "（[Maks，1960](references.ipynb)）", "Maks"),
    ("zh", citations, "（[Max，1960；Jacob，2018](references.ipynb)）", "'Jacob，2018'"),
    ("en", citations, "([Max, 1960; Jacob 等，2018](references.ipynb))", "'Jacob 等，2018'"),
    ("zh", codes, f"〔[N9]({PLACE})〕", "N9 is not in"),
    ("zh", codes, "〔N2〕", "is written"),
    ("zh", codes, f"$a$\n\n好。\n好。\n〔[N2]({PLACE})〕", "below no formula"),
    ("zh", codes, f"〔[N2]({PLACE})和 N3〕", "is written"),
    ("en", codes, f"[[N9]({PLACE})]", "N9 is not in"),
    ("en", codes, "$a$\n[N2]", "is written"),
    ("en", codes, f"$a$\n\nWell.\nWell.\n[[N2]({PLACE})]", "below no formula"),
    ("en", codes, f"$a$\n[[N2]({PLACE}) and N3]", "is written"),
]
WRONG_FOLDERS = [
    ("zh", malformed_entries, REFERENCES, "　MAX", " MAX", "**Max"),
    ("zh", malformed_entries, REFERENCES, "IRE, 1960.", "IRE, 1960", "**Max"),
    ("en", malformed_entries, REFERENCES, " – MAX", " MAX", "**Max"),
    ("zh", uncited, "03_params", "Max，1960；", "", "no chapter cites Max，1960"),
    ("zh", uncited, REFERENCES, "Jacob 等，2018", "Max，1960", "two entries are called Max"),
    ("en", uncited, "03_params", "; Jacob et al., 2018", "", "no chapter cites Jacob et al., 2018"),
    (
        "zh",
        lost_codes,
        "03_params",
        "、[N3](06_summary.ipynb#公式总表)",
        "",
        "03_params.py: no formula",
    ),
    ("zh", lost_codes, SUMMARY, "[b](03_params.ipynb)", "b", "06_summary.py: no formula"),
    ("en", lost_codes, "03_params", ", [N3](06_summary.ipynb#Formulas)", "", "no formula"),
    ("zh", terms, "03_params", "（clipping", "（cutting", "饱和截断（clipping）"),
    ("zh", terms, GLOSSARY, "| 缩放因子 |", "| 饱和截断 |", "two rows"),
    ("zh", terms, GLOSSARY, "[b](03_params.ipynb)", "b", "link to the chapter"),
    ("zh", terms, GLOSSARY, "| 出界的取端点 ", "", "link to the chapter"),
    ("en", terms, "03_params", "**Clipping**", "Clipping", "clipping（饱和截断）"),
    ("en", terms, "03_params", "(STE)", "", "STE（直通估计器）"),
]


def test_every_check_is_shown_something_wrong():
    assert {check for _, check, *_ in WRONG + WRONG_FOLDERS} == {*CHECKS, *FOLDER_CHECKS}


@pytest.mark.parametrize(("language", "check", "text", "said"), WRONG)
def test_check_refuses(language, check, text, said, tmp_path):
    folder, notebook = write(tmp_path / language, RIGHT[language])
    put("cells 0 source", text)(notebook)
    assert said in "\n".join(check(notebook, folder / "03_params.ipynb"))


@pytest.mark.parametrize(("language", "check", "name", "old", "new", "said"), WRONG_FOLDERS)
def test_folder_check_refuses(language, check, name, old, new, said, tmp_path):
    right = RIGHT[language]
    assert old in right[name]
    folder, _ = write(tmp_path / language, right | {name: right[name].replace(old, new)})
    assert said in "\n".join(check(folder))
