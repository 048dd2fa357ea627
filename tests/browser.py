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
from pathlib import Path

import nbformat

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
TOKEN = "course"


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


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
    """A JupyterLab that serves `folder` with this Python's kernel; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = Path(__file__).resolve().parents[1]
    env = os.environ | {"PYTHONPATH": str(root), "JUPYTER_CONFIG_DIR": str(folder / ".config")}
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *(f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"),
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
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
    """Wait until the notebook's kernel is there and does nothing."""
    idle = ".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status=idle]"
    page.wait_for_selector(idle, timeout=120_000, state="attached")


def open_notebook(page, address: str, name: str) -> None:
    """Show the notebook alone, run all of its cells, and wait until the last one is done."""
    page.goto(f"{address}/lab/tree/{name}?token={TOKEN}&reset")
    wait_until_idle(page)
    page.click(".jp-Notebook .jp-CodeCell .jp-InputArea-editor >> nth=0")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(
        """() => [...document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputArea-prompt')]
            .every(p => /\\[\\d+\\]/.test(p.textContent))""",
        timeout=120_000,
    )
