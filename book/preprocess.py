"""mdBook's preprocessor: each chapter comes as a notebook and leaves as Markdown.

mdBook calls it with the book as JSON on standard input (`book.toml` says so). A notebook is
executed with QUANTCORE_STATIC=1 unless the cache has its outputs, its formulas become MathML,
its links to other notebooks lead to their pages, and nbconvert writes it as Markdown.
A cell that fails, or that prints a warning, ends the build.
"""

import hashlib
import html
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

import nbformat

from book import cache, formulas
from book import words as catalogue
from notebooks.tags import for_readers, has_slides

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE = 2  # notebooks executed side by side
TIMEOUT = 300  # seconds that one cell may take
FRAMES = re.compile(
    r'<script type="application/json">(.*?)</script>(\s*)<script>(.*?)</script>', re.DOTALL
)
LINK = re.compile(
    r"(?P<before>\]\(|href=[\"'])(?![a-z]+:|/)"
    r"(?P<file>[^)\s\"'#]+(?=\.ipynb[)#\"'\s])|(?=#))(?:\.ipynb)?(?:#(?P<place>[^)\s\"']*))?"
)


def set_kernels_environment() -> None:
    """What the kernels inherit from this process; set by main, not when this is imported."""
    os.environ["QUANTCORE_STATIC"] = "1"
    # Kernels that each want all cores wait for one another, and take five times as long.
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // AT_ONCE))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")]))


def main() -> None:
    """Read mdBook's JSON, and write the book back with its chapters in Markdown."""
    set_kernels_environment()
    if sys.argv[1:2] == ["supports"]:
        sys.exit(sys.argv[2] != "html")
    context, book = json.load(sys.stdin.buffer)
    convert(context, book)
    json.dump(book, sys.stdout)


def convert(context: dict, book: dict) -> None:
    """Replace the content of every chapter that is a notebook by its Markdown, in place."""
    config = context["config"]
    root, source = Path(context["root"]), Path(config["book"].get("src", "src"))
    found = [c for c in chapters(book["items"]) if c["path"].endswith(".ipynb")]
    notebooks = [nbformat.reads(c["content"], 4) for c in found]

    def outputs(chapter: dict, notebook: nbformat.NotebookNode) -> None:
        add_outputs(notebook, root, source, chapter["path"].removesuffix(".ipynb"))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = [pool.submit(outputs, *pair) for pair in zip(found, notebooks, strict=True)]
        try:
            for one in done:
                one.result()
        except Failure as failure:
            pool.shutdown(cancel_futures=True)
            sys.exit(f"\n{failure}\n")

    drawn = draw_formulas(found, notebooks)
    language = config["book"].get("language", "en")
    for chapter, notebook in zip(found, notebooks, strict=True):
        words = catalogue.ours(language)
        links = notebook_links(chapter["path"], source, words, config, has_slides(notebook))
        chapter["content"] = markdown(notebook, drawn, links, words)


def chapters(items: list) -> Iterator[dict]:
    """Every chapter with a file, in order, however deep."""
    for item in items:
        if isinstance(item, dict) and "Chapter" in item:
            chapter = item["Chapter"]
            if chapter["path"]:
                yield chapter
            yield from chapters(chapter["sub_items"])


class Failure(Exception):
    """What ends the build, in words for whoever wrote the chapter."""


# ---- outputs ---------------------------------------------------------------------------


def add_outputs(notebook, root: Path, source: Path, name: str) -> None:
    """Give the notebook's cells the outputs that they have in the book: kept ones, or new."""
    start = time.perf_counter()
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    record = cache.path(root, source.name, name)
    key = cache.key(root, [c.source for c in cells])
    kept = cache.read(record)
    how = "kept"
    if kept["key"] != key:
        execute(notebook, root / source, f"{source.name}/{name}")
        kept = {"key": key, "outputs": [c.outputs for c in cells], "assets": {}}
        for output in (o for c in cells for o in c.outputs):
            move_out(output, kept["assets"])
        cache.write(record, kept)
        how = f"executed in {time.perf_counter() - start:.1f} s"
    cache.give(kept["outputs"], cells)
    sys.stderr.write(f"{source.name}/{name}: {how}\n")


