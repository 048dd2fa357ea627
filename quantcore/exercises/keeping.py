"""What a student has done, in all chapters: kept in a file beside his copies, and nowhere else.

A kernel that runs in the folder of the copies (`notebooks/copies.py` makes it, and marks it with
the file GIVEN) writes KEPT there. The chapters themselves, the tests and the book do not: what
they show never depends on it.
"""

from __future__ import annotations

import html
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .. import words

GIVEN, KEPT = ".given.json", ".progress.json"


def folder() -> Path | None:
    """The folder of the student's copies, or None where this kernel does not run in it."""
    here = Path.cwd()
    if os.environ.get("QUANTCORE_STATIC") == "1" or not (here / GIVEN).is_file():
        return None
    return here


def read(place: Path) -> dict[str, dict[str, bool]]:
    """Table ("predictions" or "exercises") → name → whether it was right; empty at first."""
    done: dict[str, dict[str, bool]] = {"predictions": {}, "exercises": {}}
    with suppress(
        OSError, ValueError, AttributeError, TypeError
    ):  # no file, or what is none of ours
        found = json.loads((place / KEPT).read_text("utf-8"))
        done = {table: dict(found.get(table, {})) for table in done}
    return done


def note(table: str, name: str, right: bool) -> None:
    """Remember that something was tried; what was right once stays right."""
    place = folder()
    if place is None:
        return
    done = read(place)
    done[table][name] = right or done[table].get(name, False)
    text = json.dumps(done, indent=1, sort_keys=True)
    with suppress(OSError):  # a folder that cannot be written to: the lesson goes on
        handle, temporary = tempfile.mkstemp(dir=place, prefix=KEPT)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, place / KEPT)


class Progress:
    """A table: for each chapter, how many predictions and exercises are right, and what is left.

    chapters  chapter → its ("predictions", "exercises"), each by name
    """

    def __init__(self, chapters: Mapping[str, tuple[Mapping, Mapping]]) -> None:
        place = folder()
        self.rows: list[tuple[str, str, str, str]] = []
        if place is None:
            return
        done = read(place)
        for chapter, parts in chapters.items():
            counts, left = [], []
            for table, names in zip(("predictions", "exercises"), parts, strict=True):
                right = [name for name in names if done[table].get(name)]
                counts.append(f"{len(right)}/{len(names)}")
                left += [name for name in names if table == "exercises" and name not in right]
            titles = (words.entry("exercises", name)["title"] for name in left)
            self.rows.append((chapter, *counts, words.entry("progress", "comma").join(titles)))

    def __repr__(self) -> str:
        if not self.rows:
            return words.entry("progress", "elsewhere")
        lines = [words.entry("progress", "line").format(*row) for row in self.rows]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<p>{html.escape(words.entry('progress', 'elsewhere'))}</p>"
        head = "".join(
            f'<th scope="col" style="text-align:left">{html.escape(h)}</th>'
            for h in words.entry("progress", "head")
        )
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{html.escape(row[0])}</th>'
            + "".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in row[1:])
            + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
