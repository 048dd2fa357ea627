"""`make present`: the set-up cells have run before the class looks, and nothing else is shown."""

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from browser import chromium_page, needs_chromium
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from notebooks import build, present

CHAPTERS = sorted(build.ROOT.glob("*/[0-9]*.ipynb"))


def test_what_only_prepares_is_run_up_to_the_first_cell_that_does_more():
    sources = ["import torch", "explore.set_language('zh')", "x = 1", "import math"]
    cells = [new_markdown_cell("# A"), *map(new_code_cell, sources)]
    assert present.set_up(new_notebook(cells=cells)) == [1, 2]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_chapter_has_a_set_up(path):
    notebook = nbformat.read(path, as_version=4)
    sources = [notebook.cells[i].source for i in present.set_up(notebook)]
    assert any("explore.set_language" in source for source in sources), sources


def test_an_unknown_chapter_is_named_beside_the_known(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match="01_information_theory"):
        present.copy("zh", "99_nothing")


@pytest.fixture
def presented():
    """The address of a chapter that is presented, and the seconds that it took to get there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "notebooks/present.py", "zh", "04_quantizer"]
    start = time.monotonic()
    with subprocess.Popen(
        [*command, "--no-browser", f"--port={port}"],
        cwd=present.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        found = (re.match(r"http\S+", line) for line in process.stdout)
        yield next(filter(None, found))[0], start
        process.terminate()
        process.wait(30)


@needs_chromium
def test_one_document_no_side_bars_and_the_first_slider_at_once(presented):
    address, _ = presented
    with chromium_page() as page:
        page.goto(address)
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()
        shown = page.locator(".jp-SideBar, #jp-left-stack, #jp-right-stack")
        assert not [one for one in shown.all() if one.is_visible()]
        text = page.locator(".jp-RenderedMarkdown p").first
        assert text.evaluate("e => parseFloat(getComputedStyle(e).fontSize)") >= 20
        assert not page.locator(".jp-Notebook .jp-OutputArea-output").count(), "nothing is printed"
        cell = page.locator(".jp-CodeCell").filter(has_text="explore.staircase").first
        for _ in range(60):  # cells that are far away are not there yet
            if cell.count():
                break
            page.keyboard.press("PageDown")
            page.mouse.move(640, 400)
            page.mouse.wheel(0, 1500)
            page.wait_for_function("new Promise(r => requestAnimationFrame(() => r(true)))")
        cell.locator(".jp-InputArea-editor").click()
        page.keyboard.press("Control+Enter")
        handle = page.locator(".qc-live .noUi-handle").first
        handle.wait_for(timeout=10_000)
        line = page.locator(".qc-live .qc-line").last  # above it stands what is kept as A
        before = line.inner_text()
        handle.press("ArrowRight")
        page.wait_for_function(
            "before => [...document.querySelectorAll('.qc-line')].at(-1).innerText !== before",
            arg=before,
        )
        assert not page.problems
    copy = Path(present.ROOT, "my/zh/04_quantizer-class.ipynb")
    assert copy.exists(), "the class's own copy"
