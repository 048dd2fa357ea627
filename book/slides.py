"""Decks: the chapters again, as slides of reveal.js, in the folder `slides` of an edition.

A deck holds the cells of its chapter, so the two cannot disagree. Which cells are slides stands
in the notebook, as nbconvert reads it: `slideshow` with a `slide_type` slide, subslide, fragment,
skip or notes. What is folded in the text, an answer, is the speaker's to give: it goes to the
notes, and so do the cells tagged instructor, which stand in no other page. The notes of each slide
begin with its minute. The outputs are those that the book has: no chapter is executed again.
"""

import re
import shutil
from importlib.resources import files
from pathlib import Path

import nbformat

from book import cache, formulas, words
from book.preprocess import LINK, image, to_page
from notebooks import pace
from notebooks.tags import STARTS, has_slides, slide_type

FOLDED = re.compile(r"<details>\s*<summary>.*?</summary>(.*?)</details>\s*", re.DOTALL)
REVEAL = {
    "reveal.js": "dist/reveal.js",
    "reveal.css": "dist/reveal.css",
    "notes.js": "plugin/notes/notes.js",
    "LICENSE": "LICENSE",
}


def write(root: Path, pages: Path, source: Path, names: list[str], language: str) -> None:
    """Write the decks of the chapters `names` that have slides, and what they need."""
    found = {name: nbformat.read(root / source / f"{name}.ipynb", 4) for name in names}
    decks = {name: notebook for name, notebook in found.items() if has_slides(notebook)}
    if not decks:
        return
    folder = pages / "slides"
    folder.mkdir()
    package = files("sphinx_revealjs") / "_static" / "revealjs"
    for name, place in REVEAL.items():
        (folder / name).write_bytes((package / place).read_bytes())
    for name in ("slides.css", "slides.js", "frames.js"):
        shutil.copyfile(Path(__file__).with_name(name), folder / name)
    texts = [c.source for n in decks.values() for c in n.cells if c.cell_type == "markdown"]
    drawn = formulas.draw(f for text in texts for f in formulas.find(text))
    for name, notebook in decks.items():
        record = cache.read(cache.path(root, source.name, name))
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        cache.give(record["outputs"], code)
        text = deck(notebook, name, drawn, language)
        (folder / f"{name}.html").write_text(text, "utf-8", newline="\n")


def deck(notebook, name: str, drawn: dict, language: str) -> str:
    """The HTML of one deck; changes the notebook."""
    from nbconvert import SlidesExporter
    from traitlets.config import Config

    said = words.ours(language)
    title = re.search(r"^# (.*)", notebook.cells[0].source, re.M)
    say_where(notebook, drawn, said)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = LINK.sub(lambda link: to_book(link, name), formulas.replace(cell.source, drawn))
            cell.metadata.folded = "\n\n".join(FOLDED.findall(text))
            cell.source = FOLDED.sub("", text)
    exporter = SlidesExporter(
        config=Config(),
        template_file="slides.html.j2",
        exclude_anchor_links=True,  # their addresses are not those of the headings
        extra_template_paths=[str(Path(__file__).parent)],
    )
    exporter.register_filter("picture", picture)
    resources = {
        "words": said,
        "language": language,
        "deck_title": title[1] if title else name,
    }
    # nbconvert writes every tag anew; the policy is to be the one of the other pages.
    policy = (Path(__file__).parent / "theme/head.hbs").read_text("utf-8")
    return exporter.from_notebook_node(notebook, resources)[0].replace("<!-- policy -->", policy)


def to_book(link: re.Match, name: str) -> str:
    """A link of the chapter `name` to a page of the book, from the folder of the decks."""
    page = to_page(link)
    before = link["before"]
    there = page.removeprefix(before)
    return f"{before}../{name}.html{there}" if there.startswith("#") else f"{before}../{there}"


def say_where(notebook, drawn: dict, said: dict[str, str]) -> None:
    """Give each slide's first cell its section, where it does not name it, and its minute.

    The slides of a section share the time that the chapter's table promises for it.
    """
    promised = pace.promised(notebook)
    sections: dict[str, list] = {}  # heading → the first cells of its slides
    heading = ""
    for cell in notebook.cells:
        found = cell.cell_type == "markdown" and re.search(r"^## (.+)$", cell.source, re.M)
        heading = found[1] if found else heading
        if slide_type(cell) in STARTS:
            sections.setdefault(heading, []).append(cell)
            cell.metadata.where = "" if found else formulas.replace(heading, drawn)
    timed = {name: promised[name] for name in sections if name in {*promised} - {*pace.HOMEWORK}}
    start = 0.0
    for name, time in timed.items():
        for i, cell in enumerate(sections[name]):
            minute = round(start + time * i / len(sections[name]))
            cell.metadata.minute = said["minute"].format(minute=minute, whole=sum(timed.values()))
        start += time


def picture(output, kind: str) -> str:
    """An image, without a block."""
    return image(output, kind, "../assets", 'class="still"')
