"""How the chapters teach: questions before answers, one meaning for each letter, plain words.

What the course has agreed on once is held here: see CONTRIBUTING.md.
"""

import re

import nbformat
import pytest
from chapters import (
    FOLD,
    IGNORED,
    NOTEBOOKS,
    code_cells,
    name_of,
    prose,
    put,
    texts,
    write_chapter,
)
from nbformat.v4 import new_code_cell, new_markdown_cell

from book import formulas
from notebooks import pace
from notebooks.tags import INSTRUCTOR, slide_type, tags

LABELLED = re.compile(r"【(.*?)】|\[(Predict|Compute|Think|Try)\]")
FORMER = re.compile(r"\*\*(先[猜算想看]|问一问|想一想|猜一猜|算一算|试一试)")
TAGS = {"fold", "predict", IGNORED, "raises-exception", INSTRUCTOR}
LONGEST = 90  # minutes of a class, without what is marked ★ and the exercises
# In formulas, and what to write instead.
LETTERS = {
    r"(?<![A-Za-z\\])e\^(?!\{?\d)": r"Euler's number is \mathrm{e}; e is the error",
    r"\\pi(?:\\[,;! ]|[\s{}])*e(?![A-Za-z])": r"Euler's number is \mathrm{e}; e is the error",
    r"\\operatorname\{round\}(?!_)": r"\operatorname{rint}, or \operatorname{round}_{\text{away}}",
    r"\\mathrm\{round\}": r"\operatorname{rint}, or \operatorname{round}_{\text{away}}",
}
HELPERS = re.compile(r"^\s*def (grid|check|document)\b|^(grid|check|document) = lambda", re.M)
# Beyond a first year: the characteristic function, mutual information, the Fourier transform.
ADVANCED = re.compile(r"\\varphi|I\(x\s*;|\\sum.*\\mathrm\{e\}\^\{?\s*-\s*\\mathrm\{i\}")
# In Chinese prose, and what to write instead.
WORDS = {
    "原文档|原讲义": "常见写法：读者没有那份文档",
    "[「」『』]": "“ ”",
    "缺省": "默认",
    "步幅": "学习率",
    "中间值": "半整数",
    "次规格化": "非规格化",
    "预言": "预测",
    "(?<!四舍)五入": "四舍五入，或 round half …",
    r"第 ?\S ?轴": "第 0 维",
    "(装|塞)[进成入].{0,3}字节": "打包成字节",
    "(?<![元网规价严合资风性表及西拉])格(?![式外局])": "单元格、网格、量化区间、半个步长",
    r"\d %": "10%，没有空格",
    "[\u4e00-\u9fff][,;:?!]|[,;:?!][\u4e00-\u9fff]": "全角标点",
}
SERIES = re.compile(
    r"傅里叶|求和|泰勒|无穷|等比|\\sum"
)  # beside 级数; levels are counted as 量化级的个数


# ---- what is checked -------------------------------------------------------------------


def letters(notebook, path):
    for i, text in texts(notebook):
        for formula in formulas.find(text):
            for wrong, instead in LETTERS.items():
                if re.search(wrong, formula.tex):
                    yield f"cell {i}: {formula.tex!r}: {instead}"
    for i, cell in code_cells(notebook):
        for found in HELPERS.finditer(cell.source):
            yield f"cell {i}: {found[0].strip()!r}: name it after what it does"


def questions(notebook, path):
    for i, text in texts(notebook):
        if found := FORMER.search(text):
            yield f"cell {i}: {found[0]!r}: the labels are 【预测】【计算】【思考】【操作】"
        bold = len(pace.LABEL.findall(text))
        labels = [found[0] for found in LABELLED.finditer(text)]
        if bold < len(labels):
            yield f"cell {i}: {labels}: one of four, bold, as in **【预测】** or **[Predict]**"


def answers(notebook, path):
    form = FOLD[path.parent.name]
    for i, text in texts(notebook):
        right, all_folds = text.count(form), text.count("<details")
        if right < all_folds or text.count("\n\n</details>") < all_folds:
            yield f"cell {i}: a fold begins with {form!r} and ends with '\\n\\n</details>'"


def tagged(notebook, path):
    for i, cell in enumerate(notebook.cells):
        if unknown := set(tags(cell)) - TAGS:
            yield f"cell {i}: nothing knows the tags {sorted(unknown)}"
        if cell.cell_type == "code" and INSTRUCTOR in tags(cell):
            yield f"cell {i}: what is for the instructor is text"
        if cell.cell_type != "code" and set(tags(cell)) - {INSTRUCTOR}:
            yield f"cell {i}: only code is tagged, and what is for the instructor"
        if (INSTRUCTOR in tags(cell)) > (slide_type(cell) == "notes"):
            yield f"cell {i} is for the instructor: its slide_type is notes"


