"""Write what an instructor takes to class: `make class`, into _class and one zip of it.

For students: each chapter without outputs, without answers and without the instructor's notes, and
the package. For the instructor: the chapters with all three, the book with the decks, and a course
for nbgrader, whose assignments are the exercises. Everything opens by a double click, or runs once
the package is installed, with no network.
"""

import html
import re
import shutil
import sys
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script too

from book import words
from notebooks.build import CHECK
from notebooks.copies import NAMES, editions, fresh

ROOT = Path(__file__).parents[1]
NAME = "quantization-class"
FOLDED = re.compile(r"\n*<details>.*?</details>\n*", re.DOTALL)
TITLE = re.compile(r"\[(.+)\]\((\w+)\.\w+\)")  # of a page in SUMMARY.md, and its file
SOLUTION = re.compile(r"```python\n(.*?)```", re.DOTALL)
# What a student's folder needs to run, and the licences that it is under.
PACKAGE = "quantcore", "pyproject.toml", "constraints.txt", "LICENSE", "LICENSE-TEXT"
NBGRADER = '''"""nbgrader's settings: `nbgrader generate_assignment 00_start`, then autograde."""

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "quantization"
# A released cell keeps the stub that stands above its solution.
c.ClearSolutions.code_stub = {"python": ""}
c.ExecutePreprocessor.timeout = 300  # seconds for a cell
'''
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body{{font:1.1rem/1.7 system-ui,sans-serif;max-width:42em;margin:2em auto;padding:0 1em}}
</style>
<h1>{title}</h1>
{parts}
</html>
"""


def without_answers(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook, with no text that is folded; changed in place."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = FOLDED.sub("\n\n", cell.source).strip()
    notebook.cells = [cell for cell in notebook.cells if cell.source]
    return notebook


def assignment(chapter: Path) -> nbformat.NotebookNode | None:
    """The chapter as nbgrader's source: solutions and tests that it removes; None without any."""
    notebook = fresh(chapter)
    cells, graded = notebook.cells, False
    for stub, check, answer in zip(cells, cells[1:], cells[2:], strict=False):
        if CHECK.match(check.source):
            solution = "".join(SOLUTION.findall(answer.source)).strip()
            stub.source += f"\n\n### BEGIN SOLUTION\n{solution}\n### END SOLUTION"
            test = f'assert {check.source}.status == "passed"'
            check.source += f"\n### BEGIN HIDDEN TESTS\n{test}\n### END HIDDEN TESTS"
            graded = True
    return without_answers(notebook) if graded else None


def write(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Write a notebook, and make the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(notebook) + "\n", "utf-8", newline="\n")


def write_package(folder: Path, editions: list[str]) -> None:
    """The package, as pip wants it, and how to install it."""
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in PACKAGE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copyfile(source, folder / name)
    said = [words.catalogue(edition)["class"]["students"] for edition in editions]
    (folder / "README.md").write_text("\n".join(said) + "\n", "utf-8", newline="\n")


def write_class(target: Path, book: Path, editions: list[str]) -> Path:
    """Write the folder NAME in the target, and a zip beside it; returns the zip's path."""
    folder = target / NAME
    shutil.rmtree(folder, ignore_errors=True)
    students, instructor = folder / "students", folder / "instructor"
    students.mkdir(parents=True)
    write_package(students, editions)
    for edition in editions:
        grader = instructor / "nbgrader" / edition
        for chapter in sorted((ROOT / "notebooks" / edition).glob("*.ipynb")):
            student = without_answers(fresh(chapter))
            write(students / "notebooks" / edition / chapter.name, student)
            write(instructor / "notebooks" / edition / chapter.name, nbformat.read(chapter, 4))
            if source := assignment(chapter):
                write(grader / "source" / chapter.stem / chapter.name, source)
        (grader / "nbgrader_config.py").write_text(NBGRADER, "utf-8", newline="\n")
    shutil.copytree(book, instructor / "book")
    (folder / "index.html").write_text(front(book, editions), "utf-8", newline="\n")
    return Path(shutil.make_archive(str(target / NAME), "zip", target, NAME))


def front(book: Path, editions: list[str]) -> str:
    """The page that opens all the others."""
    parts = []
    for edition in editions:
        said, ours = words.ours(edition), words.catalogue(edition)["class"]
        summary = (ROOT / "notebooks" / edition / "SUMMARY.md").read_text("utf-8")
        titles = {stem: title for title, stem in TITLE.findall(summary)}
        places = {
            f"instructor/book/{edition}/index.html": said["title"],
            f"instructor/book/{edition}/instructor.html": titles["instructor"],
            f"instructor/notebooks/{edition}/": ours["instructor"],
            f"instructor/nbgrader/{edition}/": ours["grading"],
            f"students/notebooks/{edition}/": ours["for-students"],
        }
        decks = {
            f"instructor/book/{edition}/slides/{path.name}": titles[path.stem]
            for path in sorted((book / edition / "slides").glob("*.html"))
        }
        lists = (
            "\n".join(
                f'<li><a href="{place}">{html.escape(name)}</a></li>' for place, name in one.items()
            )
            for one in (places, decks)
        )
        parts.append(
            f'<section lang="{edition}"><h2>{html.escape(NAMES[edition])}</h2>\n'
            f"<ul>\n{next(lists)}\n</ul>\n<h3>{said['slides'].capitalize()}</h3>\n<ul>\n{next(lists)}\n</ul></section>"
        )
    return PAGE.format(title=words.ours(editions[0])["title"], parts="\n".join(parts))


def main() -> None:
    """Write everything; the book must have been built."""
    book, found = ROOT / "_book", editions()
    missing = [edition for edition in found if not (book / edition / "index.html").exists()]
    if missing:
        sys.exit(f"build the book first, as `make class` does: no _book/{missing[0]}")
    print(write_class(ROOT / "_class", book, found).relative_to(ROOT))


if __name__ == "__main__":
    main()
