"""The code is linted, formatted and typed, and a warning that it causes is an error."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from notebooks import build

ROOT = Path(__file__).parents[1]
# What a line of ours does that calls something old, in a module of that name.
CALLS_SOMETHING_OLD = "exec('import warnings; warnings.warn(\"old\", {warning})', {names})"


def complaints(*command: str) -> str:
    """What a tool says when it is not content, or nothing."""
    command = [sys.executable, "-m", *command]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    return done.stdout + done.stderr if done.returncode else ""


def test_ruff_has_nothing_to_say():
    assert not (found := complaints("ruff", "check", "--output-format=concise")), found


def test_the_code_is_formatted():
    found = complaints("ruff", "format", "--diff")
    assert not found, f"run `make format`\n{found}"


def test_mypy_has_nothing_to_say():
    assert not (found := complaints("mypy")), found


@pytest.mark.parametrize(
    "module",
    ["quantcore", "quantcore.params", "quantcore.explore.figures", "book.build", "benchmarks.core",
     "notebooks.build", "conftest", "browser", "test_params"],
)  # fmt: skip
@pytest.mark.parametrize("warning", [DeprecationWarning, FutureWarning, UserWarning])
def test_a_warning_that_our_code_causes_fails_a_test(module, warning):
    code = CALLS_SOMETHING_OLD.format(warning=warning.__name__, names={"__name__": module})
    with pytest.raises(warning):
        exec(code)


def test_a_warning_of_other_packages_among_themselves_does_not():
    code = CALLS_SOMETHING_OLD.format(warning="DeprecationWarning", names={"__name__": "torch"})
    with warnings.catch_warnings(record=True) as caught:
        exec(code)
    assert [str(w.message) for w in caught] == ["old"]


@pytest.mark.parametrize("module", ["quantcore", "quantcore.params", "__main__"])
def test_a_deprecation_warning_that_our_code_causes_fails_a_chapter(module, tmp_path):
    code = CALLS_SOMETHING_OLD.format(warning="DeprecationWarning", names={"__name__": module})
    with pytest.raises(CellExecutionError) as failure:
        build.execute(new_notebook(cells=[new_code_cell(code)]), tmp_path)
    assert (failure.value.ename, failure.value.evalue) == ("DeprecationWarning", "old")
