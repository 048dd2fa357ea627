"""The chapters: each pair of files agrees, and each notebook runs, shows and links as it should.

nbval runs the notebooks; these checks read them. What they teach is read in test_teaching.py,
whom they cite in test_sources.py. The last part of this file shows each check what is wrong.
"""

import re
from copy import deepcopy
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from chapters import (
    EDITIONS,
    HEADER,
    IGNORED,
    LINK,
    NOTEBOOKS,
    code_cells,
    name_of,
    outputs,
    page,
    prose,
    put,
    repair,
    right_chapter,
    texts,
)

from book import formulas
from notebooks import build
from notebooks.parity import CHINESE, GLOSSARY, REFERENCES
from notebooks.tags import tags
from quantcore import explore

ENGLISH = re.compile(r"(?:[A-Za-z][A-Za-z’'-]*[,;:]? ){7,}[A-Za-z]+")  # no title of a menu
EXPLORERS = re.compile(
    rf"\bexplore\.({'|'.join(name for name in explore.__all__ if name != 'set_language')})\("
)


# ---- what is checked -------------------------------------------------------------------


def unpaired(folder: Path):
    sources, built = ({p.stem for p in folder.glob(f"*.{end}")} for end in ("py", "ipynb"))
    for stem in sorted(sources - built):
        yield f"{stem}.py has no {stem}.ipynb: {repair(folder / stem)}"
    for stem in sorted(built - sources):
        yield f"{stem}.ipynb has no {stem}.py: write the source, or delete the notebook"


def wrong_summary(folder: Path):
    listed = [file for file, _ in LINK.findall((folder / "SUMMARY.md").read_text("utf-8"))]
    found = sorted(path.name for path in folder.glob("*.ipynb"))
    guides = {path.name for path in folder.glob("*.md")} - {"SUMMARY.md"}
    if listed[: len(found)] != found or set(listed[len(found) :]) != guides:
        found += sorted(guides)
        yield f"SUMMARY.md lists {listed}, the folder holds {found}"


def differs_from_source(notebook, path):
    if not path.with_suffix(".py").read_text("utf-8").startswith(HEADER):
        yield f"the .py should begin with these lines and no others:\n{HEADER}"
    source = build.read_source(path.with_suffix(".py"))
    if len(source.cells) != len(notebook.cells):
        yield f"{len(source.cells)} cells in the .py, {len(notebook.cells)} here: {repair(path)}"
    for i, (theirs, ours) in enumerate(zip(source.cells, notebook.cells, strict=False)):
        for what in ("cell_type", "source", "metadata", "id"):
            if theirs.get(what) != ours.get(what):
                yield f"cell {i}: its {what} is not that of the .py: {repair(path)}"
                return  # after a lost cell all the others differ too
    if source.metadata != notebook.metadata:
        yield f"its metadata is not what the build writes: {repair(path)}"


def long_cells(notebook, path):
    for i, cell in code_cells(notebook):
        if (lines := len(cell.source.splitlines())) > 15:
            yield f"cell {i} has {lines} lines, at most 15: move some of it to quantcore"
        if (width := max(map(len, cell.source.splitlines()), default=0)) > 100:
            yield f"cell {i} has a line of {width} characters, at most 100: the book shows no more"


def wide_outputs(notebook, path):
    """Lines that would be cut off in the book, in a window 1280 pixels wide."""
    for i, output in outputs(notebook):
        for line in output.get("text", "").splitlines():
            if len(line) > 99:
                yield f"cell {i} prints {len(line)} characters in a line: {line[:40]} …"


def not_executed_in_order(notebook, path):
    found = [cell.execution_count for _, cell in code_cells(notebook)]
    if found != list(range(1, len(found) + 1)):
        yield f"execution counts {found}: {repair(path)}"


def errors(notebook, path):
    for i, output in outputs(notebook):
        if output.output_type == "error" or output.get("name") == "stderr":
            yield f"cell {i} has an error or a warning among its outputs"


def widget_outputs(notebook, path):
    for i, output in outputs(notebook):
        if build.WIDGET in output.get("data", {}):
            yield f"cell {i} holds a widget, an error where no kernel runs: {repair(path)}"


def pictures_without_words(notebook, path):
    for i, output in outputs(notebook):
        if "image/png" in (data := output.get("data", {})):
            if not output.metadata.get("image/png", {}).get("alt", "").strip():
                yield f"cell {i}: its picture has no alt text"
            if len(text := data.get("text/plain", "").strip()) < 10 or text.startswith("<"):
                yield f"cell {i}: its picture has no text/plain that says what was drawn"


def chinese_in_code(notebook, path):
    for i, cell in code_cells(notebook):
        if found := CHINESE.search(cell.source):
            yield f"cell {i} holds {found[0]!r}: code is the same in every edition"


