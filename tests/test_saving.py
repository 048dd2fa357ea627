"""What JupyterLab writes when a notebook is saved, set up as `make lab` sets it up."""

import shutil
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from jupytext import TextFileContentsManager
from nbformat.v4 import new_code_cell, new_notebook, new_output
from traitlets.config import PyFileConfigLoader

from notebooks import build

ROOT = Path(__file__).parents[1]
SOURCES = sorted(build.ROOT.glob("[!.]*/*.py"))
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "version": "3.14.0"},
}
TEXT = new_output("display_data", data={"text/plain": "run this cell"})
VIEW = new_output(
    "display_data", data={build.WIDGET: {"model_id": "1"}, "text/plain": "run this cell"}
)
PICTURE = new_output("display_data", data={"image/png": "iVBO", "text/plain": "a staircase"})


@pytest.fixture
def manager(tmp_path):
    """What answers JupyterLab when it opens and saves the files of `tmp_path`."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    folder = str(ROOT / "notebooks")
    config = PyFileConfigLoader("jupyter_server_config.py", path=folder).load_config()
    return TextFileContentsManager(config=config, root_dir=str(tmp_path))


def test_the_hook_drops_views_and_nothing_else(manager):
    cells = [new_code_cell("", outputs=[PICTURE, VIEW, new_output("stream", text="3")])]
    model = {"type": "notebook", "content": new_notebook(cells=deepcopy(cells))}
    manager.pre_save_hook(model=model, path="a.ipynb", contents_manager=manager)
    cells[0].outputs[1] = TEXT
    assert model["content"].cells == cells


@pytest.mark.parametrize("model", [{"type": "file", "content": "x"}, {"type": "directory"}])
def test_the_hook_leaves_other_files_alone(model, manager):
    before = deepcopy(model)
    manager.pre_save_hook(model=model, path="a", contents_manager=manager)
    assert model == before


def test_a_saved_notebook_has_the_picture_and_the_words_but_no_view(manager, tmp_path):
    notebook = new_notebook(cells=[new_code_cell("", outputs=[PICTURE, VIEW])], metadata=KERNEL)
    manager.save({"type": "notebook", "format": "json", "content": notebook}, "copy.ipynb")
    saved = nbformat.read(tmp_path / "copy.ipynb", as_version=4)
    assert saved.cells[0].outputs == [PICTURE, TEXT]
    assert [path.name for path in tmp_path.glob("copy.*")] == ["copy.ipynb"], "paired with no .py"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
@pytest.mark.parametrize("end", [".ipynb", ".py"])
def test_a_chapter_that_is_opened_and_saved_is_the_same_pair_of_files(path, end, manager, tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    pair = [path, path.with_suffix(".ipynb")]
    for file in pair:
        shutil.copy(file, folder)
    name = f"notebooks/{path.stem}{end}"
    model = manager.get(name, type="notebook")
    model["content"].metadata.update(KERNEL)  # as JupyterLab does when it has a kernel
    manager.save(model, name)
    assert [(folder / f.name).read_bytes() for f in pair] == [f.read_bytes() for f in pair]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
@pytest.mark.parametrize("built", [True, False], ids=["built", "new"])
def test_a_source_that_is_saved_as_a_notebook_stays_as_it_was(path, built, manager, tmp_path):
    shutil.copy(path, tmp_path)
    if built:
        shutil.copy(path.with_suffix(".ipynb"), tmp_path)
    model = manager.get(path.name, type="notebook")
    notebook = model["content"]
    notebook.metadata.update(KERNEL)
    for cell in notebook.cells:
        cell.metadata.update({"jp-MarkdownHeadingCollapsed": True, "editable": True})
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [PICTURE], 1
    manager.save(model, path.name)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("end", [".ipynb", ".py"])
def test_what_a_reader_folds_or_unfolds_in_a_chapter_is_not_saved(end, manager, tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    header = SOURCES[0].read_text("utf-8").split("# %%")[0]
    source, chapter = folder / "a.py", folder / "a.ipynb"
    source.write_text(f'{header}# %% tags=["fold"]\nx = 1\n\n# %%\nx\n', "utf-8")
    nbformat.write(build.read_source(source), chapter)
    before = [path.read_bytes() for path in (source, chapter)]
    name = f"notebooks/a{end}"
    model = manager.get(name, type="notebook")
    folded, other = model["content"].cells
    assert folded.metadata["jupyter"] == {"source_hidden": True}
    del folded.metadata["jupyter"]
    other.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
    manager.save(model, name)
    assert [path.read_bytes() for path in (source, chapter)] == before


def test_an_edit_reaches_the_source(manager, tmp_path):
    shutil.copy(SOURCES[0], tmp_path)
    model = manager.get(SOURCES[0].name, type="notebook")
    model["content"].cells[-1].source += "\n\n完。"
    manager.save(model, SOURCES[0].name)
    before, after = (p.read_text("utf-8") for p in (SOURCES[0], tmp_path / SOURCES[0].name))
    assert after == before.rstrip("\n") + "\n#\n# 完。\n"
