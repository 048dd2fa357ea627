"""The student's copy in a JupyterLab set up as `make lab` sets it up: opened, run, opened again."""

import nbformat
import pytest
from browser import (
    TOKEN,
    jupyterlab,
    needs_chromium,
    new_page,
    run_all,
    wait_until_idle,
    write_notebook,
)

from notebooks import build, copies
from quantcore.words import label

pytestmark = needs_chromium
CELLS = (
    "from quantcore import explore\nexplore.set_language('en')",
    "explore.staircase()",
    "explore.grid()",
)
DIRTY = ".jp-NotebookPanel.jp-mod-dirty, .lm-TabBar-tab.jp-mod-dirty"
STILLS = ".jp-Notebook .jp-RenderedImage img"


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """(the page that JupyterLab opens first, its server's address, the copy that it shows)."""
    folder = tmp_path_factory.mktemp("lab")
    for name in ("00_start", "01_next"):
        chapter = folder / "notebooks/zh" / f"{name}.ipynb"
        chapter.parent.mkdir(parents=True, exist_ok=True)
        write_notebook(chapter, *CELLS)
        notebook = nbformat.read(chapter, as_version=4)
        notebook.cells[2].metadata = {"tags": ["fold"], "jupyter": {"source_hidden": True}}
        nbformat.write(notebook, chapter)
    with pytest.MonkeyPatch.context() as patch, jupyterlab(folder) as address:
        patch.setattr(copies, "ROOT", folder)
        copies.Copies("zh").update()
        page = new_page(browser)
        page.goto(f"{address}/?token={TOKEN}")
        wait_until_idle(page)
        yield page, address, folder / "my/zh/00_start.ipynb"


def test_the_first_page_is_the_students_copy_in_the_students_folder(lab):
    page, address, _ = lab
    assert page.url.split("?")[0] == f"{address}/lab/tree/my/zh/00_start.ipynb"
    files = page.locator(".jp-DirListing-itemText")
    files.nth(1).wait_for()
    assert files.all_inner_texts() == ["00_start.ipynb", "01_next.ipynb"]
    assert page.locator(DIRTY).count() == 0, "opening it is no change"
    folded = page.locator(".jp-CodeCell").nth(2)
    assert folded.locator(".jp-Placeholder").is_visible()
    assert not folded.locator(".jp-InputArea-editor").is_visible()


def test_a_copy_that_was_saved_and_is_opened_again_shows_its_pictures(lab):
    page, address, copy = lab
    run_all(page)
    page.locator(".qc-live").nth(1).wait_for()
    page.keyboard.press("Control+s")
    page.wait_for_function("dirty => !document.querySelector(dirty)", arg=DIRTY)
    outputs = [o for c in nbformat.read(copy, as_version=4).cells for o in c.outputs]
    assert sum("image/png" in o.get("data", {}) for o in outputs) == 2
    assert not any(build.WIDGET in o.get("data", {}) for o in outputs)

    page.goto("about:blank")
    for session in page.request.get(f"{address}/api/sessions?token={TOKEN}").json():
        gone = page.request.delete(f"{address}/api/sessions/{session['id']}?token={TOKEN}")
        assert gone.ok, "its kernel is shut down"
    page.goto(f"{address}/lab/tree/my/zh/00_start.ipynb?token={TOKEN}&reset")
    wait_until_idle(page)
    page.get_by_text(label("unrun")).nth(1).wait_for()
    stills = page.locator(STILLS)
    assert stills.count() == 2
    for i in range(2):
        assert stills.nth(i).is_visible()
        assert stills.nth(i).evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert page.get_by_text("Error displaying widget").count() == 0
    assert page.locator(DIRTY).count() == 0


def test_jupyterlab_asks_nothing(lab):
    page, _, _ = lab
    assert page.get_by_text("Jupyter news").count() == 0
    assert page.problems == []