def chinese_in_formulas(notebook, path):
    for i, text in texts(notebook):
        for formula in formulas.find(text):
            if CHINESE.search(formula.tex):
                yield f"cell {i}: {formula.tex!r}: words go beside a formula, for every edition"


def another_language(notebook, path):
    language = path.parent.name
    foreign = ENGLISH if language == "zh" else CHINESE
    for i, text in texts(notebook):
        text = prose(text) if language == "zh" else text
        if (found := foreign.search(text)) and path.stem not in (GLOSSARY, REFERENCES):
            yield f"cell {i}: {found[0][:60]!r} is not in the language of the edition"
    for i, output in outputs(notebook):
        alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
        if alt and bool(CHINESE.search(alt)) != (language == "zh"):
            yield f"cell {i}: the alt text {alt[:40]!r} is not in the language of the edition"
        if language != "zh" and (found := CHINESE.search(str(output))):
            yield f"cell {i}: {found[0]!r} is in the output"


def ignored_without_reason(notebook, path):
    for i, cell in code_cells(notebook):
        if IGNORED in tags(cell) and not re.search(r"# +\w", cell.source):
            yield f"cell {i}: tagged {IGNORED}; say why in a comment"


def no_language(notebook, path):
    if not code_cells(notebook):  # the glossary, the references
        return
    expected = f'explore.set_language("{path.parent.name}")'
    sources = [cell.source for _, cell in code_cells(notebook)]
    first = next((i for i, s in enumerate(sources) if EXPLORERS.search(s)), len(sources))
    found = [i for i, s in enumerate(sources) if "set_language" in s]
    if len(found) != 1 or sources[found[0]] != expected or found[0] > first:
        yield f"it should have one cell {expected}, alone in it, before its first live figure"


def no_slider(notebook, path):
    if not re.match("0[1-5]_", path.stem):
        return
    for i, output in outputs(notebook):
        controls = output.get("metadata", {}).get("controls", [])
        if EXPLORERS.search(notebook.cells[i].source) and {"bits", "symmetric"} <= set(controls):
            return
    yield "no live figure has sliders for bit width and symmetry"


def broken_links(notebook, path):
    for i, text in texts(notebook):
        for target, place in LINK.findall(text):
            if ":" in target:
                continue
            found = path.parent / target if target else path
            if not found.exists() and not found.with_suffix(".py").exists():
                yield f"cell {i} links to {target}, which does not exist"
            elif place and unquote(place) not in places(page(found)):
                yield f"cell {i} links to {target}#{place}, and there is no such heading"


