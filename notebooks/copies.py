"""Give the student copies of the chapters: `python notebooks/copies.py [EDITION]`.

The copies lie in my/EDITION, which git ignores, and have no outputs, so that a prediction comes
before its answer; below its title each leads to the same chapter in the other language. Those
that are missing are made. One that the student has changed is never written to: where its chapter
has changed too, the new chapter is put beside it. `--reset CHAPTER` gives a fresh copy, and keeps
the old one under another name. What a student has done is kept in .progress.json beside them, by
quantcore/exercises/keeping.py, which knows the folder by GIVEN.
"""

import argparse
import hashlib
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelspec import get_kernel_dict

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script too

from notebooks.tags import for_readers

ROOT = Path(__file__).parents[1]
NAMES = {"zh": "中文", "en": "English"}  # of the editions, each in its own language
GIVEN = ".given.json"  # in the folder of the copies: file name → digest of what was put there


def editions() -> list[str]:
    """The names of the editions' folders."""
    return sorted(path.parent.name for path in ROOT.glob("notebooks/[!.]*/SUMMARY.md"))


def fresh(chapter: Path) -> nbformat.NotebookNode:
    """The chapter as if it had never been run, with the ids and the tags of its cells.

    And with links to the other editions, which stand in a copy alone: the book has a switch.
    """
    notebook = nbformat.read(chapter, as_version=4)
    notebook.cells = for_readers(notebook.cells)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    others = sorted(p for p in chapter.parents[1].glob(f"[!.]*/{chapter.name}") if p != chapter)
    if others:
        links = (f"[{NAMES[p.parent.name]}](../{p.parent.name}/{p.name})" for p in others)
        title, _, text = notebook.cells[0].source.partition("\n")
        notebook.cells[0].source = f"{title}\n\n{' · '.join(links)}\n{text}"
    # What JupyterLab would write on opening it, and then take it for changed.
    kernel = {"name": "python3", "language": "python"}
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": kernel | {"display_name": get_kernel_dict()["display_name"]},
            "language_info": IPythonKernel.language_info,
        }
    )
    return notebook


def digest(notebook: nbformat.NotebookNode) -> str:
    """What differs as soon as a cell does, an output included."""
    return hashlib.sha256(json.dumps(notebook.cells, sort_keys=True).encode()).hexdigest()


class Copies:
    """The copies of one edition."""

    def __init__(self, edition: str) -> None:
        self.chapters = sorted((ROOT / "notebooks" / edition).glob("*.ipynb"))
        self.folder = ROOT / "my" / edition
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.given = json.loads((self.folder / GIVEN).read_text("utf-8"))
        except (FileNotFoundError, ValueError):  # ValueError: the writing was cut short
            self.given = {}

    def as_given(self, copy: Path) -> bool:
        """Whether the student has not changed it. What cannot be read is taken for changed."""
        try:
            return digest(nbformat.read(copy, as_version=4)) == self.given.get(copy.name)
        except Exception:  # whatever calls itself a notebook
            return False

    def names(self, copy: Path, word: str) -> Iterator[Path]:
        """Names for another version of a copy: 03_params-old, 03_params-old-2 and so on."""
        yield copy.with_stem(f"{copy.stem}-{word}")
        for number in itertools.count(2):
            yield copy.with_stem(f"{copy.stem}-{word}-{number}")

    def give(self, chapter: Path, copy: Path) -> None:
        """Write a fresh copy, and remember what was given."""
        notebook = fresh(chapter)
        copy.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
        self.given[copy.name] = self.given[chapter.name] = digest(notebook)
        text = json.dumps(self.given, indent=1, sort_keys=True)
        (self.folder / GIVEN).write_text(text, encoding="utf-8")

    def update(self) -> None:
        """Give what is missing, and what has changed since."""
        for chapter in self.chapters:
            copy = self.folder / chapter.name
            if not copy.exists():
                self.give(chapter, copy)
            elif digest(fresh(chapter)) == self.given.get(copy.name):
                continue
            elif self.as_given(copy):
                self.give(chapter, copy)
                print(f"{shown(copy)}: you had not changed it, so it is the new chapter now")
            else:
                names = self.names(copy, "new")
                beside = next(p for p in names if not p.exists() or self.as_given(p))
                self.give(chapter, beside)
                print(f"{shown(copy)}: yours, and left as it is; the new chapter is {beside.name}")

    def reset(self, name: str) -> None:
        """Give a fresh copy of one chapter, and keep the old one."""
        chapter = next((c for c in self.chapters if c.stem == name), None)
        if not chapter:
            known = ", ".join(c.stem for c in self.chapters)
            sys.exit(f"say which chapter, as in `make reset CHAPTER=03_params`: {known}")
        copy = self.folder / chapter.name
        if copy.exists():
            old = next(p for p in self.names(copy, "old") if not p.exists())
            copy.rename(old)
            print(f"your old copy is now {shown(old)}")
        self.give(chapter, copy)
        print(f"{shown(copy)} is fresh")


def shown(path: Path) -> str:
    """A path as it is typed in the repository's root."""
    return path.relative_to(ROOT).as_posix()


def main(arguments: list[str]) -> None:
    """Update the copies of an edition, or of every edition; or reset one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("edition", nargs="?", choices=editions())
    parser.add_argument("--reset", metavar="CHAPTER", nargs="?", const="")
    options = parser.parse_args(arguments)
    for edition in [options.edition] if options.edition else editions():
        copies = Copies(edition)
        if options.reset is None:
            copies.update()
        else:
            copies.reset(options.reset)


if __name__ == "__main__":
    main(sys.argv[1:])
