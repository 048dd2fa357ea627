"""Execute the notebooks from their sources: `python notebooks/build.py [NAME ...]`.

NAME.py (jupytext percent format) is the source and NAME.ipynb is what this writes. With no
name, every chapter of every edition is built; `03_params` builds that chapter in each,
`en/03_params` in one.
Building an unchanged chapter again writes the same bytes, unless an output changed.
"""

import os
import re
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script too

from notebooks.tags import FOLD, tags

ROOT = Path(__file__).parent
CHECK = re.compile(r'exercises\.check\("([^"]+)"')  # the cell that checks an exercise
DIFFICULTY = re.compile(r"(?:难度 |difficulty )(\d)/3")  # of an exercise, which is its points
WIDGET = "application/vnd.jupyter.widget-view+json"
# Not jupytext's: JupyterLab would refuse to open a notebook that is newer than its source.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class ThisPython(AsyncKernelManager):
    """Starts the interpreter that runs this script, whatever "python3" means elsewhere."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """How to start it, without the remarks that it makes about itself."""
        return KernelSpec(**get_kernel_dict(extra_arguments=["--log-level=ERROR"]))


def read_source(path: Path) -> nbformat.NotebookNode:
    """The notebook that a .py file describes: no outputs, and nothing that changes by itself."""
    notebook = nbformat.v4.upgrade(jupytext.read(path))
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{path.stem}-{number:03}"
        kept = ("tags", "slideshow", "lines_to_next_cell")  # the last: how the .py is spaced
        cell.metadata = {key: cell.metadata[key] for key in kept if key in cell.metadata}
        if FOLD in tags(cell):
            cell.metadata["jupyter"] = {"source_hidden": True}
    cells = notebook.cells
    for task, stub, check in zip(cells, cells[1:], cells[2:], strict=False):
        if found := CHECK.match(check.source):
            points = int(DIFFICULTY.search(task.source)[1])
            stub.metadata["nbgrader"] = grading(found[1], solution=True)
            check.metadata["nbgrader"] = grading(f"check-{found[1]}", points=points)
    return notebook


def grading(name: str, solution: bool = False, points: int = 0) -> dict:
    """What nbgrader wants to know of a cell that a student fills in, or of the one that checks."""
    about = {"grade_id": name, "schema_version": 3, "cell_type": "code", "task": False}
    about |= {"solution": solution, "grade": not solution, "locked": not solution}
    return about | ({} if solution else {"points": points})


def run(notebook: nbformat.NotebookNode, folder: Path, timeout: int, **hooks) -> None:
    """Run every cell in a new kernel, `timeout` seconds for each; `hooks` are nbclient's."""
    os.environ["TQDM_DISABLE"] = "1"  # nobody waits, and a saved bar would say how long it took
    NotebookClient(
        notebook,
        kernel_manager_class=ThisPython,
        resources={"metadata": {"path": str(folder)}},
        timeout=timeout,
        store_widget_state=False,
        record_timing=False,
        coalesce_streams=True,
        **hooks,
    ).execute()


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run every cell, and keep only the outputs that say the same everywhere."""
    run(notebook, folder, timeout=120)
    notebook.metadata = nbformat.from_dict(METADATA)
    for output in (o for c in notebook.cells for o in c.get("outputs", ())):
        # A widget's id is random, and without a kernel it would hide the picture beside it.
        output.get("data", {}).pop(WIDGET, None)


def main(names: list[str]) -> None:
    """Build the named chapters, or all of them; one line of progress for each."""
    os.environ.pop("QUANTCORE_STATIC", None)
    known = {p: {p.stem, f"{p.parent.name}/{p.stem}"} for p in sorted(ROOT.glob("[!.]*/*.py"))}
    sources = [p for p in known if not names or known[p] & set(names)]
    if missing := set(names).difference(*known.values()):
        sys.exit(f"notebooks/build.py: no chapter is named {', '.join(sorted(missing))}")
    for path in sources:
        start, chapter = time.perf_counter(), path.relative_to(ROOT)
        notebook = read_source(path)
        try:
            execute(notebook, path.parent)
        except (CellExecutionError, CellTimeoutError) as error:
            sys.exit(f"{chapter}: this cell failed\n{error}")
        text = nbformat.writes(notebook) + "\n"
        path.with_suffix(".ipynb").write_text(text, encoding="utf-8", newline="\n")
        print(f"{chapter}  {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
