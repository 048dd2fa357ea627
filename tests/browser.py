"""A real JupyterLab and a real Chromium, for the browser tests and the latency benchmark."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
WHOLE = ".qc-panels > img"  # a static figure's picture, where its panels have no rows of their own
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
TOKEN = "course"


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


needs_chromium = pytest.mark.skipif(
    find_chromium() is None,
    reason="no Chromium on PATH: install Debian's `chromium` package to run the browser tests",
)


@contextmanager
def chromium():
    """A headless Chromium. One at a time: Playwright cannot be started twice in a thread."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()


def new_page(browser, **options):
    """A page of 1280×720 whose uncaught errors are collected in page.problems."""
    page = browser.new_page(**{"viewport": {"width": 1280, "height": 720}} | options)
    # mdBook's page for printing prints itself as soon as it has loaded: 14 seconds, for nobody.
    page.add_init_script("window.print = () => {}")
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    return page


@contextmanager
def chromium_page(**options):
    """A Chromium with one page."""
    with chromium() as browser:
        yield new_page(browser, **options)


@contextmanager
def jupyterlab(folder: Path):
    """A JupyterLab set up as `make lab` sets it up, that serves `folder`; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = Path(__file__).resolve().parents[1]
    env = os.environ | {
        "PYTHONPATH": str(root),
        "JUPYTER_CONFIG_PATH": str(root / "notebooks"),
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}"),
        *("--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"),
    ]
    log = (folder / "jupyter.log").open("w")
    server = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=5).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    log.flush()
                    text = (folder / "jupyter.log").read_text()
                    raise RuntimeError(f"JupyterLab did not start:\n{text}") from None
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(20)
        log.close()


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook of code cells, not executed."""
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(nb, path)


def wait_until_idle(page) -> None:
    """Wait until the notebook's cells and its kernel are there, and the kernel does nothing."""
    # The status bar says it; the sign beside the kernel's name says idle before there is one.
    idle = page.locator("#jp-main-statusbar").get_by_text("| Idle")
    idle.wait_for(timeout=120_000, state="attached")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(state="attached")


def open_notebook(page, address: str, name: str) -> None:
    """Show the notebook alone, run all of its cells, and wait until the last one is done."""
    page.goto(f"{address}/lab/tree/{name}?token={TOKEN}&reset")
    wait_until_idle(page)
    run_all(page)


def run_all(page) -> None:
    """Run all cells of the notebook that is shown, and wait until the last one is done."""
    page.click(".jp-Notebook .jp-CodeCell .jp-InputArea-editor >> nth=0")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(
        """() => [...document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputArea-prompt')]
            .every(p => /\\[\\d+\\]/.test(p.textContent))""",
        timeout=120_000,
    )


def serious(page, scope: dict[str, list[str]], without: tuple[str, ...] = ()) -> list[str]:
    """What axe finds seriously wrong; `scope` says which selectors it includes or excludes.

    Its rules `without` are left out.
    """
    spec = find_spec("axe_playwright_python")
    if spec is None:
        pytest.skip("the book extra is not installed: no axe_playwright_python")
    if not page.evaluate("'axe' in window"):
        page.evaluate(Path(spec.origin).with_name("axe.min.js").read_text("utf-8"))
    options = {
        "resultTypes": ["violations"],
        "preload": False,  # it would ask for style sheets, which a page from the disk may not
        "rules": {rule: {"enabled": False} for rule in without},
    }
    found = page.evaluate(
        "([scope, options]) => axe.run(scope, options).then(r => r.violations)", [scope, options]
    )
    return [
        f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:200]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
