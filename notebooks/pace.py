"""How long a chapter takes: `python notebooks/pace.py 03_params` (or a path, or every chapter).

The model is the same for all: 220 characters of prose a minute (158 words of English: what they
take in the other edition), two minutes for a question, three for a live figure, 0.7 for a formula
or a code cell that is read. A cell whose source is folded is not read, a figure in it is moved all
the same; what stands in a fence takes no time. The table at a chapter's top may promise more than
this, never less; what is marked ★ may be left out, and stands in a row of its own. An input for a
prediction belongs to its question, and takes no time; of the section of exercises, which are done
after the class, each says how long it takes.
"""

import math
import re
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script too

from notebooks.build import ROOT, read_source
from notebooks.tags import FOLD, INSTRUCTOR, tags

PROSE, WORDS = 220, 158  # characters of Chinese a minute, words of another language
QUESTION, SLIDER, READ = 2, 3, 0.7  # minutes
STAR = "★"
HOMEWORK = "练习", "Exercises"  # the section that is left for after the class
TASK = re.compile(r"（(\d+) 分钟，难度|\((\d+) minutes, difficulty")
INPUT = re.compile(r"exercises\.(predict|check|progress|exam)\(")
HEADING = re.compile(r"^(#{2,3}) (.+)$")
LABEL = re.compile(r"\*\*【(预测|计算|思考|操作)】\*\*|\*\*\[(Predict|Compute|Think|Try)\]\*\*")
FORMULA = re.compile(r"\$\$.*?\$\$", re.DOTALL)
LIVE = re.compile(r"\bexplore\.(?!set_language)\w+\(")
CHARACTER = re.compile(r"[\u4e00-\u9fff]")
WORD = re.compile(r"[A-Za-z]{2,}")
NO_WORDS = re.compile(r"\]\([^)]*\)|`[^`\n]*`|\$[^$\n]*\$|<[^>\n]*>")  # are read as one
FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\| ([^|]+) \| (\d+)[^|\d]* \|$", re.MULTILINE)


def minutes(notebook) -> dict[str, float]:
    """Section → minutes by the model, in order; what is starred together, under ★."""
    taken: dict[str, float] = defaultdict(float)
    section, whole, starred = "", False, False  # starred: the section as a whole, or this part
    for cell in notebook.cells:
        if INSTRUCTOR in tags(cell):
            continue
        if cell.cell_type == "code":
            if section in HOMEWORK or INPUT.match(cell.source):
                continue
            live, folded = LIVE.search(cell.source), FOLD in tags(cell)
            if section and (live or not folded):
                taken[STAR if starred else section] += SLIDER if live else READ
            continue
        for block in re.split(r"(?m)^(?=#{2,3} )", FENCE.sub("", cell.source)):
            if heading := HEADING.match(block.splitlines()[0] if block else ""):
                star = heading[2].endswith(STAR)
                if heading[1] == "##":
                    section, whole = heading[2].removesuffix(f" {STAR}"), star
                starred = whole or star
            if section in HOMEWORK:
                taken[section] += sum(int(a or b) for a, b in TASK.findall(block))
            elif section:
                text = FORMULA.sub("", block)
                words = WORD.findall(NO_WORDS.sub("", text)) if not CHARACTER.search(text) else ()
                taken[STAR if starred else section] += (
                    len(CHARACTER.findall(text)) / PROSE
                    + len(words) / WORDS
                    + QUESTION * len(LABEL.findall(text))
                    + READ * len(FORMULA.findall(block))
                )
    return dict(taken)


def promised(notebook) -> dict[str, int]:
    """Section → minutes in the chapter's first such table; the row that begins with ★, under ★."""
    rows = next(filter(None, (ROW.findall(cell.source) for cell in notebook.cells)), [])
    return {STAR if name.startswith(STAR) else name: int(time) for name, time in rows}


def main(names: list[str]) -> None:
    """Print both, side by side, and their sums."""
    sources = [Path(name) for name in names if name.endswith(".py")] or sorted(
        path for path in ROOT.glob("[!.]*/*.py") if not names or path.stem in names
    )
    for path in sources:
        notebook = read_source(path)
        taken, table = minutes(notebook), promised(notebook)
        print(f"{path.parent.name}/{path.stem}: {sum(taken.values()):.0f} minutes by the model")
        for name, time in taken.items():
            print(f"  {math.ceil(time):3} (promised {table.get(name, '-')})  {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
