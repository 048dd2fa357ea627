"""The words around the chapters: the tables [book] and [mdbook] of quantcore/words/LANGUAGE.toml.

The file is read, and quantcore not imported: torch would come with it, in each of mdBook's steps.
"""

import tomllib
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
def catalogue(language: str) -> dict[str, dict[str, str]]:
    """All tables of a language such as zh or zh-Hans; of English where there is no catalogue."""
    package = find_spec("quantcore")
    assert package and package.origin
    folder = Path(package.origin).with_name("words")
    file = folder / f"{language[:2]}.toml"
    return tomllib.loads((file if file.exists() else folder / "en.toml").read_text("utf-8"))


def ours(language: str) -> dict[str, str]:
    """The words of our own parts of the page."""
    return catalogue(language)["book"]


def translated(text: str, language: str) -> str:
    """A page or a script of mdBook's, with mdBook's own words in the language of the edition.

    They stand between quotes, or between tags; what a chapter says is left alone.
    """
    before, main, rest = text.partition("<main>")
    if main:
        chapter, end, after = rest.rpartition("</main>")
        parts = translated(before, language), chapter, translated(after, language)
        return f"{parts[0]}{main}{parts[1]}{end}{parts[2]}"
    for english, said in catalogue(language)["mdbook"].items():
        for left, right in (('="', '"'), ("'", "'"), (">", "<")):
            text = text.replace(f"{left}{english}{right}", f"{left}{said}{right}")
    return text
