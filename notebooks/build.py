"""Execute the notebooks from their sources: `python notebooks/build.py [NAME ...]`.

NAME.py (jupytext percent format) is the source and NAME.ipynb is what this writes. With no
name, every chapter of every edition is built; `03_params` builds that chapter in each,
`en/03_params` in one.
Building an unchanged chapter again writes the same bytes, unless an output changed.
"""

import os
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

ROOT = Path(__file__).parent
WIDGET = "application/vnd.jupyter.widget-view+json"
FOLD = "fold"  # the tag of a cell whose source JupyterLab and the book fold
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
        kept = ("tags", "lines_to_next_cell")  # the second: how the .py is spaced
        cell.metadata = {key: cell.metadata[key] for key in kept if key in cell.metadata}
        if FOLD in cell.metadata.get("tags", ()):
            cell.metadata["jupyter"] = {"source_hidden": True}
    return notebook


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
