"""Fixtures of the book's tests.

They import books.py when they are used: it skips whoever imports it without the book extra.
"""

import functools
import http.server
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from browser import chromium

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A book of two chapters in Chinese, one of them in English too."""
    from books import FIRST, SECOND, built, new_markdown_cell, write_book

    folder = write_book(tmp_path_factory.mktemp("small"), a=FIRST, b=SECOND)
    built(folder)
    built(write_book(folder, "en", b=[new_markdown_cell("# Two")]), "en")
    return folder


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """Every edition of the course, built once as `make book` does, with the cache of it."""
    out = tmp_path_factory.mktemp("book")
    command = [sys.executable, str(ROOT / "book/build.py"), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")  # no longer: other modules start a browser of their own
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def visit(browser):
    """A page of a desktop with the network off."""
    from books import Visit

    with Visit(browser) as visit:
        visit.page.context.set_offline(True)
        yield visit


@pytest.fixture(scope="session")
def site(book):
    """The book on a server, in a folder below its root; yields the address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(book.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{book.name}"
        server.shutdown()
