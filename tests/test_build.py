"""The build of the chapters: repeatable, without widgets, and it stops at what fails."""

import nbformat
import pytest
from chapters import right_chapter
from test_notebooks import CHECKS

from notebooks import build


@pytest.fixture
def chapter(tmp_path):
    return right_chapter(tmp_path)


def test_build_is_repeatable_and_keeps_no_widget(chapter, monkeypatch, capsys):
    path, _ = chapter
    monkeypatch.setattr(build, "ROOT", path.parents[1])
    monkeypatch.setenv("QUANTCORE_STATIC", "1")  # would put a page of HTML in the notebook
    build.main([])
    first = path.read_bytes()
    build.main(["zh/03_params"])
    assert path.read_bytes() == first
    assert capsys.readouterr().out.count("03_params.py  ") == 2
    notebook = nbformat.read(path, as_version=4)
    for check in CHECKS:
        assert not list(check(notebook, path)), check.__name__


def test_build_stops_at_a_cell_that_fails(chapter, monkeypatch):
    path, _ = chapter
    monkeypatch.setattr(build, "ROOT", path.parents[1])
    path.with_suffix(".py").write_text("# %%\nx = 1\n\n# %%\nx / 0  # here\n", "utf-8")
    with pytest.raises(SystemExit) as stop:
        build.main([])
    assert all(w in str(stop.value) for w in ("03_params.py", "x / 0  # here", "ZeroDivisionError"))
    assert not path.exists()


def test_build_knows_its_chapters():
    with pytest.raises(SystemExit, match="no chapter is named 09_nothing"):
        build.main(["09_nothing"])