def execute(notebook, folder: Path, name: str) -> None:
    """Run every cell in a new kernel. Raises Failure for an error, and for a warning."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    from notebooks import build

    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    running = 0

    def note(cell, cell_index: int) -> None:
        nonlocal running
        running = cell_index

    try:
        build.run(notebook, folder, TIMEOUT, on_cell_execute=note)
    except CellExecutionError as error:
        what = f"{error.ename}: {error.evalue}"
        raise Failure(describe(notebook, name, running, what)) from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise Failure(describe(notebook, name, running, str(error).strip())) from None
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":
                what = f"wrote to stderr: {output.text.strip()}"
                raise Failure(describe(notebook, name, number, what))


def describe(notebook, name: str, number: int, what: str) -> str:
    """Where and what: the chapter, the cell (counted from 1) with its source, the error."""
    source = "\n".join(f"    {line}" for line in notebook.cells[number].source.splitlines())
    return f"{name}, cell {number + 1} of {len(notebook.cells)}: {what}\n{source}"


def move_out(output: dict, assets: dict) -> None:
    """Move what is large from an output to the assets: pictures, and the frames of sliders."""
    data = output.get("data", {})
    data.pop("application/vnd.jupyter.widget-view+json", None)
    for kind, end in (("image/png", "png"), ("image/jpeg", "jpg")):
        if kind in data:
            data[kind] = keep(assets, data[kind], end)

    def frames(match: re.Match) -> str:
        listed, space, script = match.groups()
        name = keep(assets, listed, "js")
        waiting = f'<script type="application/json" data-frames="{name}"></script>'
        return f'{waiting}{space}<script type="text/plain">{script}</script>'

    if "text/html" in data:
        data["text/html"] = FRAMES.sub(frames, data["text/html"])


def keep(assets: dict, content: str, end: str) -> str:
    """Add an asset, named after its content; a .js asset hands its content to the page."""
    name = f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.{end}"
    if end == "js":
        text = json.dumps(content, ensure_ascii=False)
        content = f"courseFrames({json.dumps(name)}, {text});"
    assets[name] = content
    return name


# ---- Markdown --------------------------------------------------------------------------


def draw_formulas(found: list[dict], notebooks: list) -> dict:
    """The HTML of every formula in the book. Ends the build where pandoc cannot read one."""
    texts = [c.source for n in notebooks for c in n.cells if c.cell_type == "markdown"]
    try:
        return formulas.draw(f for text in texts for f in formulas.find(text))
    except ValueError as all_at_once:
        # Once more, slowly: one cell at a time, to say where it is.
        for chapter, notebook in zip(found, notebooks, strict=True):
            for number, cell in enumerate(notebook.cells):
                if cell.cell_type == "markdown":
                    try:
                        formulas.draw(formulas.find(cell.source))
                    except ValueError as error:
                        sys.exit(f"\n{chapter['path']}, cell {number + 1}: {error}\n")
        raise all_at_once


def markdown(notebook, drawn: dict, links: str, words: dict[str, str]) -> str:
    """The chapter's Markdown, with the links below its title, and what is folded in `words`."""
    from nbconvert import MarkdownExporter
    from traitlets.config import Config

    notebook.cells = for_readers(notebook.cells)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(to_page, formulas.replace(cell.source, drawn))
    exporter = MarkdownExporter(
        config=Config(ExtractOutputPreprocessor={"enabled": False}),  # it has been done
        template_file="chapter.md.j2",
        extra_template_paths=[str(Path(__file__).parent)],
    )
    for function in (fenced, printed, one_block, picture):
        exporter.register_filter(function.__name__, function)
    text = exporter.from_notebook_node(notebook, {"words": words})[0]
    titled = re.sub(r"^(# .*)$", lambda m: f"{m[1]}\n\n{links}\n", text, count=1, flags=re.M)
    return titled if titled != text else f"{links}\n\n{text}"


