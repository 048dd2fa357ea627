"""nbval runs a chapter from its first cell to its last; then it runs every cell again.

A reader goes back to a cell, runs it again, and believes what it says. So any cell of a chapter
can be run again after Run All, in any order, and says the same.
"""

import random

from nbval.plugin import IPyNbCell

ONE = "zh"  # the editions have the same code (tests/test_parity.py), so that one tells enough
PICTURES = ("image/png", "image/jpeg")  # which nbval does not compare: machines draw differently


class Again(IPyNbCell):
    """A cell that runs once more. What it says is compared as before, and its pictures, too."""

    first: IPyNbCell

    def reportinfo(self):
        """Where it stands, as pytest says it."""
        path, line, description = super().reportinfo()
        return path, line, f"{description} again"

    def runtest(self):
        """Run it. Raises NbCellError where it fails or says another thing."""
        super().runtest()
        if self.options["check"] and pictures(self) != pictures(self.first):
            self.raise_cell_error("Its pictures are not those of its first run")


def pictures(cell: IPyNbCell) -> list[str]:
    """The pictures that the cell has shown, in base64."""
    data = [output.get("data", {}) for output in cell.test_outputs or ()]
    return [shown[kind] for shown in data for kind in PICTURES if kind in shown]


def pytest_collection_modifyitems(items):
    """Put every cell of a chapter a second time behind its last one, in a random order."""
    chapters = {item.parent: None for item in items if isinstance(item, IPyNbCell)}
    for chapter in chapters:
        if chapter.path.parent.name == ONE:
            cells = [item for item in items if item.parent is chapter]
            end = items.index(cells[-1]) + 1
            items[end:end] = map(once_more, random.Random(0).sample(cells, len(cells)))


def once_more(first: IPyNbCell) -> Again:
    """The item that runs the cell of `first` again."""
    again = Again.from_parent(
        first.parent,
        name=f"{first.name} again",
        cell_num=first.cell_num,
        cell=first.cell,
        options=first.options,
    )
    again.first = first
    return again
