"""The student's copies of the chapters: what is given, and that nothing is lost."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from notebooks import build, copies
from notebooks.tags import tags

ROOT = Path(__file__).parents[1]
NAME = "03_params.ipynb"
COUNTED = [new_output("execute_result", data={"text/plain": "2"}, execution_count=1)]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A small repository of two chapters that have run."""
    for name in (".gitignore", ".gitattributes", "pyproject.toml", "Makefile", "conftest.py"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("notebooks/zh", "tests", "quantcore"):
        (tmp_path / name).mkdir(parents=True)
    # The second is imported by the first, the third by conftest.py.
    for name in ("copies.py", "tags.py", "again.py"):
        shutil.copy(ROOT / "notebooks" / name, tmp_path / "notebooks")
    for name in ("00_start.ipynb", NAME):
        write_chapter(tmp_path, name, "1 + 1")
    (tmp_path / "notebooks/zh/SUMMARY.md").touch()
    monkeypatch.setattr(copies, "ROOT", tmp_path)
    return tmp_path


def write_chapter(repository, name, source, printed=COUNTED):
    cells = [new_markdown_cell("# 一", id="a"), new_code_cell(source, id="b", outputs=printed)]
    cells[1].metadata.tags, cells[1].execution_count = ["predict"], 1
    notebook = new_notebook(cells=cells, metadata=build.METADATA)
    nbformat.write(notebook, repository / "notebooks/zh" / name)


def update(repository):
    """What `make lab` does first; returns the folder of the copies."""
    copies.main(["zh"])
    return repository / "my/zh"


def names(folder):
    return sorted(path.name for path in folder.glob("*.ipynb"))


def edit(copy, change):
    notebook = nbformat.read(copy, as_version=4)
    change(notebook)
    nbformat.write(notebook, copy)


def source(copy):
    return nbformat.read(copy, as_version=4).cells[1].source


def run_it(notebook):
    notebook.cells[1].outputs, notebook.cells[1].execution_count = COUNTED, 1


EDITS = {
    "code": lambda notebook: notebook.cells[1].update(source="1 + 2"),
    "text": lambda notebook: notebook.cells[0].update(source="# 我的"),
    "a cell more": lambda notebook: notebook.cells.append(new_code_cell("")),
    "outputs": run_it,
}


# ---- what is given -------------------------------------------------------------------------


@pytest.mark.parametrize("edition", [p.parent for p in sorted(build.ROOT.glob("*/SUMMARY.md"))])
def test_a_copy_is_the_chapter_without_what_it_printed(edition, tmp_path, monkeypatch):
    shutil.copytree(edition, tmp_path / "notebooks" / edition.name)
    monkeypatch.setattr(copies, "ROOT", tmp_path)
    copies.main([])
    folder = tmp_path / "my" / edition.name
    assert names(folder) == names(edition)
    with_notes = []
    for path in folder.glob("*.ipynb"):
        chapter, copy = (nbformat.read(p, as_version=4) for p in (edition / path.name, path))
        nbformat.validate(copy)
        code = [cell for cell in chapter.cells if cell.cell_type == "code"]
        assert any(cell.outputs for cell in code) or not code
        assert all(not cell.get("outputs") for cell in copy.cells)
        assert all(cell.get("execution_count") is None for cell in copy.cells)
        copy.cells[0].source = re.sub(
            r"^\[.*\]\(\.\./.*\n\n?", "", copy.cells[0].source, flags=re.M
        )
        students = [cell for cell in chapter.cells if "instructor" not in tags(cell)]
        for kept in ("id", "cell_type", "source", "metadata"):
            assert [c[kept] for c in copy.cells] == [c[kept] for c in students]
        assert copy.metadata.keys() == {"kernelspec", "language_info"}, "it is paired with no .py"
        with_notes += [path.stem] if len(students) < len(chapter.cells) else []
    assert with_notes, "no chapter has a cell for the instructor"


@pytest.mark.parametrize("path", sorted(build.ROOT.glob("*/*.ipynb")), ids=lambda path: path.stem)
def test_what_a_chapter_refers_to_is_found_from_its_copy(path):
    here = ROOT / "my" / path.parent.name  # git has no such folder, but no link needs it to be
    chapters = set(names(path.parent))
    for cell in nbformat.read(path, as_version=4).cells:
        named = r'"(\.\./[^"]+)"' if cell.cell_type == "code" else r"\]\(([^)#:\s]+)"
        for target in re.findall(named, cell.source):
            there = Path(os.path.normpath(here / target))
            assert target in chapters or there.exists(), f"{target} is not beside the copies"


def test_a_copy_leads_to_its_other_edition_which_is_given_too(repository):
    source = "# One\n\nText."
    for name in ("SUMMARY.md", "00_start.ipynb"):
        path = repository / "notebooks/en" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    nbformat.write(new_notebook(cells=[new_markdown_cell(source)]), path)
    copies.main([])
    first = {
        name: nbformat.read(repository / "my" / name, as_version=4).cells[0].source
        for name in ("zh/00_start.ipynb", "en/00_start.ipynb", f"zh/{NAME}")
    }
    assert first == {
        "zh/00_start.ipynb": "# 一\n\n[English](../en/00_start.ipynb)\n",
        "en/00_start.ipynb": "# One\n\n[中文](../zh/00_start.ipynb)\n\nText.",
        f"zh/{NAME}": "# 一",  # there is no other
    }
    assert names(repository / "my/en") == ["00_start.ipynb"]


def test_every_edition_has_a_name():
    assert {p.parent.name for p in build.ROOT.glob("[!.]*/SUMMARY.md")} <= set(copies.NAMES)


def test_a_missing_copy_is_made_and_no_other_is_touched(repository):
    folder = update(repository)
    edit(folder / NAME, run_it)
    before = (folder / NAME).read_bytes()
    (folder / "00_start.ipynb").unlink()
    update(repository)
    assert names(folder) == ["00_start.ipynb", NAME]
    assert (folder / NAME).read_bytes() == before


# ---- a chapter that has changed ------------------------------------------------------------


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_a_new_chapter_is_put_beside_a_copy_that_was_changed(change, repository, capsys):
    copy = update(repository) / NAME
    edit(copy, change)
    before = copy.read_bytes()
    for _ in range(2):
        write_chapter(repository, NAME, "1 + 1  # better")
        update(repository)
    assert names(copy.parent) == ["00_start.ipynb", "03_params-new.ipynb", NAME]
    assert copy.read_bytes() == before
    assert source(copy.with_stem("03_params-new")) == "1 + 1  # better"
    (line,) = capsys.readouterr().out.splitlines()
    assert all(word in line for word in (f"my/zh/{NAME}", "03_params-new.ipynb"))


def test_the_next_new_chapter_takes_the_place_of_one_that_was_not_changed(repository):
    copy = update(repository) / NAME
    edit(copy, run_it)
    for version in ("2", "3"):
        write_chapter(repository, NAME, version)
        update(repository)
    assert source(copy.with_stem("03_params-new")) == "3"
    edit(copy.with_stem("03_params-new"), run_it)
    write_chapter(repository, NAME, "4")
    update(repository)
    assert source(copy.with_stem("03_params-new")) == "3"
    assert source(copy.with_stem("03_params-new-2")) == "4"


def test_a_copy_that_was_not_changed_becomes_the_new_chapter(repository, capsys):
    copy = update(repository) / NAME
    # JupyterLab may write what it knows of the kernel, and another layout of the same cells.
    edit(copy, lambda notebook: notebook.metadata.update(language_info={"name": "python"}))
    write_chapter(repository, NAME, "1 + 1  # better")
    update(repository)
    assert names(copy.parent) == ["00_start.ipynb", NAME]
    assert source(copy) == "1 + 1  # better"
    assert f"my/zh/{NAME}" in capsys.readouterr().out


def test_a_chapter_that_was_only_built_again_is_not_new(repository, capsys):
    copy = update(repository) / NAME
    edit(copy, run_it)
    write_chapter(repository, NAME, "1 + 1", printed=[])
    update(repository)
    assert names(copy.parent) == ["00_start.ipynb", NAME]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("text", ["", '{"cells": [', "{}"])
def test_a_copy_that_cannot_be_read_is_kept(text, repository):
    copy = update(repository) / NAME
    copy.write_text(text)
    write_chapter(repository, NAME, "1 + 1  # better")
    update(repository)
    assert copy.read_text() == text
    assert source(copy.with_stem("03_params-new")) == "1 + 1  # better"


@pytest.mark.parametrize("memory", [None, '{"03_par'])
def test_nothing_is_lost_when_it_is_not_known_what_was_given(memory, repository):
    copy = update(repository) / NAME
    edit(copy, EDITS["code"])
    (copy.parent / copies.GIVEN).unlink()
    if memory:
        (copy.parent / copies.GIVEN).write_text(memory)
    update(repository)
    assert source(copy) == "1 + 2"
    assert source(copy.with_stem("03_params-new")) == "1 + 1"


# ---- a fresh copy --------------------------------------------------------------------------


def test_reset_gives_a_fresh_copy_and_keeps_every_old_one(repository, capsys):
    copy = update(repository) / NAME
    for mine in ("mine", "mine again"):
        edit(copy, lambda notebook, mine=mine: notebook.cells[1].update(source=mine))
        copies.main(["zh", "--reset", "03_params"])
    write_chapter(repository, NAME, "1 + 1  # better")
    copies.main(["zh", "--reset", "03_params"])
    olds = [copy.with_stem(f"03_params-old{end}") for end in ("", "-2", "-3")]
    assert [source(path) for path in [copy, *olds]] == [
        "1 + 1  # better", "mine", "mine again", "1 + 1",
    ]  # fmt: skip
    said = capsys.readouterr().out
    assert all(f"my/zh/{path.name}" in said for path in [copy, *olds])
    edit(copy, run_it)
    update(repository)
    assert len(names(copy.parent)) == 5, "the chapter is known"


@pytest.mark.parametrize("chapter", ["09_nothing", ""])
def test_reset_says_which_chapters_there_are(chapter, repository):
    with pytest.raises(SystemExit, match=r"CHAPTER=03_params`: 00_start, 03_params"):
        copies.main(["zh", "--reset", chapter])


# ---- around them ---------------------------------------------------------------------------


def test_make_reset_and_make_lab_call_it(repository):
    def make(*arguments):
        bins = f"BIN={Path(sys.executable).parent.as_posix()}"
        command = ["make", "-o", ".venv/ready-lab", bins, *arguments]
        # As from a shell: `make test` hands its own options down to every make.
        env = {name: v for name, v in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        return subprocess.check_output(command, cwd=repository, env=env, encoding="utf-8")

    assert "my/zh/03_params.ipynb is fresh" in make("reset", "CHAPTER=03_params")
    copying, opening = make("-n", "lab", "EDITION=zh").splitlines()
    assert copying.endswith("/python notebooks/copies.py")
    assert "JUPYTER_CONFIG_PATH=notebooks" in opening and "jupyter lab" in opening


@pytest.mark.parametrize(
    ("locale", "editions", "opened"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh en", "zh"),
        ({"LANG": "en_GB.UTF-8"}, "zh en", "en"),
        ({"LANG": "de_DE.UTF-8"}, "zh en", "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "zh en", "en"),
        ({"LANG": "C", "LC_MESSAGES": "zh_TW"}, "zh en", "zh"),
        ({}, "zh en", "en"),
        ({"LANG": "en_GB.UTF-8"}, "zh", "zh"),
        ({"LANG": "zh_CN.UTF-8", "EDITION": "en"}, "zh en", "en"),
    ],
)
def test_make_lab_opens_the_language_of_the_system(locale, editions, opened, repository):
    for edition in editions.split():
        (repository / "notebooks" / edition).mkdir(exist_ok=True)
        (repository / "notebooks" / edition / "SUMMARY.md").touch()
    ours = ("LANG", "LC_ALL", "LC_MESSAGES", "EDITION", "MAKE", "MFLAGS")
    env = {name: v for name, v in os.environ.items() if not name.startswith(ours)} | locale
    command = ["make", "-n", "-o", ".venv/ready-lab", "lab"]
    said = subprocess.check_output(command, cwd=repository, env=env, encoding="utf-8")
    assert f"EDITION={opened} JUPYTER" in said


@pytest.mark.skipif(os.name == "nt", reason="Binder runs on Linux")
def test_binder_makes_the_copies_and_finds_the_settings(repository):
    command = [str(ROOT / "start"), "sh", "-c", "echo $JUPYTER_CONFIG_PATH"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = os.environ | {"PATH": path}
    said = subprocess.check_output(command, cwd=repository, env=env, encoding="utf-8")
    assert said.strip() == str(repository / "notebooks")
    assert names(repository / "my/zh") == ["00_start.ipynb", NAME]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_saved_copy_is_seen_by_neither_git_nor_pytest(repository):
    def said(*command):
        return subprocess.check_output(command, cwd=repository, encoding="utf-8")

    me = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    said("git", "init", "-q")
    said("git", "add", ".")
    said("git", *me, "commit", "-qm", "all")
    copy = update(repository) / NAME
    edit(copy, run_it)
    (copy.parent / "test_mine.py").write_text("def test_mine():\n    assert False\n")
    copies.main(["zh", "--reset", "00_start"])
    assert said("git", "status", "--porcelain") == ""
    collected = said(sys.executable, "-m", "pytest", "--collect-only", "-q")
    assert "notebooks/zh/03_params.ipynb::" in collected
    assert "my/" not in collected and "test_mine" not in collected
