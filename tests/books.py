"""What the tests of the book share: small books, the course's pages, a reader of pages."""

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from browser import new_page
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from book import build

ROOT = Path(__file__).parents[1]
NEEDED = ("pagefind", "pypandoc", "ziamath", "fontTools", "nbconvert", "axe_playwright_python")
MISSING = [m for m in NEEDED if find_spec(m) is None]
if shutil.which("mdbook", path=build.variables("zh", ROOT)["PATH"]) is None:
    MISSING.append("mdbook")
if MISSING:
    pytest.skip(
        f"the book extra is not installed: no {', '.join(MISSING)}", allow_module_level=True
    )

EDITIONS = build.editions()


# ---- small books ---------------------------------------------------------------------------

FIRST = (
    new_markdown_cell("# 第一章\n\n量化噪声 $\\Delta^2/12$，`$x$`，[第二章](b.ipynb#第二节)。"),
    new_code_cell("price = '$5 and $6'\nprint(price)\nprint('<b> & $x$')"),
    new_markdown_cell("<details><summary>答案 $y$</summary>\n\n**粗** $z$\n\n- 一\n\n</details>"),
    new_code_cell(
        "import os\n"
        "from base64 import b64decode\n"
        "from IPython.display import HTML, display\n"
        "static = os.environ['QUANTCORE_STATIC']\n"
        "display(HTML('<p>static ' + static + '</p>\\n\\n    <i>kept</i>'))\n"
        "dot = b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNg'\n"
        "    'YGBgAAAABQABpfZFQAAAAABJRU5ErkJggg==')\n"
        "display({'image/png': dot}, raw=True, metadata={'image/png': {'alt': 'a \"dot\"'}})"
    ),
)
SECOND = (
    new_markdown_cell("# 第二章\n\n## 第二节\n\nEntropy 和熵。"),
    new_code_cell("from quantcore.schemes import QuantizationScheme\nQuantizationScheme.INT4.qmin"),
)


def write_book(folder: Path, edition: str = "zh", **chapters) -> Path:
    """A book of its own: the course's configuration and scripts, other notebooks."""
    source = folder / "notebooks" / edition
    source.mkdir(parents=True, exist_ok=True)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "book", folder / "book", ignore=ignore, dirs_exist_ok=True)
    for name in ("book.toml", *(f"notebooks/{name}.py" for name in ("build", "pace", "tags"))):
        shutil.copyfile(ROOT / name, folder / name)
    for name, cells in chapters.items():
        nbformat.write(new_notebook(cells=list(cells)), source / f"{name}.ipynb")
    names = sorted(path.stem for path in source.glob("*.ipynb"))
    listed = "\n".join(f"- [{name}]({name}.ipynb)" for name in names)
    (source / "SUMMARY.md").write_text(f"# Summary\n\n{listed}\n", "utf-8")
    return folder


def run_mdbook(folder: Path, edition: str = "zh", cwd=None, **variables):
    """`mdbook build`, started in the folder `cwd`."""
    env = build.variables(edition, folder / "_book" / edition)
    env |= {"PYTHONPATH": str(ROOT)} | variables
    command = [build.mdbook(env), "build", str(folder)]
    words = {"encoding": "utf-8", "errors": "replace"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, **words)


def built(folder: Path, edition: str = "zh", **variables) -> str:
    """Build, and return what was said."""
    done = run_mdbook(folder, edition, **variables)
    assert done.returncode == 0, done.stderr
    assert not any(map(build.complains, done.stderr.splitlines())), done.stderr
    return done.stderr


def main_of(page: Path) -> str:
    return re.search(r"<main.*</main>", page.read_text("utf-8"), flags=re.DOTALL)[0]


# ---- the course ----------------------------------------------------------------------------


def chapter_names(edition: str) -> list[str]:
    summary = (ROOT / "notebooks" / edition / "SUMMARY.md").read_text("utf-8")
    return re.findall(r"\(([^)]+)\.ipynb\)", summary)


CHAPTERS = [(edition, name) for edition in EDITIONS for name in chapter_names(edition)]
PAGES = CHAPTERS + [(e, name) for e in EDITIONS for name in ("index", "print")]


class Visit:
    """A page that notes what goes wrong: errors, and requests that leave this machine."""

    def __init__(self, browser, **options):
        self.page = new_page(browser, **options)
        self.wrong = self.page.problems
        self.page.on("console", self._console)
        self.page.on("request", self._request)
        self.page.on("requestfailed", self._failed)

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text}")

    def _request(self, request):
        parts = urlsplit(request.url)
        if parts.scheme not in ("file", "data", "blob") and parts.hostname != "127.0.0.1":
            self.wrong.append(f"left the machine: {request.url}")

    def _failed(self, request):
        if request.failure != "net::ERR_ABORTED":  # the next page was asked for
            self.wrong.append(f"failed: {request.url}: {request.failure}")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.page.close()


# What a slider's controls say, and whether its picture is theirs.
STATE = """figure => {
    const chosen = [...figure.querySelectorAll('input, select')].map(i => {
        if (i.type === 'checkbox') return [+i.checked, 2, i.checked ? 'True' : 'False'];
        if (i.type === 'range') return [+i.value, +i.max + 1, i.nextElementSibling.value];
        return [i.selectedIndex, i.options.length, i.options[i.selectedIndex].text];
    });
    const at = chosen.reduce((sum, [index, count]) => sum * count + index, 0);
    const text = figure.querySelector('script[type="application/json"]').textContent;
    const images = [...figure.querySelectorAll(':scope > .qc-panels img')], image = images[0];
    const frame = JSON.parse(text)[at];
    const stretched = i => i.clientWidth / i.clientHeight / (i.naturalWidth / i.naturalHeight);
    return {
        values: chosen.map(c => c[2]), alt: image.alt, line: frame.line,
        shown: figure.querySelector('figcaption').textContent,
        right: images.every(i => i.src === frame.src) && image.alt === frame.alt,
        drawn: image.naturalWidth > 0,
        stretched: images.filter(i => i.clientHeight && Math.abs(stretched(i) - 1) > 0.02).length,
    };
}"""
LOADED = "f => f.querySelector('script[type=\"application/json\"]').textContent.length > 0"


OPEN = """element => {
    for (let d = element.closest('details'); d; d = d.parentElement.closest('details'))
        d.open = true;
}"""


def wait_for_frames(page, figure):
    figure.evaluate(OPEN)
    figure.scroll_into_view_if_needed()
    page.wait_for_function(LOADED, arg=figure.element_handle())