def places(text):
    """The headings of a page as JupyterLab names them in a link: with hyphens for spaces."""
    return {h.strip().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


FOLDER_CHECKS = [unpaired, wrong_summary]
CHECKS = [
    differs_from_source, long_cells, wide_outputs, not_executed_in_order, errors,
    widget_outputs, pictures_without_words, chinese_in_code, chinese_in_formulas, another_language,
    ignored_without_reason, no_language, no_slider, broken_links,
]  # fmt: skip


@pytest.mark.parametrize("folder", EDITIONS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("check", FOLDER_CHECKS, ids=lambda check: check.__name__)
def test_edition(folder, check):
    assert not list(check(folder))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_chapter(path, check):
    assert not list(check(nbformat.read(path, as_version=4), path))


def test_there_are_chapters():
    assert {path.stem for path in NOTEBOOKS} >= {
        "00_start", "01_information_theory", "02_schemes", "03_params", "04_quantizer",
        "05_visualization", "06_summary",
    }  # fmt: skip


# ---- a check that cannot fail checks nothing ----------------------------------------------


@pytest.fixture
def chapter(tmp_path):
    return right_chapter(tmp_path)


PICTURE = "cells 3 outputs 0"
WRONG = [
    (differs_from_source, put("cells 1 source", "import quantcore"), "cell 1: its source"),
    (differs_from_source, put("cells 0 source", "量化"), "build.py 03_params"),
    (differs_from_source, put("cells 1 cell_type", "markdown"), "cell 1: its cell_type"),
    (differs_from_source, put("cells 3 metadata", {}), "cell 3: its metadata"),
    (differs_from_source, put("cells 3 id", "1f5a"), "cell 3: its id"),
    (differs_from_source, lambda notebook: notebook.cells.pop(), "4 cells in the .py, 3 here"),
    (differs_from_source, put("metadata widgets", {}), "its metadata"),
    (long_cells, put("cells 1 source", "x = 1\n" * 16), "16 lines"),
    (long_cells, put("cells 1 source", "x = 1" + " + 1" * 24), "101 characters"),
    (wide_outputs, put("cells 3 outputs 1 text", "1 2\n" + "x" * 100), "100 characters"),
    (not_executed_in_order, put("cells 3 execution_count", 7), "[1, 2, 7]"),
    (not_executed_in_order, put("cells 1 execution_count", None), "[None, 2, 3]"),
    (errors, put(f"{PICTURE} output_type", "error"), "cell 3"),
    (errors, put("cells 3 outputs 1 name", "stderr"), "cell 3"),
    (widget_outputs, put(f"{PICTURE} data {build.WIDGET}", {}), "cell 3"),
    (pictures_without_words, put(f"{PICTURE} metadata", {}), "no alt text"),
    (pictures_without_words, put(f"{PICTURE} metadata image/png alt", " "), "no alt text"),
    (pictures_without_words, put(f"{PICTURE} data text/plain", "<Figure 9>"), "no text/plain"),
    (pictures_without_words, put(f"{PICTURE} data", {"image/png": ""}), "no text/plain"),
    (chinese_in_code, put("cells 1 source", "x = 1  # 步长"), "'步'"),
    (chinese_in_code, put("cells 1 source", 'print("a：b")'), "'：'"),
    (chinese_in_formulas, put("cells 0 source", r"占 $n \text{ 字节}$，`$字$`"), "字节"),
    (chinese_in_formulas, put("cells 0 source", "$$\na = b，\n$$"), "，"),
    (another_language, put("cells 0 source", f"量化 {'so it is ' * 3}."), "'so it is so it"),
    (another_language, put(f"{PICTURE} metadata image/png alt", "a staircase"), "the alt text"),
    (ignored_without_reason, put("cells 3 source", "explore.staircase()"), "cell 3"),
    (no_language, put("cells 2 source", 'explore.set_language("en")'), 'set_language("zh")'),
    (no_language, put("cells 2 source", "x = 1"), 'set_language("zh")'),
    (no_language, put("cells 1 source", "explore.formats()"), "before its first live figure"),
    (no_language, put("cells 1 source", 'explore.set_language("zh")'), "one cell"),
    (no_slider, put("cells 3 source", "figure"), "no live figure"),
    (no_slider, put(f"{PICTURE} metadata controls", ["format"]), "no live figure"),
    (broken_links, put("cells 0 source", "见 [下一章](04_quantiser.ipynb#x)"), "04_quantiser"),
    (broken_links, put("cells 0 source", "[x](03_params.ipynb#量化)"), "no such heading"),
    (broken_links, put("cells 0 source", "[x](#一量化)"), "#一量化"),
]  # fmt: skip


def test_every_check_is_shown_something_wrong():
    assert {check for check, _, _ in WRONG} == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_check_accepts(check, chapter):
    path, notebook = chapter
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
    assert not list(check(notebook, path))


@pytest.mark.parametrize(
    ("check", "change", "words"),
    WRONG,
    ids=[f"{check.__name__}-{i}" for i, (check, _, _) in enumerate(WRONG)],
)
def test_check_refuses(check, change, words, chapter):
    path, notebook = chapter
    path.touch()
    notebook = deepcopy(notebook)
    change(notebook)
    assert words in "\n".join(check(notebook, path))


def test_the_english_edition_holds_no_chinese(chapter):
    path, notebook = chapter
    path = path.parents[1] / "en" / path.name
    said = "\n".join(another_language(notebook, path))
    assert "cell 0: '一' is not in" in said and "cell 3: the alt text" in said
    put("cells 0 source", "# One")(notebook)
    put(f"{PICTURE} metadata image/png alt", "a staircase")(notebook)
    assert "cell 3: '位' is in the output" in "\n".join(another_language(notebook, path))
    put(f"{PICTURE} data text/plain", "a staircase")(notebook)
    assert not list(another_language(notebook, path))
    put("cells 0 source", "| scale | 缩放因子 |")(notebook)
    assert list(another_language(notebook, path))
    assert not list(another_language(notebook, path.with_stem(GLOSSARY)))


def test_header_without_versions(chapter):
    path, notebook = chapter
    saved = HEADER.replace("percent\n# ---", "percent\n#       jupytext_version: 1.19.6\n# ---")
    path.with_suffix(".py").write_text(f"{saved}# %%\n", "utf-8")
    assert "the .py should begin" in next(differs_from_source(notebook, path))


def test_folder_checks_accept_and_refuse(tmp_path):
    summary = tmp_path / "SUMMARY.md"
    for name in ("00_start.py", "00_start.ipynb"):
        (tmp_path / name).touch()
    summary.write_text("# 目录\n\n- [开始](00_start.ipynb)\n", "utf-8")
    assert not [*unpaired(tmp_path), *wrong_summary(tmp_path)]

    (tmp_path / "01_next.ipynb").touch()
    assert "01_next.ipynb has no 01_next.py" in next(unpaired(tmp_path))
    assert "01_next.ipynb" in next(wrong_summary(tmp_path))
    (tmp_path / "01_next.ipynb").unlink()
    (tmp_path / "guide.md").touch()
    assert "guide.md" in next(wrong_summary(tmp_path))
    (tmp_path / "00_start.ipynb").unlink()
    assert "run `python notebooks/build.py 00_start`" in next(unpaired(tmp_path))
