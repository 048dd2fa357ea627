"""What the checks of the chapters share: where they are, what they hold, and one that is right.

A check takes a notebook and its path (or an edition's folder) and yields what is wrong, in words.
Each file of checks shows every one of them a notebook that is wrong.
"""

import json
import re
from functools import lru_cache
from pathlib import Path

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from book import formulas
from notebooks import build
from notebooks.tags import tags

EDITIONS = sorted(path.parent for path in build.ROOT.glob("[!.]*/SUMMARY.md"))
NOTEBOOKS = [path for edition in EDITIONS for path in sorted(edition.glob("*.ipynb"))]
HEADER = """\
# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

"""
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?[^)]*\)")  # its file, and the place in it
FOLD = {
    language: f"<details><summary>{answer}</summary>\n\n"
    for language, answer in (("zh", "参考答案"), ("en", "Answer"))
}
IGNORED = "nbval-ignore-output"


def name_of(path):
    return f"{path.parent.name}/{path.stem}"


def repair(path):
    return f"run `python notebooks/build.py {path.stem}`"


def code_cells(notebook):
    """(position in the notebook, cell) of each code cell."""
    return [(i, c) for i, c in enumerate(notebook.cells) if c.cell_type == "code"]


def texts(notebook):
    """(position in the notebook, text) of each Markdown cell."""
    return [(i, c.source) for i, c in enumerate(notebook.cells) if c.cell_type == "markdown"]


def prose(text):
    """A text without its formulas, its code and the targets of its links."""
    return re.sub(r"\]\([^)]*\)", "]", formulas.TOKEN.sub("", text))


def outputs(notebook):
    """(position in the notebook, output) of each output."""
    return [(i, output) for i, cell in code_cells(notebook) for output in cell.outputs]


def page(path):
    """The Markdown of another chapter, from its source; nothing where there is none."""
    path = path.with_suffix(".py")
    return _page(path, path.stat().st_mtime_ns) if path.exists() else ""


@lru_cache
def _page(path, time):
    return "\n\n".join(text for _, text in texts(build.read_source(path)))


# ---- one that is right, and what makes it wrong --------------------------------------------

ALT = "3 位的阶梯图，s = 0.4"
ABOUT = {"image/png": {"alt": ALT}, "controls": ["bits", "symmetric"]}


def write_chapter(path: Path, cells):
    """Write the source of a chapter; returns the notebook as the build would write it."""
    path.parent.mkdir(exist_ok=True)
    notebook = new_notebook(cells=cells, metadata=build.METADATA)
    blocks = []
    for i, cell in enumerate(cells):
        cell.id = f"{path.stem}-{i:03}"
        if cell.cell_type == "markdown":
            lines = "".join(f"# {line}".rstrip() + "\n" for line in cell.source.splitlines())
            blocks.append(f"# %% [markdown]\n{lines}")
        else:
            marked = f" tags={json.dumps(tags(cell))}" if tags(cell) else ""
            blocks.append(f"# %%{marked}\n{cell.source}\n")
    for count, (_, cell) in enumerate(code_cells(notebook), start=1):
        cell.execution_count = count
    path.with_suffix(".py").write_text(HEADER + "\n".join(blocks), "utf-8")
    return notebook


def right_chapter(folder: Path):
    """A chapter of a small edition with nothing wrong: (its path, its notebook)."""
    path = folder / "zh" / "03_params.ipynb"
    sources = ["from quantcore import explore", 'explore.set_language("zh")', "explore.staircase()"]
    text = "# 一 量化\n\n[x](03_params.ipynb#一-量化)"
    cells = [new_markdown_cell(text), *map(new_code_cell, sources)]
    cells[-1].metadata.tags = [IGNORED]
    cells[-1].source = "# times differ\n" + cells[-1].source
    data = {"image/png": "", "text/plain": ALT}
    cells[-1].outputs = [
        new_output("display_data", data=data, metadata=ABOUT),
        new_output("stream", text="1 2"),
    ]
    return path, write_chapter(path, cells)


def put(where, value):
    """A change to a notebook: put("cells 1 source", …) sets notebook.cells[1].source."""
    *way, last = [int(step) if step.isdigit() else step for step in where.split()]

    def change(notebook):
        for step in way:
            notebook = notebook[step]
        notebook[last] = value

    return change
