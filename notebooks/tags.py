"""What the tags of a cell mean, and what it is in a deck."""

FOLD = "fold"  # its source is folded, in JupyterLab and in the book
PREDICT = "predict"  # its output answers the question above it, and is folded in the book
INSTRUCTOR = "instructor"  # no student reads it: it stands in the notes of a deck alone
STARTS = "slide", "subslide"  # the slide_type of a cell with which a slide begins


def tags(cell) -> list[str]:
    """The tags of a cell."""
    return cell.metadata.get("tags", [])


def for_readers(cells: list) -> list:
    """The cells without the instructor's."""
    return [cell for cell in cells if INSTRUCTOR not in tags(cell)]


def slide_type(cell) -> str:
    """Its slide_type; - where it goes on with the slide before it."""
    return cell.metadata.get("slideshow", {}).get("slide_type", "-")


def has_slides(notebook) -> bool:
    """Whether somebody has said which cells are slides."""
    return any(slide_type(cell) in STARTS for cell in notebook.cells)
