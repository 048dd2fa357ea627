"""What importing the package brings, and what it does not."""

import subprocess
import sys

import pytest

import quantcore


def test_import_loads_neither_matplotlib_nor_ipywidgets():
    code = "import sys, quantcore; print([m for m in ('matplotlib', 'ipywidgets', 'sklearn') "
    code += "if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", quantcore.__all__)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(quantcore, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        quantcore.nonsense  # noqa: B018
