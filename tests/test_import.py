"""What importing the package brings, what it does not, and who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import quantcore

HEAVY = {"matplotlib", "ipywidgets", "IPython", "sklearn", "scipy", "pandas", "PIL"}
FOLDER = Path(quantcore.__file__).parent

# Each module of the core, and whom it may import: the rooms before it.
CORE = ["checks", "schemes", "calibration", "params", "pieces", "quantizer"]
MAY_IMPORT = {name: set(CORE[:i]) for i, name in enumerate(CORE)}
MAY_IMPORT["pieces"] = {"checks", "schemes"}
MAY_IMPORT["integer"] = MAY_IMPORT["information"] = MAY_IMPORT["optimal"] = set(CORE)
MAY_IMPORT["samples"] = set()

PROMISED = """QuantizationScheme QuantizationParams UniformQuantizer sqnr_db noise_power entropy
    gaussian_distortion lloyd_max optimal_uniform pack_int4 unpack_int4 integer_matmul
    fixed_point_multiplier visualize_quantization explore""".split()


def python(code: str) -> str:
    """Run the code in a fresh Python, and return what it prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_no_plotting_and_no_widgets():
    code = f"import sys, quantcore, quantcore.samples; print({HEAVY} & set(sys.modules) or 'none')"
    assert python(code) == "none"


def test_the_data_and_the_network_load_nothing_large():
    code = "import sys; from quantcore import samples; samples.digits_network()"
    large = HEAVY - {"PIL"} | {"torch._dynamo"}
    code += f"; samples.photograph(); print({large} & set(sys.modules) or 'none')"
    assert python(code) == "none"


def test_a_figure_loads_matplotlib_but_no_widgets():
    code = "import sys, quantcore; quantcore.visualize_quantization"
    code += "; print('matplotlib' in sys.modules, 'ipywidgets' in sys.modules)"
    assert python(code) == "True False"


def test_a_star_import_brings_every_public_name():
    code = "from quantcore import *; import quantcore"
    assert python(code + "; print(set(quantcore.__all__) - set(globals()) or 'all')") == "all"


@pytest.mark.parametrize("name", sorted({*quantcore.__all__, *PROMISED}))
def test_every_public_name_is_there_and_documented(name):
    assert getattr(quantcore, name).__doc__
    assert name in quantcore.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'quantcore' has no attribute 'nonsense'"):
        quantcore.nonsense  # noqa: B018


def imports(module: str):
    """The modules that a file names: those of the house, and the others."""
    house, others = set(), set()
    for node in ast.walk(ast.parse((FOLDER / f"{module}.py").read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            house |= {node.module} if node.module else {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            others.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            others |= {a.name.split(".")[0] for a in node.names}
    return house, others


@pytest.mark.parametrize("module", MAY_IMPORT)
def test_imports_run_one_way_through_the_core(module):
    house, others = imports(module)
    assert house <= MAY_IMPORT[module], f"{module} may import {MAY_IMPORT[module]}"
    allowed = {"torch"} | ({"numpy", "PIL"} if module == "samples" else set())
    assert {m for m in others if m not in sys.stdlib_module_names} <= allowed


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda p: p.stem)
def test_no_module_is_longer_than_300_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= 300
