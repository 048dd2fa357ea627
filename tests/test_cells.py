"""What stays in a kernel when cells that show figures are run again, or deleted."""

import os
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel
from matplotlib.text import Text

from quantcore import explore
from quantcore.sheet import Sheet

ROOT = Path(__file__).parents[1]
SETUP = """
import gc, torch
from ipywidgets import Widget
from quantcore import QuantizationScheme, explore, visualize_quantization
from quantcore.explore.explorer import Explorer
from quantcore.sheet import Picture, Sheet
KINDS = Explorer, Sheet, Widget, Picture
x = torch.randn(1000)
def alive():
    gc.collect()
    return tuple(sum(issubclass(type(o), kind) for o in gc.get_objects()) for kind in KINDS)
"""


class Kernel:
    """A kernel that is asked to run cells as JupyterLab asks: with their ids."""

    def __init__(self):
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        env.pop("QUANTCORE_STATIC", None)
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=env)
        self.run(SETUP)

    def run(self, code, cell=None, deleted=()):
        """Run a cell; returns what its last line is."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {},
                   "allow_stdin": False, "stop_on_error": True}  # fmt: skip
        about = {"cellId": cell, "deletedCells": list(deleted)} if cell else {}
        message = self.client.session.msg("execute_request", content, metadata=about)
        self.client.shell_channel.send(message)
        result = None
        while True:
            answer = self.client.get_iopub_msg(timeout=60)
            if answer["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            body = answer["content"]
            if answer["msg_type"] == "error":
                raise AssertionError("\n".join(body["traceback"]))
            if answer["msg_type"] == "execute_result":
                result = body["data"]["text/plain"]
            if answer["msg_type"] == "status" and body["execution_state"] == "idle":
                return result

    def alive(self):
        """How many explorers, sheets and widgets there are."""
        return eval(self.run("alive()"))


@pytest.fixture(scope="module")
def kernel():
    kernel = Kernel()
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("cell", ["a", None])  # JupyterLab sends an id, other front ends do not
def test_a_cell_that_is_run_again_keeps_one_figure(kernel, cell):
    code = f"explore.quantization(x)  # {cell}"
    kernel.run(code, cell)
    first = kernel.alive()
    for _ in range(3):
        kernel.run(code, cell)
    assert kernel.alive() == first


def test_a_figure_goes_with_its_deleted_cell(kernel):
    before = kernel.alive()
    kernel.run("explore.staircase()", "b")
    with_one = kernel.alive()
    assert with_one[:2] == (before[0] + 1, before[1] + 1)
    kernel.run("1 + 1", "c", deleted=["b"])
    assert kernel.alive() == before


def test_a_figure_with_a_name_of_its_own_can_be_shown_again(kernel):
    kernel.run("mine = explore.staircase()\nmine", "d")
    kernel.run("mine = mine\nmine", "e")
    kernel.run("mine", "e")
    assert kernel.run("type(mine).__name__, len(mine.kept)", "f") == "('Explorer', 1)"


def test_two_cells_do_not_free_each_others_figures(kernel):
    before = kernel.alive()
    kernel.run("explore.grid()", "g")
    kernel.run("explore.grid()", "h")
    assert kernel.alive()[0] == before[0] + 2
    kernel.run("0", "g")
    assert kernel.alive()[0] == before[0] + 1
    kernel.run("0", "h")
    assert kernel.alive() == before


def test_a_figure_without_controls_goes_with_its_cell(kernel):
    kernel.run('explore.set_language("en")', "i")
    before = kernel.alive()
    code = "visualize_quantization(x, QuantizationScheme.INT4)"
    for _ in range(3):
        kernel.run(code, "j")
        assert kernel.alive()[-1] == before[-1] + 1
    kernel.run(f"mine = {code}\nmine", "k")
    kernel.run("1 + 1", "l", deleted=["j", "k"])
    assert kernel.alive()[-1] == before[-1] + 1
    assert kernel.run("type(mine).__name__", "m") == "'Picture'"


def test_the_three_sheets_drawn_last_keep_their_pixels():
    figures = [explore.staircase(), explore.staircase()]
    for figure in figures:  # drawn again, they are no more than two
        figure.frame(*figure.start)
    for awake in ([True] * 3, [False] + [True] * 3):
        figures.append(explore.staircase())
        assert [f.sheet._background is not None for f in figures] == awake


def test_a_figure_that_was_shown_or_rests_keeps_no_pixels():
    resting, shown = Sheet(), Sheet().figure
    resting.render()
    assert any(text._renderer for text in resting.figure.findobj(Text))
    resting.rest()
    shown._repr_mimebundle_()
    for figure in (resting.figure, shown):
        assert not any(text._renderer for text in figure.findobj(Text))
        assert not hasattr(figure.canvas, "renderer")
