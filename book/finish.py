"""mdBook's last step, after its HTML: what the pages refer to, the search index, the decks.

mdBook calls it with its context as JSON on standard input (`book.toml` says so). It has written
the pages into a folder `html`, because there is more than this one output; they move up, so that
the edition's first page is _book/zh/index.html. `mdbook serve` serves `html` itself, and there
they stay.
"""

import base64
import hashlib
import json
import os
import shutil
import sys
from importlib.resources import files
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # mdBook starts it elsewhere

from book import cache, search, slides, words
from book.preprocess import chapters

EDITION = "edition.json"  # in each finished edition: its language and its pages
# The characters that a formula may need: Latin, Greek, accents, punctuation, letterlike symbols,
# arrows, operators, brackets and their pieces, geometric shapes, mathematical letters.
RANGES = (
    *((0x20, 0x17F), (0x2B0, 0x36F), (0x370, 0x3FF), (0x2000, 0x206F), (0x20D0, 0x20FF)),
    *((0x2100, 0x23FF), (0x25A0, 0x25FF), (0x27C0, 0x27FF), (0x2900, 0x2AFF)),
    *((0x1D400, 0x1D7FF),),
)


def main() -> None:
    """Read mdBook's JSON, and finish the edition that it has just built."""
    context = json.load(sys.stdin.buffer)
    root, config = Path(context["root"]), context["config"]
    edition = Path(config["book"]["src"]).name
    target = Path(context["destination"]).parent
    pages = target / "html"
    serving = "live-reload-endpoint" in config["output"]["html"]
    paths = [c["path"] for c in chapters(context["book"]["items"])]
    names = [Path(path).with_suffix(".html").as_posix() for path in paths]
    found = [path.removesuffix(".ipynb") for path in paths if path.endswith(".ipynb")]

    os.chdir(root)  # Windows removes no folder that somebody is in
    clean(pages)
    write_assets(pages, [cache.path(root, edition, name) for name in found])
    write_font(root, pages)
    language = config["book"].get("language", "en")
    speak(pages, language)
    search.write_index(pages, names)
    slides.write(root, pages, Path(config["book"]["src"]), found, language)
    if serving:
        write_editions(pages, {})
        return
    name = words.ours(language)["name"]
    about = {"language": language, "name": name, "pages": names}
    (pages / EDITION).write_text(json.dumps(about), "utf-8")
    move_up(pages, target)
    tell_each_other(target.parent)


def clean(pages: Path) -> None:
    """Remove what mdBook copied from the chapters' folder and no page refers to."""
    for path in pages.iterdir():
        if path.is_dir() and (path.name.startswith(".") or path.name == "__pycache__"):
            shutil.rmtree(path)
        elif path.suffix == ".py":
            path.unlink()


def write_assets(pages: Path, records: list[Path]) -> None:
    """The pictures and the sliders' frames, out of the cache."""
    folder = pages / "assets"
    folder.mkdir(exist_ok=True)
    for record in records:
        for name, content in cache.read(record)["assets"].items():
            text = name.endswith(".js")
            (folder / name).write_bytes(content.encode() if text else base64.b64decode(content))


def write_font(root: Path, pages: Path) -> None:
    """The part of STIX Two Math that formulas use, beside the style sheet that names it.

    Few systems have a font that MathML can be set in; ziamath brings this one.
    """
    source = files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf"
    key = hashlib.sha256(source.read_bytes() + repr(RANGES).encode()).hexdigest()[:16]
    kept = root / ".cache" / "book" / f"formulas-{key}.woff"
    if not kept.exists():
        from fontTools import subset

        options = subset.Options(flavor="woff", layout_features=["*"], notdef_outline=True)
        options.drop_tables += ["DSIG"]
        font = subset.load_font(str(source), options)
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=[c for a, b in RANGES for c in range(a, b + 1)])
        subsetter.subset(font)
        kept.parent.mkdir(parents=True, exist_ok=True)
        made = kept.with_name(f"{kept.name}.{os.getpid()}")
        subset.save_font(font, str(made), options)
        os.replace(made, kept)
    shutil.copyfile(kept, pages / "book" / "formulas.woff")


def speak(pages: Path, language: str) -> None:
    """Say mdBook's own words in the language of the edition, and hand ours to course.js."""
    said = json.dumps(words.ours(language), ensure_ascii=False).replace("</", "<\\/")
    for path in [*pages.glob("*.html"), *pages.glob("book-*.js")]:
        text = words.translated(path.read_text("utf-8"), language)
        text = text.replace("</head>", f"<script>const courseWords = {said};</script>\n</head>", 1)
        path.write_text(text, "utf-8", newline="\n")


def move_up(pages: Path, target: Path) -> None:
    """Let the pages take the place of all that was in the target."""
    for old in target.iterdir():
        if old != pages:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    # Aside first: a chapter could be called html.
    aside = target / ".finished"
    pages.rename(aside)
    for new in aside.iterdir():
        new.rename(target / new.name)
    aside.rmdir()


def tell_each_other(folder: Path) -> None:
    """Write into each edition beside this one what the others are, for the language switch."""
    editions = {
        p.parent.name: json.loads(p.read_text("utf-8")) for p in folder.glob(f"*/{EDITION}")
    }
    for name in editions:
        others = {other: about for other, about in editions.items() if other != name}
        write_editions(folder / name, others)


def write_editions(pages: Path, others: dict) -> None:
    """The other editions, where course.js finds them also without a server."""
    text = f"window.courseEditions = {json.dumps(others)};\n"
    (pages / "editions.js").write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    main()
