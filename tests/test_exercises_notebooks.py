"""How predictions and exercises stand in the chapters, and that they run there."""

import ast
import re
from pathlib import Path

import pytest
from chapters import EDITIONS, NOTEBOOKS, code_cells, name_of, tags, write_chapter
from nbformat.v4 import new_code_cell, new_markdown_cell

from notebooks import build
from quantcore import exercises, words
from quantcore.exercises import CHAPTERS
from quantcore.exercises.kinds import Settings
from quantcore.words import catalogue

PREDICT = re.compile(r'exercises\.predict\("([^"]+)"\)')
CHECK = re.compile(r'exercises\.check\("([^"]+)", ([a-z_]\w*)\)')
CALL = re.compile(r"\bexercises\.(predict|check)\(")
TASK = {
    "zh": re.compile(r"\*\*【操作】\*\*（(\d+) 分钟，难度 [123]/3）"),
    "en": re.compile(r"\*\*\[Try\]\*\* \((\d+) minutes, difficulty [123]/3\)"),
}
FOLD = {
    language: f"<details><summary>{answer}</summary>\n\n"
    for language, answer in (("zh", "参考答案"), ("en", "Answer"))
}
SOLUTION = re.compile(r"```python\n(.*?)```", re.DOTALL)


# ---- what is checked ------------------------------------------------------------------------


def calls_in_other_ways(notebook, path):
    for i, cell in code_cells(notebook):
        if CALL.search(cell.source):
            if not (PREDICT.fullmatch(cell.source) or CHECK.fullmatch(cell.source)):
                yield f'cell {i}: alone in it, exercises.predict("name") or .check("name", mine)'
            if tags(cell):
                yield f"cell {i}: what it shows is stable and short, so it has no tags"


def unknown_names(notebook, path):
    chapter = CHAPTERS.get(path.stem)
    for form, table in ((PREDICT, "PREDICTIONS"), (CHECK, "EXERCISES")):
        names = [m[1] for _, cell in code_cells(notebook) if (m := form.fullmatch(cell.source))]
        known = list(getattr(chapter, table, ()))
        if names and sorted(names) != sorted(known):
            yield f"it should have each of its {table} once: found {names}, expected {known}"


def predictions_out_of_place(notebook, path):
    for i, cell in code_cells(notebook):
        if PREDICT.fullmatch(cell.source):
            before, *after = notebook.cells[i - 1], *notebook.cells[i + 1 :]
            if not re.search(r"【(预测|计算)】|\[(Predict|Compute)\]", before.source):
                yield f"cell {i}: the question stands in the Markdown just above"
            later = next((c for c in after if c.cell_type == "code"), None)
            if after and after[0].source.startswith("<details>"):
                continue  # a worked answer, folded
            if later is None or "predict" not in tags(later):
                yield f"cell {i}: the next code cell measures, and is tagged predict"


def turns(notebook):
    """(position, exercise, stub's name, stub, text above, text below) of each check."""
    for i, cell in code_cells(notebook):
        if found := CHECK.fullmatch(cell.source):
            above, stub = notebook.cells[i - 2 : i] if i > 1 else (cell, cell)
            below = notebook.cells[i + 1].source if i + 1 < len(notebook.cells) else ""
            yield i, found[1], found[2], stub, above.source, below


def turns_out_of_place(notebook, path):
    language = path.parent.name
    for i, _, name, stub, above, below in turns(notebook):
        if not TASK[language].search(above):
            yield f"cell {i}: two cells above, Markdown with the label, the time, the difficulty"
        if stub.cell_type != "code" or name not in defined(stub.source):
            yield f"cell {i}: the cell above defines {name}"
        if not below.startswith(FOLD[language]) or len(SOLUTION.findall(below)) != 1:
            yield f"cell {i}: below, {FOLD[language]!r} and one block ```python"


def wrong_stubs_and_solutions(notebook, path):
    for i, exercise, name, stub, _, below in turns(notebook):
        names = imported(notebook)
        try:
            exec(stub.source, names)
            status = exercises.check(exercise, names.get(name, 0)).status
            if status != "untouched":
                yield f"cell {i}: its stub gets {status!r}, not 'not yet'"
            exec("".join(SOLUTION.findall(below)), names)
            verdict = exercises.check(exercise, names.get(name))
            if verdict.status != "passed":
                yield f"cell {i}: its solution does not pass:\n{verdict}"
        except Exception as error:
            yield f"cell {i}: {type(error).__name__}: {error}"


