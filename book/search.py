"""The search index of an edition: one record for each section of each chapter, by Pagefind.

Pagefind cuts Chinese into words by one dictionary, and the browser cuts what is searched by
another, so that many terms are not found. Here every Chinese character is a word by itself, and
course.js searches for the characters of a term one after the other.
"""

import html
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import NamedTuple

CHINESE = re.compile(r"([\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef])")
NOT_TEXT = re.compile(
    r'<(script|style|button)\b.*?</\1>|<p class="notebook-links".*?</p>', re.DOTALL
)
# Tags inside a word or a formula; every other tag ends a word.
INLINE = re.compile(r"</?(?:a|b|i|em|strong|span|math|m[a-z]+)\b[^>]*>")
# Pagefind's own interfaces: ours is in course.js.
UNUSED = ("pagefind-component-ui", "pagefind-highlight", "pagefind-modular-ui", "pagefind-ui")
# What Pagefind reads: a page for each section.
RECORD = Template("""<!doctype html>
<html lang="en"><title>-</title>
<body data-pagefind-meta="address[data-address]" data-address="$address">
<main data-pagefind-meta="title[data-title]" data-title="$title">
<p data-pagefind-meta="chapter[data-chapter]" data-chapter="$chapter">$text</p>
</main></body></html>
""")


class Section(NamedTuple):
    """A part of a chapter: from a heading to the next."""

    address: str
    title: str
    chapter: str
    text: str


def text_of(markup: str) -> str:
    """The words of some HTML."""
    inline = INLINE.sub("", NOT_TEXT.sub(" ", markup))
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", inline)).split())


def sections(page: str, name: str) -> Iterator[Section]:
    """The sections of a page that mdBook wrote; `name` is its address."""
    main = page.partition("<main>")[2].rpartition("</main>")[0]
    chapter = ""
    for part in re.split(r"(?=<h[1-3] id=)", main):
        heading = re.match(r'<h[1-3] id="([^"]*)"[^>]*>(.*?)</h[1-3]>', part, flags=re.DOTALL)
        title = text_of(heading[2]) if heading else ""
        chapter = chapter or title
        if text := text_of(part):
            address = f"{name}#{html.unescape(heading[1])}" if heading else name
            yield Section(address, title or chapter, chapter, text)


def spaced(text: str) -> str:
    """The text with each Chinese character as a word."""
    return " ".join(CHINESE.sub(r" \1 ", text).split())


def write_index(pages: Path, names: list[str]) -> None:
    """Index these pages, and write the index beside them. Exits where Pagefind fails.

    By Pagefind's command, which has written everything when it ends. Its Python interface ends
    its process after the last answer, and on a busy machine that cut files off (pagefind.js at
    32 KiB); it also waits a tenth of a second for each record.
    """
    found = [s for name in names for s in sections((pages / name).read_text("utf-8"), name)]
    with tempfile.TemporaryDirectory() as folder:
        for number, section in enumerate(found):
            record = Path(folder) / f"{number}.html"
            record.write_text(RECORD.substitute(_escaped(section)), "utf-8")
        command = [sys.executable, "-m", "pagefind", "--site", folder]
        done = subprocess.run(
            [*command, "--output-path", str(pages / "pagefind")],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
    if done.returncode:
        sys.exit(f"pagefind failed:\n{done.stdout}\n{done.stderr}")
    for unused in UNUSED:
        for path in (pages / "pagefind").glob(f"{unused}.*"):
            path.unlink()


def _escaped(section: Section) -> dict[str, str]:
    fields = section._replace(text=spaced(section.text))._asdict()
    return {key: html.escape(value) for key, value in fields.items()}