def predictions(notebook, path):
    text, code = "", True
    for i, cell in enumerate(notebook.cells):
        if INSTRUCTOR in tags(cell):
            continue
        if cell.cell_type == "markdown":
            # The deck divides a text into several cells. A worked answer, folded, stands below
            # the input for the question.
            text = text * (not code or cell.source.startswith("<details>")) + cell.source
        code = cell.cell_type == "code"
        if code and "predict" in tags(cell) and not pace.LABEL.search(text):
            yield f"cell {i} is tagged predict, and the text before it asks no labelled question"


def unfolded(notebook, path):
    for i, cell in code_cells(notebook):
        if "fold" not in tags(cell) and (found := re.search(r"\b(Sheet|Timer)\(", cell.source)):
            yield f"cell {i}: {found[0]}…): what draws or times is tagged fold"


def stars(notebook, path):
    starred = {}  # level of heading → whether it or a higher one is starred
    for i, text in texts(notebook):
        for block in re.split(r"(?m)^(?=#{1,3} )", text):
            first = block.splitlines()[0] if block else ""
            if heading := re.match(r"(#{1,3}) ", first):
                level = len(heading[1])
                starred = {k: v for k, v in starred.items() if k < level}
                starred[level] = pace.STAR in first
            told = re.sub(r"(?m)^\|.*$", "", block)  # a table lists, and derives nothing
            found = [f.tex for f in formulas.find(told) if ADVANCED.search(f.tex)]
            if found and not any(starred.values()):
                yield f"cell {i}: {found[0]!r} is beyond a first year: the heading ends with ★"


def words(notebook, path):
    if path.parent.name != "zh":
        return
    for i, text in texts(notebook):
        for paragraph in prose(text).split("\n\n"):
            for wrong, instead in WORDS.items():
                if found := re.search(f".{{0,9}}(?:{wrong}).{{0,9}}", paragraph):
                    yield f"cell {i}: {found[0]!r}: {instead}"
        for paragraph in text.split("\n\n"):
            if "级数" in paragraph and not SERIES.search(paragraph):
                yield f"cell {i}: 级数 is a series: 量化级的个数"


def times(notebook, path):
    if not code_cells(notebook):  # the glossary, the references
        return
    taken, table = pace.minutes(notebook), pace.promised(notebook)
    headings = [name for name in taken if name != pace.STAR] + [pace.STAR] * (pace.STAR in taken)
    if list(table) != headings:
        yield f"the table's rows are {list(table)}, the sections {headings}"
    for name, minutes in taken.items():
        if table.get(name, minutes) < minutes:
            yield f"{name}: {minutes:.1f} minutes by notebooks/pace.py, promised {table[name]}"
    later = {pace.STAR, *pace.HOMEWORK}
    if (whole := sum(time for name, time in table.items() if name not in later)) > LONGEST:
        yield f"{whole} minutes without ★ and exercises, at most {LONGEST}"


CHECKS = [letters, questions, answers, tagged, predictions, unfolded, stars, words, times]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_chapter(path, check):
    assert not list(check(nbformat.read(path, as_version=4), path))


# ---- a check that cannot fail checks nothing ----------------------------------------------

TOP = "# 标题\n\n| 部分 | 时间 |\n|:--|:--|\n| 1 噪声 | 10 分钟 |\n| ★ 选读 | 5 分钟 |"
ASKED = (
    "## 1 噪声\n\n**【预测】** 单元格里的网格有几级？误差 $e^2$、$e_i^{2}$，"
    r"欧拉数 $2\pi\mathrm{e}$、$\mathrm{e}^{-x}$，$\operatorname{round}_{\text{away}}(x)$。"
    "傅里叶级数，10%，`第 0 轴`。\n\n| 公式 |\n|:--|\n| $\\varphi$ |"
)
SOLVED = (
    "<details><summary>参考答案</summary>\n\n四舍五入。\n\n</details>\n\n### 更多 ★\n\n$\\varphi$"
)


@pytest.fixture
def chapter(tmp_path):
    """A chapter with nothing wrong: (its path, its notebook)."""
    cells = [
        new_markdown_cell(TOP),
        new_markdown_cell(ASKED),
        new_code_cell("sheet = Sheet()", metadata={"tags": ["fold"]}),
        new_code_cell("grids = 1", metadata={"tags": ["predict", IGNORED]}),
        new_markdown_cell(SOLVED),
    ]
    path = tmp_path / "zh" / "03_params.ipynb"
    return path, write_chapter(path, cells)


def say(text):
    return put("cells 1 source", f"## 1 噪声\n\n**【预测】** {text}")


