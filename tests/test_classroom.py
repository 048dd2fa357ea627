"""The class edition: what a student gets, what an instructor gets, and nbgrader's points."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from notebooks import build, classroom
from notebooks.tags import INSTRUCTOR, tags

CHAPTER = "00_start"
EDITIONS = sorted(path.parent.name for path in build.ROOT.glob("[!.]*/SUMMARY.md"))


@pytest.fixture(scope="module")
def edition(tmp_path_factory):
    """The class edition around a book of one page for each language."""
    target = tmp_path_factory.mktemp("class")
    for language in EDITIONS:
        slides = target / "book" / language / "slides"
        slides.mkdir(parents=True)
        (slides / f"{CHAPTER}.html").write_text("deck")
        for page in ("index", "instructor"):
            (slides.parent / f"{page}.html").write_text("book")
    archive = classroom.write_class(target, target / "book", EDITIONS)
    with zipfile.ZipFile(archive) as file:
        file.extractall(target / "unpacked")
    return target / "unpacked" / classroom.NAME


def cells(path):
    return nbformat.read(path, as_version=4).cells


@pytest.mark.parametrize("language", EDITIONS)
def test_a_student_gets_no_answer_and_an_instructor_all(edition, language):
    chapters = sorted((build.ROOT / language).glob("*.ipynb"))
    for chapter in chapters:
        student = cells(edition / "students/notebooks" / language / chapter.name)
        teacher = cells(edition / "instructor/notebooks" / language / chapter.name)
        assert not [c for c in student if c.get("outputs") or "<details" in c.source]
        assert not [c for c in student if INSTRUCTOR in tags(c)]
        assert teacher == cells(chapter)
        code = [c.source for c in teacher if c.cell_type == "code"]
        assert [c.source for c in student if c.cell_type == "code"] == code
    whole = cells(edition / "instructor/notebooks" / language / f"{CHAPTER}.ipynb")
    assert any("<details" in c.source for c in whole), "the answers"
    assert any(INSTRUCTOR in tags(c) for c in whole), "the notes"


def test_the_first_page_leads_to_everything(edition):
    page = (edition / "index.html").read_text("utf-8")
    links = re.findall(r'href="([^"]+)"', page)
    assert len(links) == 6 * len(EDITIONS)
    assert ">Start</a>" in page and ">开始</a>" in page, "a deck is called by its chapter's title"
    for link in links:
        assert (edition / link).exists(), link


def test_a_student_can_import_the_package_from_the_folder(edition):
    """And find what 00 reads, from where 00 is."""
    code = "import quantcore; print(quantcore.__file__)"
    env = os.environ | {"PYTHONPATH": str(edition / "students")}
    here = edition / "students/notebooks" / EDITIONS[0]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, env=env, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_relative_to(edition)
    assert (here / "../../pyproject.toml").exists()
    assert "pip install" in (edition / "students/README.md").read_text("utf-8")


# ---- nbgrader -------------------------------------------------------------------------------


def nbgrader(folder, *arguments):
    """nbgrader starts alembic by its name, so the environment's programs are on the PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "nbgrader", *arguments]
    env = os.environ | {"PATH": path, "PYTHONPATH": str(build.ROOT.parent)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def test_assignments_are_the_same_code_in_every_edition(edition):
    codes = [
        [
            c.source
            for path in sorted((edition / "instructor/nbgrader" / language).rglob("*.ipynb"))
            for c in cells(path)
            if c.cell_type == "code" and "set_language" not in c.source
        ]
        for language in EDITIONS
    ]
    assert codes[0] and all(code == codes[0] for code in codes)


def test_nbgrader_gives_the_points_that_an_answer_deserves(edition):
    """All right, untouched, and half of it right and half of it wrong."""
    pytest.importorskip("nbgrader", reason="the class extra is not installed: no nbgrader")
    folder = edition / "instructor/nbgrader" / EDITIONS[0]
    nbgrader(folder, "generate_assignment", CHAPTER)
    source = cells(folder / f"source/{CHAPTER}/{CHAPTER}.ipynb")
    released = nbformat.read(folder / f"release/{CHAPTER}/{CHAPTER}.ipynb", as_version=4)
    text = "\n".join(c.source for c in released.cells)
    assert "SOLUTION" not in text and "HIDDEN" not in text
    chapter = cells(build.ROOT / EDITIONS[0] / f"{CHAPTER}.ipynb")
    graded = {  # name → (the stub in the chapter, its solution, its points)
        about["grade_id"]: (
            stub.source,
            re.search(r"### BEGIN SOLUTION\n(.*?)\n### END", ours.source, re.DOTALL)[1],
            check.metadata["nbgrader"]["points"],
        )
        for stub, check in zip(chapter, chapter[1:], strict=False)
        if (about := stub.metadata.get("nbgrader", {})).get("solution")
        for ours in source
        if ours.metadata.get("nbgrader", {}).get("grade_id") == about["grade_id"]
    }
    assert len(graded) == 4
    for cell in released.cells:
        if (about := cell.metadata.get("nbgrader", {})).get("solution"):
            assert cell.source.strip() == graded[about["grade_id"]][0].strip(), "its stub"

    right = list(graded)[:2]
    wrong = {name: stub.replace("return ...", "return 0.0") for name, (stub, *_) in graded.items()}
    students = {
        "right": {name: solution for name, (_, solution, _) in graded.items()},
        "untouched": {},
        "half": wrong | {name: graded[name][1] for name in right},
    }
    for student, answers in students.items():
        notebook = nbformat.from_dict(released)
        for cell in notebook.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            cell.source = answers.get(name, cell.source)
        place = folder / f"submitted/{student}/{CHAPTER}/{CHAPTER}.ipynb"
        place.parent.mkdir(parents=True)
        nbformat.write(notebook, place)
        # A submission is read again from its file: the same object would keep the answers.
        released = nbformat.read(folder / f"release/{CHAPTER}/{CHAPTER}.ipynb", as_version=4)
    nbgrader(folder, "autograde", CHAPTER, "--create")
    nbgrader(folder, "export")
    rows = (folder / "grades.csv").read_text("utf-8").splitlines()
    head = rows[0].split(",")
    points = {
        row.split(",")[head.index("student_id")]: float(row.split(",")[head.index("score")])
        for row in rows[1:]
    }
    expected = {name: sum(graded[n][2] for n in names) for name, names in
                {"right": graded, "untouched": (), "half": right}.items()}  # fmt: skip
    assert points == expected
