"""Any cell of a chapter can be run again after Run All, in any order, and says the same.

notebooks/again.py runs them again. Here their code is read: no cell may find a name that
another cell has given a second meaning.
"""

import dis
import re
import subprocess
import sys
from pathlib import Path
from types import CodeType

import nbformat
import pytest
from chapters import NOTEBOOKS, code_cells, name_of
from nbformat.v4 import new_code_cell, new_notebook

from notebooks import build

ROOT = Path(__file__).parents[1]


def uses(code: CodeType, top: bool = True):
    """(how, name) of each global name in a cell's code: "made", "taken", or taken "later".

    A function that the cell defines takes its names later, when any cell may call it; a
    comprehension or a lambda takes them where it stands.
    """
    for step in dis.get_instructions(code):
        if isinstance(inner := step.argval, CodeType):
            at_once = inner.co_name.startswith("<")
            yield from ((how if at_once else "later", name) for how, name in uses(inner, False))
        elif step.opname == "LOAD_GLOBAL" or top and step.opname == "LOAD_NAME":
            yield "taken", step.argval
        elif top and step.opname == "STORE_NAME":
            yield "made", step.argval


def made_twice(notebook):
    """In words, each name that a cell takes from others although two of them make it."""
    makers, takers = {}, {}
    for i, cell in code_cells(notebook):
        own = set()
        for how, name in uses(compile(cell.source, f"cell {i}", "exec")):
            if how == "made":
                own.add(name)
                makers.setdefault(name, set()).add(i)
            elif how == "later" or name not in own:
                takers.setdefault(name, set()).add(i)
    for name in sorted(makers.keys() & takers.keys()):
        if len(makers[name]) > 1:
            made, taken = sorted(makers[name]), sorted(takers[name])
            yield f"{name}: made by the cells {made}, taken by {taken}; give each its own name"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_a_name_that_other_cells_take_is_made_by_one(path):
    found = list(made_twice(build.read_source(path.with_suffix(".py"))))
    assert not found, "\n".join([name_of(path), *found])


# ---- a check that cannot fail checks nothing ----------------------------------------------


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (["x = 1", "print(x)", "x = 2"], "x: made by the cells [0, 2], taken by [1]"),
        (["x = 1", "x = x + 1"], "x: made by the cells [0, 1], taken by [1]"),
        (["x = 1\ndef f():\n    return x", "for x in (2, 3): pass"], "taken by [0]"),
        (["x = 1", "y = [x for _ in (1, 2)]", "x = 2"], "taken by [1]"),
        (["x = 1", "f = lambda: x", "x = 2"], "taken by [1]"),
        (["x = 1\nprint(x)", "x = 2\ny = [x for _ in (1, 2)]"], None),
        (["x = 1", "def f(x):\n    x = 2\n    return x", "class A:\n    x = 2"], None),
    ],
)
def test_a_name_made_twice_is_found(sources, words):
    found = list(made_twice(new_notebook(cells=[*map(new_code_cell, sources)])))
    assert words in found[0] if words else not found


SAID_AGAIN = [
    (["n = [0]", "n[0] += 1; print(n[0])", "1 / (2 - n[0])", "print(len(n))"], {1, 2}),
    (["n = [0]", "n[0] += 1; Image(b'%d' % n[0], format='png')", "print(len(n))"], {1}),
]


@pytest.mark.parametrize(("sources", "wrong"), SAID_AGAIN)
def test_a_cell_that_says_another_thing_again_is_found(sources, wrong, tmp_path):
    """By notebooks/again.py, in a pytest of its own."""
    show = "from IPython.display import Image"
    notebook = new_notebook(cells=[*map(new_code_cell, [f"{show}\n{sources[0]}", *sources[1:]])])
    (tmp_path / "zh").mkdir()
    build.run(notebook, tmp_path, timeout=120)
    nbformat.write(notebook, tmp_path / "zh/chapter.ipynb")
    command = [sys.executable, "-m", "pytest", "-p", "notebooks.again", "-p", "no:cacheprovider"]
    command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    failed = re.findall(r"^FAILED .*Cell (\d+)( again)?", done.stdout, flags=re.MULTILINE)
    assert {int(n) for n, again in failed if again} == wrong, done.stdout + done.stderr
    assert all(again for _, again in failed), "in order everything is right"