def defined(source):
    """The names that a cell defines."""
    nodes = ast.parse(source).body
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    return functions | {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def imported(notebook):
    """What the chapter imports: all that a stub and a solution may use."""
    names = {}
    for _, cell in code_cells(notebook):
        source = "\n".join(line for line in cell.source.splitlines() if line[:1] not in "%!")
        for node in ast.parse(source).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                exec(ast.unparse(node), names)
    return names


CHECKS = [calls_in_other_ways, unknown_names, predictions_out_of_place, turns_out_of_place,
          wrong_stubs_and_solutions]  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_chapter(path, check):
    assert not (found := list(check(build.read_source(path.with_suffix(".py")), path))), found


@pytest.mark.parametrize("language", [edition.name for edition in EDITIONS])
def test_every_edition_has_words_for_exercises(language):
    assert {"predictions", "exercises", "verdicts"} <= set(catalogue(language))
    assert language in TASK and language in FOLD


# ---- one that is right, and what makes it wrong ----------------------------------------------

SOURCES = (
    ("text", "# 参数\n\n**【预测】** $[-1, 3]$，INT8，$z$ 是多少？"),
    ("code", 'exercises.predict("zero-point-sign")'),
    ("measured", "round(-128 + 255 / 4)"),
    ("text", "**【操作】**（8 分钟，难度 1/3）写出对称量化的缩放因子。"),
    ("code", "def my_scale(x, bits):\n    # your code here\n    return ..."),
    ("code", 'exercises.check("symmetric-scale", my_scale)'),
    (
        "text",
        FOLD["zh"] + "```python\ndef my_scale(x, bits):\n"
        "    return torch.max(x.abs()) / (2 ** (bits - 1) - 1)\n```\n\n</details>",
    ),
    ("code", "exercises.progress()"),
)
IMPORTS = "import torch\nfrom quantcore import exercises, explore"


def right(monkeypatch, folder: Path):
    """A chapter with one prediction and one exercise: (its path, its notebook)."""
    from types import SimpleNamespace

    from quantcore.exercises import c03

    chapter = SimpleNamespace(
        PREDICTIONS={"zero-point-sign": c03.zero_point_sign},
        EXERCISES={"symmetric-scale": c03.EXERCISES["symmetric-scale"]},
    )
    monkeypatch.setattr(f"{__name__}.CHAPTERS", {"03_params": chapter})
    cells = [new_code_cell(IMPORTS), new_code_cell('explore.set_language("zh")')]
    for kind, source in SOURCES:
        cells.append(new_markdown_cell(source) if kind == "text" else new_code_cell(source))
        if kind == "measured":
            cells[-1].metadata.tags = ["predict"]
    path = folder / "zh" / "03_params.ipynb"
    return path, write_chapter(path, cells)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_a_right_chapter_passes(check, monkeypatch, tmp_path):
    path, notebook = right(monkeypatch, tmp_path)
    assert list(check(notebook, path)) == []


AT = {"text": 2, "predict": 3, "measured": 4, "task": 5, "stub": 6, "check": 7, "solution": 8}
WRONG = [
    (calls_in_other_ways, "predict", 'x = exercises.predict("zero-point-sign")', "alone in it"),
    (calls_in_other_ways, "check", '1\nexercises.check("symmetric-scale", my)', "alone in it"),
    (unknown_names, "predict", 'exercises.predict("byte-5d")', "each of its PREDICTIONS once"),
    (unknown_names, "check", 'exercises.check("pack-int4", my_scale)', "each of its EXERCISES"),
    (predictions_out_of_place, "text", "# 参数", "the question stands"),
    (predictions_out_of_place, "measured", "untagged", "is tagged predict"),
    (turns_out_of_place, "task", "**【操作】** 写出缩放因子。", "the time, the difficulty"),
    (turns_out_of_place, "stub", "def other(x, bits):\n    return ...", "defines my_scale"),
    (turns_out_of_place, "solution", "参考答案", "below"),
    (turns_out_of_place, "solution", FOLD["zh"] + "除以 127。\n\n</details>", "below"),
    (wrong_stubs_and_solutions, "stub", "def my_scale(x, bits):\n    return 0", "its stub gets"),
    (wrong_stubs_and_solutions, "solution", SOURCES[6][1].replace(" - 1)", ")"), "does not pass"),
    (wrong_stubs_and_solutions, "solution", SOURCES[6][1].replace("torch.", "np."), "NameError"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "where", "source", "said"), WRONG)
def test_what_is_wrong_is_said(check, where, source, said, monkeypatch, tmp_path):
    path, notebook = right(monkeypatch, tmp_path)
    cell = notebook.cells[AT[where]]
    if source == "untagged":
        cell.metadata.tags = []
    else:
        cell.source = source
    found = list(check(notebook, path))
    assert any(said in line for line in found), found


def test_it_runs_with_every_stub_untouched_and_says_the_same_twice(monkeypatch, tmp_path):
    monkeypatch.delenv("QUANTCORE_STATIC", raising=False)
    path, notebook = right(monkeypatch, tmp_path)
    seen = []
    for _ in range(2):
        build.execute(notebook, path.parent)
        seen.append([cell.get("outputs") for cell in notebook.cells])
    assert seen[0] == seen[1]
    assert not [p for p in path.parent.iterdir() if p.suffix not in (".py", ".ipynb")]
    shown = [c.outputs[0] for c in notebook.cells if c.get("outputs")]
    texts = [output.data["text/plain"] for output in shown[1:]]  # the first chose the language
    words.set_language("zh")
    try:
        asking, verdicts = catalogue("zh")["asking"], catalogue("zh")["verdicts"]
        label = catalogue("zh")["predictions"]["zero-point-sign"]["label"]
        assert texts == [asking["unanswered"].format(label=label), "-64", verdicts["untouched"],
                         catalogue("zh")["progress"]["elsewhere"]]  # fmt: skip
    finally:
        words.set_language("en")


def test_settings_to_choose_have_dots_in_their_stub():
    for exercise in exercises.EXERCISES.values():
        if isinstance(exercise, Settings):
            assert ... not in exercise.good.values()