SUM = r"$F_k = \sum_{n} x_n\, \mathrm{e}^{-\mathrm{i} k n}$"
WRONG = [
    (letters, say(r"$\tfrac12\log_2(2\pi e\,\sigma^2)$"), "pi e"),
    (letters, say(r"$\pi\,e/6$"), "pi"),
    (letters, say("$$\ne^{-x^2/2}\n$$"), "e^{-x"),
    (letters, say(r"$\operatorname{round}\!\left(x\right)$"), "rint"),
    (letters, say(r"$\mathrm{round}(x)$"), "rint"),
    (letters, put("cells 3 source", "def grid(step):\n    return step"), "def grid"),
    (letters, put("cells 3 source", "check = lambda x: x"), "check = lambda"),
    (questions, say("好。**先猜。** 几？"), "先猜"),
    (questions, say("**问一问**：为什么？"), "问一问"),
    (questions, say("【想】几？"), "bold"),
    (questions, say("【计算】几？"), "bold"),
    (questions, say("[Think] Why?"), "bold"),
    (answers, put("cells 4 source", SOLVED.replace("参考答案", "想好了再看")), "cell 4"),
    (answers, put("cells 4 source", SOLVED.replace("</summary>\n\n", "</summary>\n")), "begins"),
    (answers, put("cells 4 source", SOLVED.replace("\n\n</details>", "</details>")), "ends"),
    (tagged, put("cells 3 metadata tags", ["predicted"]), "predicted"),
    (tagged, put("cells 4 metadata", {"tags": ["fold"]}), "only code"),
    (tagged, put("cells 3 metadata tags", ["instructor"]), "is text"),
    (tagged, put("cells 4 metadata", {"tags": ["instructor"]}), "slide_type is notes"),
    (predictions, put("cells 1 source", "## 1 噪声\n\n预测一下。"), "cell 3"),
    (
        predictions,
        lambda notebook: notebook.cells.__setitem__(
            slice(2, 2), [new_code_cell("1"), new_markdown_cell("好。")]
        ),
        "cell 5",
    ),
    (unfolded, put("cells 2 metadata", {}), "Sheet("),
    (unfolded, put("cells 3 source", "with Timer('a'):\n    pass"), "Timer("),
    (stars, say(r"$\varphi(u)$"), "varphi"),
    (stars, say(r"$I(x; \hat x)$"), "I(x;"),
    (stars, say(SUM), "F_k"),
    (stars, put("cells 4 source", SOLVED + "\n\n### 回来\n\n$\\varphi$"), "cell 4"),
    (stars, put("cells 4 source", SOLVED.replace(" ★", "")), "cell 4"),
    *(
        (words, say(text), part)
        for text, part in (
            *(("见原文档的表。", "常见写法"), ("原讲义说", "常见写法"), ("「级」", "“ ”")),
            *(("缺省是 8", "默认"), ("步幅 0.1", "学习率"), ("遇到中间值", "半整数")),
            *(("次规格化数", "非规格化"), ("预言了", "预测"), ("五入", "四舍五入")),
            *(("第 0 轴", "第 0 维"), ("装进一个字节", "打包"), ("下一格里", "单元格")),
            *(("半格", "半个步长"), ("10 % 以内", "10%"), ("好,坏", "全角"), ("a:好", "全角")),
            ("有 8 个级数", "量化级的个数"),
        )
    ),
    (times, put("cells 0 source", TOP.replace("1 噪声", "噪声")), "the sections"),
    (times, put("cells 0 source", TOP.replace("| ★ 选读 | 5 分钟 |", "")), "the sections"),
    (times, put("cells 0 source", TOP.replace("10", "2")), "promised 2"),
    (times, put("cells 0 source", TOP.replace("5", "0")), "★: 0.0 minutes"),
    (times, put("cells 0 source", TOP.replace("10", "91")), "91 minutes without ★"),
]


def test_every_check_is_shown_something_wrong():
    assert {check for check, _, _ in WRONG} == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_check_accepts(check, chapter):
    path, notebook = chapter
    assert not list(check(notebook, path))


@pytest.mark.parametrize(
    ("check", "change", "said"),
    WRONG,
    ids=[f"{check.__name__}-{i}" for i, (check, _, _) in enumerate(WRONG)],
)
def test_check_refuses(check, change, said, chapter):
    path, notebook = chapter
    change(notebook)
    assert said in "\n".join(check(notebook, path))


def test_a_chapter_starred_as_a_whole_and_a_starred_section_may_hold_what_is_advanced(chapter):
    path, notebook = chapter
    for cell, text in ((0, TOP.replace("标题", "★ 标题")), (1, f"## 1 噪声 ★\n\n{SUM}")):
        changed = nbformat.from_dict(notebook)
        changed.cells[1].source += SUM
        changed.cells[cell].source = text
        assert not list(stars(changed, path))


def test_pages_without_code_promise_no_time_and_other_languages_have_other_words(chapter):
    path, notebook = chapter
    notebook.cells = [new_markdown_cell("## A\n\n缺省")]
    assert not list(times(notebook, path))
    assert list(words(notebook, path))
    assert not list(words(notebook, path.parents[1] / "en" / path.name))
