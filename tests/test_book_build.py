"""Small books, built with mdBook."""

import json
import re
import shutil
from types import SimpleNamespace

import pytest
from books import FIRST, built, main_of, run_mdbook, write_book
from nbformat.v4 import new_code_cell, new_markdown_cell

from book import build, cache, finish, words


def test_the_page_of_a_notebook(small):
    page = main_of(small / "_book/zh/a.html")
    assert page.count("<math") == 3 and "<code>$x$</code>" in page
    assert "price = '$5 and $6'" in page and "$5 and $6\n&lt;b&gt; &amp; $x$" in page
    assert 'href="b.html#第二节"' in page and 'id="第二节"' in main_of(small / "_book/zh/b.html")
    assert "<strong>粗</strong>" in page and "<li>一</li>" in page and "</details>" in page
    assert "<p>static 1</p>" in page and "<i>kept</i>" in page
    (image,) = re.findall(r'<img src="(assets/\w+\.png)" alt="a &quot;dot&quot;"', page)
    assert (small / "_book/zh" / image).read_bytes().startswith(b"\x89PNG")
    assert "-8" in main_of(small / "_book/zh/b.html")


def test_the_notebook_lies_beside_its_page(small):
    downloaded = small / "_book/zh/a.ipynb"
    assert downloaded.read_bytes() == (small / "notebooks/zh/a.ipynb").read_bytes()
    assert '<a href="a.ipynb" download' in main_of(small / "_book/zh/a.html")
    assert not list((small / "_book/zh").glob("*.py"))


def test_mdbooks_own_search_is_gone(small):
    text = (small / "_book/zh/a.html").read_text("utf-8")
    assert "mdbook-search" not in text and not list((small / "_book/zh").glob("searchindex*"))


def test_one_edit_executes_one_notebook(small, tmp_path):
    folder = tmp_path / "book"
    shutil.copytree(small, folder)
    assert set(re.findall(r"zh/(\w+): (kept|executed)", built(folder))) == {
        ("a", "kept"),
        ("b", "kept"),
    }
    # Words are no reason to execute, code is.
    write_book(folder, a=[new_markdown_cell("# New\n\n$q$"), *FIRST[1:]])
    assert "zh/a: kept" in built(folder) and "New" in main_of(folder / "_book/zh/a.html")
    write_book(folder, a=[*FIRST, new_code_cell("print('changed')")])
    said = built(folder)
    assert "zh/a: executed in" in said and "zh/b: kept" in said
    assert "changed" in main_of(folder / "_book/zh/a.html")


@pytest.mark.parametrize(
    "cell, words",
    [
        (new_code_cell("x = 1\nx / 0"), ["ZeroDivisionError: division by zero", "x / 0"]),
        (new_code_cell("import warnings\nwarnings.warn('beware')"), ["stderr", "beware"]),
        (new_markdown_cell(r"so $\nosuchthing{x}$"), [r"\nosuchthing"]),
    ],
    ids=["error", "warning", "formula"],
)
def test_a_cell_that_fails_stops_the_build(tmp_path, cell, words):
    folder = write_book(tmp_path, a=[FIRST[0], cell], b=[new_markdown_cell("# B")])
    done = run_mdbook(folder)
    assert done.returncode != 0
    assert re.search(r"\ba(\.ipynb)?, cell 2\b", done.stderr), done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert not (folder / "_book/zh/index.html").exists()


def test_mdbook_builds_from_any_folder_into_any_folder(tmp_path):
    """As a reader calls it: with the Python of the environment on PATH, and nothing else."""
    folder = write_book(tmp_path / "a book", a=[new_markdown_cell("# A")])
    out, cwd = tmp_path / "far" / "away" / "out", tmp_path / "elsewhere"
    cwd.mkdir()
    done = run_mdbook(folder, cwd=cwd, PYTHONPATH="", MDBOOK_BUILD__BUILD_DIR=str(out))
    assert done.returncode == 0, done.stderr
    assert (out / "a.html").exists() and (out / "pagefind/pagefind.js").exists()


@pytest.mark.parametrize("name", ["sheet.py", "words/zh.toml"])
def test_the_outputs_depend_on_the_code_and_the_words_of_the_package(name, tmp_path, monkeypatch):
    package = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(cache, "find_spec", lambda _: package)
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    keys = set()
    for text in ("a", "b"):
        file.write_text(text, "utf-8")
        keys.add(cache.key(tmp_path, ["x = 1"]))
    assert len(keys) == 2


def test_an_unknown_key_is_an_error(tmp_path):
    folder = write_book(tmp_path, a=[new_markdown_cell("# A")])
    with (folder / "book.toml").open("a", encoding="utf-8") as file:
        file.write("\n[book.nothing]\n")
    assert run_mdbook(folder).returncode != 0


@pytest.mark.parametrize(
    "line, warns",
    [
        (" WARN Failed to find a chapter", True),
        ("\x1b[31mERROR\x1b[0m it did not work", True),
        ("2026-01-01T00:00:00.000000Z  WARN mdbook: so", True),
        (" INFO Book building has started", False),
        ("[IPKernelApp] ERROR | KeyboardInterrupt caught in kernel", False),  # as it is shut down
        ("zh/a: executed in 1.0 s", False),
    ],
)
def test_what_mdbook_warns_of(line, warns):
    assert build.complains(line) is warns


def test_mdbooks_own_words_are_in_the_language_of_the_edition(small):
    """A new mdBook says something else: then a word is missing here, or left over."""
    said = re.compile(
        r'(?:title|aria-label)="([^"]*)"|class="theme"[^>]*>([^<]*)<|<p>(Press .*?)</p>'
    )
    edition = small / "_book/zh"
    pages = [edition / "a.html", edition / "b.html", *edition.glob("book-*.js")]
    chinese = "\n".join(path.read_text("utf-8") for path in pages)
    assert not [w for w in words.catalogue("zh")["mdbook"].values() if w not in chinese]
    seen = "\n".join(path.read_text("utf-8") for path in pages[:2])  # a script has words for Rust
    left = {"".join(found) for found in said.findall(seen)}
    assert left and not [w for w in left if not re.search("[\u4e00-\u9fff]", w)]
    assert "'已复制'" in chinese and "Copied" not in chinese
    assert (
        words.translated("<p>Light</p><main><p>Light</p></main>", "zh")
        == "<p>明亮</p><main><p>Light</p></main>"
    )


def test_a_language_without_a_catalogue_has_english_words():
    assert words.ours("fr") == words.ours("en") != words.ours("zh")


def test_serving_leaves_the_pages_where_mdbook_serves_them(tmp_path):
    folder = write_book(tmp_path, a=[new_markdown_cell("# A")])
    built(folder, MDBOOK_OUTPUT__HTML__LIVE_RELOAD_ENDPOINT="__livereload")
    assert (folder / "_book/zh/html/a.html").exists()
    assert (folder / "_book/zh/html/editions.js").exists()


def test_editions_know_of_each_other(tmp_path):
    for name, pages in {"zh": ["a.html", "b.html"], "en": ["b.html"]}.items():
        (tmp_path / name).mkdir()
        about = {"language": name, "name": name, "pages": pages}
        (tmp_path / name / finish.EDITION).write_text(json.dumps(about), "utf-8")
    finish.tell_each_other(tmp_path)
    text = (tmp_path / "zh/editions.js").read_text("utf-8")
    assert (
        '"en": {"language": "en", "name": "en", "pages": ["b.html"]}' in text and '"zh"' not in text
    )
