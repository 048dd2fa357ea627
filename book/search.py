"""The search index of an edition: one record for each section of each chapter, by Pagefind.

Pagefind cuts Chinese into words by one dictionary, and the browser cuts what is searched by
another, so that many terms are not found. Here every Chinese character is a word by itself, and
course.js searches for the characters of a term one after the other.
"""

import asyncio
import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pagefind.index import PagefindIndex

CHINESE = re.compile(r"([\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef])")
NOT_TEXT = re.compile(
    r'<(script|style|button)\b.*?</\1>|<p class="notebook-links".*?</p>', re.DOTALL
)
# Tags inside a word or a formula; every other tag ends a word.
INLINE = re.compile(r"</?(?:a|b|i|em|strong|span|math|m[a-z]+)\b[^>]*>")
# Pagefind's own interfaces: ours is in course.js.
UNUSED = ("pagefind-component-ui", "pagefind-highlight", "pagefind-modular-ui", "pagefind-ui")


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
    """Index these pages, and write the index beside them."""
    found = [s for name in names for s in sections((pages / name).read_text("utf-8"), name)]
    target = pages / "pagefind"
    asyncio.run(_index(found, target))
    for unused in UNUSED:
        for path in target.glob(f"{unused}.*"):
            path.unlink()


async def _index(found: list[Section], target: Path) -> None:
    async with PagefindIndex({"output_path": str(target)}) as index:
        for section in found:  # Pagefind's Python reads ten answers a second, however many are sent
            meta = section._asdict()
            text = spaced(meta.pop("text"))
            await index.add_custom_record(
                url=section.address, content=text, language="en", meta=meta
            )
