"""Bring the code of one edition into the others: `python notebooks/sync.py zh 03_params`.

Code cells are copied with their tags, matched by position; of a text, what it is in a deck. The
other edition keeps its text and its language. A chapter that it does not have yet is made, when it
is named, with the text as it is, to be translated. Cells of different kinds are never matched: the
chapter is then left alone.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script too

from notebooks.build import ROOT
from notebooks.parity import LANGUAGE

CELL = re.compile(r"^(?=# %%)", re.MULTILINE)


class Differ(Exception):
    """Cells that cannot be matched, in words."""


def is_code(cell: str) -> bool:
    """Whether a piece of the .py is a code cell."""
    return not cell.startswith("# %% [markdown]")


def synced(source: str, target: str, edition: str) -> str:
    """The target's .py with the code of the source's. Raises Differ where the kinds differ."""
    header, *theirs = CELL.split(target)
    ours = CELL.split(source)[1:]
    for i, pair in enumerate(zip(ours, theirs, strict=False)):
        if is_code(pair[0]) != is_code(pair[1]):
            kinds = ["code" if is_code(cell) else "Markdown" for cell in pair]
            first = [cell.splitlines()[1:2] for cell in pair]
            raise Differ(f"cell {i} is {kinds[0]} {first[0]}, and {kinds[1]} there {first[1]}")
    if len(ours) != len(theirs):
        i, longer = min(len(ours), len(theirs)), max(ours, theirs, key=len)
        where = "here" if longer is ours else "there"
        raise Differ(f"cell {i} is only {where}: {longer[i].splitlines()[1:2]}")
    # Of a Markdown cell the first line: what it is in a deck.
    cells = [
        a if is_code(a) else a.partition("\n")[0] + "\n" + b.partition("\n")[2]
        for a, b in zip(ours, theirs, strict=True)
    ]
    return LANGUAGE.sub(f'explore.set_language("{edition}")', header + "".join(cells))


def main(source: str, wanted: list[str]) -> None:
    """Bring the code of the named chapters, or of all that both have, to the other editions."""
    others = sorted(p.parent for p in ROOT.glob("[!.]*/SUMMARY.md") if p.parent.name != source)
    chapters = sorted((ROOT / source).glob("*.py"))
    if unknown := set(wanted) - {path.stem for path in chapters}:
        sys.exit(f"notebooks/{source} has no chapter {', '.join(sorted(unknown))}")
    refused = False
    for path in chapters:
        for folder in others if not wanted or path.stem in wanted else ():
            target, text = folder / path.name, path.read_text("utf-8")
            if not target.exists() and not wanted:
                continue
            old = target.read_text("utf-8") if target.exists() else text
            try:
                new = synced(text, old, folder.name)
            except Differ as error:
                print(f"{folder.name}/{path.stem} is left alone: {error}")
                refused = True
                continue
            if new != old or not target.exists():
                target.write_text(new, "utf-8", newline="\n")
                print(f"{folder.name}/{path.stem}: brought into step with {source}")
    sys.exit(refused)


if __name__ == "__main__":
    if len(sys.argv) < 2 or not (ROOT / sys.argv[1] / "SUMMARY.md").exists():
        sys.exit("say from which edition, as in `make sync FROM=zh CHAPTER=03_params`")
    main(sys.argv[1], sys.argv[2:])
