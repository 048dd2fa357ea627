"""Any cell of a chapter can be run again after Run All, in any order, and says the same.

A reader goes back to a cell, runs it again, and believes what it prints. So no cell may find
a name that another cell has given a second meaning, nor change what others have made.
"""

import dis
import random
import zlib
from types import CodeType

import pytest
from chapters import EDITIONS
from nbformat.v4 import new_code_cell, new_notebook
from test_notebooks import IGNORED, NOTEBOOKS, code_cells, name_of

from notebooks import build


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


def said(cell) -> list[str]:
    """A cell's outputs in words, pictures by their digest, without what is random or measured."""
    lines = []
    for o in cell.outputs:
        if o.output_type == "error":
            lines.append(f"{o.ename}: {o.evalue}")
        elif IGNORED not in cell.metadata.get("tags", []):
            data = o.get("data", {})
            lines.append(o.get("text") or data.get("text/plain", ""))
            shown = sorted(data.keys() - {"text/plain", build.WIDGET})
            lines += [f"{kind} {zlib.crc32(str(data[kind]).encode()):08x}" for kind in shown]
    return lines


def says_another_thing(notebook, folder):
    """Run every cell in order, then every cell in a random order; what differs, in words."""
    cells = code_cells(notebook)
    again = random.Random(0).sample(cells, len(cells))
    second = [new_code_cell(cell.source, metadata=cell.metadata) for _, cell in again]
    both = new_notebook(cells=[cell for _, cell in cells] + second)
    build.run(both, folder, timeout=120, allow_errors=True)
    for (i, before), after in zip(again, second, strict=True):
        if (one := said(before)) != (two := said(after)):
            yield "\n".join([f"cell {i}\n-- first:", *one, "-- again:", *two])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_a_name_that_other_cells_take_is_made_by_one(path):
    found = list(made_twice(build.read_source(path.with_suffix(".py"))))
    assert not found, "\n".join([name_of(path), *found])


# The editions have the same code (test_parity.py), so that one of them tells enough.
ONE = [path for path in NOTEBOOKS if path.parent == EDITIONS[-1]]


@pytest.mark.parametrize("path", ONE, ids=name_of)
def test_every_cell_says_the_same_again(path, monkeypatch):
    monkeypatch.delenv("QUANTCORE_STATIC", raising=False)
    found = list(says_another_thing(build.read_source(path.with_suffix(".py")), path.parent))
    assert not found, "\n\n".join([name_of(path), *found])


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


def test_a_cell_that_changes_what_others_made_is_found(tmp_path):
    sources = ["x = [1]", "x[0] += 1", "print(*x)", "1 / x.pop()"]
    found = list(says_another_thing(new_notebook(cells=[*map(new_code_cell, sources)]), tmp_path))
    assert [line for line in found if line.startswith(("cell 2\n-- first:\n2", "cell 3\n"))]