def to_page(link: re.Match) -> str:
    """A link to a notebook, or to a place in one, as mdBook knows it.

    JupyterLab calls a heading by its text, with hyphens for spaces; mdBook writes it small and
    drops the punctuation.
    """
    page = f"{link['file']}.html" if link["file"] else ""
    if link["place"] is None:
        return link["before"] + page
    place = unquote(link["place"]).lower()
    return f"{link['before']}{page}#{''.join(c for c in place if c.isalnum() or c in '_-')}"


def fenced(code: str) -> str:
    """A block of Python, in a fence that the code itself does not contain."""
    longest = max([2, *(len(run) for run in re.findall(r"^\s*(`+)", code, flags=re.M))])
    fence = "`" * (longest + 1)
    return f"{fence}python\n{code}\n{fence}"


def printed(text: str) -> str:
    """What a cell printed."""
    from nbconvert.filters import strip_ansi

    lines = html.escape(strip_ansi(text).rstrip("\n"), quote=False)
    return f'\n<pre class="output"><samp>{lines}\n</samp></pre>\n'


def one_block(markup: str) -> str:
    """HTML as one block of Markdown, which a blank line would end and hand back to Markdown."""

    def tight(match: re.Match) -> str:
        if match["pre"]:
            return re.sub(r"\n(?=[ \t]*\n)", "&#10;", match["pre"])
        return "\n"

    whole = re.sub(
        r"(?P<pre><(?P<tag>pre|textarea)\b.*?</(?P=tag)>)|\n(?:[ \t]*\n)+",
        tight,
        markup.strip(),
        flags=re.DOTALL,
    )
    return f'\n<div class="output">\n{whole}\n</div>\n'


def picture(output, kind: str) -> str:
    """An image, in a block of its own."""
    return f'\n<div class="output">\n{image(output, kind, "assets", "loading=lazy")}\n</div>\n'


def image(output, kind: str, assets: str, more: str) -> str:
    """An image of the folder `assets`, with its alt text, its size in CSS pixels, and more."""
    about = output.metadata.get(kind, {})
    size = "".join(f' {k}="{about[k]}"' for k in ("width", "height") if k in about)
    alt = html.escape(about.get("alt", ""))
    return f'<img src="{assets}/{output.data[kind]}" alt="{alt}"{size} {more}>'


def notebook_links(path: str, source: Path, words: dict[str, str], config: dict, deck: bool) -> str:
    """Links to the notebook, to its deck, and to hosts that run it where a repository is named."""
    links = [f'<a href="{Path(path).name}" download>{words["open"]}</a>']
    if deck:
        links.append(f'<a href="slides/{Path(path).stem}.html">{words["slides"]}</a>')
    settings = config.get("preprocessor", {}).get("notebooks", {})
    address = config.get("output", {}).get("html", {}).get("git-repository-url") or ""
    if match := re.fullmatch(r"https://github\.com/([^/]+/[^/]+?)(?:\.git)?/?", address):
        repository, branch = match[1], settings.get("branch", "main")
        file = f"{source.as_posix()}/{path}"
        for host, url in (
            (
                "Colab",
                f"https://colab.research.google.com/github/{repository}/blob/{branch}/{file}",
            ),
            ("Binder", f"https://mybinder.org/v2/gh/{repository}/{branch}?urlpath=lab/tree/{file}"),
        ):
            links.append(f'<a href="{url}">{words["run"].format(host=host)}</a>')
    return f'<p class="notebook-links">{" · ".join(links)}</p>'


if __name__ == "__main__":
    main()
