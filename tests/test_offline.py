"""The recipe of chapter 00 for a room without a network, carried out without one.

The packages that pip finds here have the names, the versions, the requirements and the commands
of those that are installed, and nothing inside: the real ones are gigabytes on some systems. Only
setuptools is whole, because it builds this repository. So pip decides as it would in that room,
and fails where `make lab` asks for something that the recipe has not downloaded.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
CHAPTERS = sorted(ROOT.glob("notebooks/*/00_start.py"))

# In the environment's own folder: once something has imported setuptools, sys.path holds the
# packages that it brings along, too, in versions of their own.
INSTALLED = list(metadata.distributions(path=[sysconfig.get_path("purelib")]))
BUILDER = next((d.version for d in INSTALLED if d.name == "setuptools"), "0")

pytestmark = pytest.mark.skipif(
    Version(BUILDER) < Version("77"),
    reason="no setuptools is installed that builds this repository: 77 or newer",
)


def write_wheel(package: metadata.Distribution, folder: Path) -> None:
    """A wheel of an installed package, without its files unless it is setuptools."""
    stem = f"{package.name.replace('-', '_').replace('.', '_')}-{package.version}"
    info, files = f"{stem}.dist-info", {}
    if package.name == "setuptools":
        for file in package.files:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                files[file.as_posix()] = file.read_binary()
    files[f"{info}/METADATA"] = package.read_text("METADATA")
    files[f"{info}/entry_points.txt"] = package.read_text("entry_points.txt") or ""
    files[f"{info}/WHEEL"] = WHEEL
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A folder of wheels of all that is installed, in the place of a network."""
    folder = tmp_path_factory.mktemp("index")
    for package in INSTALLED:
        if package.name not in ("quantcore", "pip"):
            write_wheel(package, folder)
    return folder


def environment(**settings: str) -> dict[str, str]:
    """The variables of a shell in which pip is set up by `settings` alone, and make by nothing."""
    ours = ("PIP_", "MAKE", "MFLAGS")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    plain.pop("PYTHONPATH", None)
    return plain | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | settings


def run(command: list[str], folder: Path, **settings: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(**settings), capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def recipe(chapter: Path) -> tuple[str, str]:
    """What chapter 00 tells pip to download, and the variables under which it runs `make lab`."""
    text = chapter.read_text("utf-8")
    (download,) = re.findall(r"^# python3 (-m pip download .*)", text, flags=re.MULTILINE)
    (lab,) = re.findall(r"^# (PIP_NO_INDEX=1 .*) make lab", text, flags=re.MULTILINE)
    return download, lab


def test_what_the_recipe_downloads_is_what_make_lab_installs(index, tmp_path):
    ((download, lab),) = set(map(recipe, CHAPTERS))  # one recipe, in every edition
    settings = dict(setting.split("=") for setting in shlex.split(lab))

    for name in ("Makefile", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("quantcore", "book"):
        shutil.copytree(ROOT / name, tmp_path / name)
    pins = (f"{package.name}=={package.version}\n" for package in INSTALLED)
    (tmp_path / "constraints.txt").write_text("".join(p for p in pins if "quantcore" not in p))

    command = [sys.executable, *shlex.split(download)]
    run(command, tmp_path, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(index))
    # What `make lab` does before it opens JupyterLab.
    make = ["make", f"PYTHON={Path(sys.executable).as_posix()}", ".venv/ready-lab"]
    run(make, tmp_path, **settings)

    python = next((tmp_path / ".venv").glob("[bS]*/python*"))
    run([str(python), "-m", "pip", "check"], tmp_path)
    listed = json.loads(run([str(python), "-m", "pip", "list", "--format=json"], tmp_path))
    installed = {canonicalize_name(package["name"]) for package in listed}
    downloaded = {
        canonicalize_name(path.name.split("-")[0]) for path in (tmp_path / "wheels").iterdir()
    }
    assert installed - {"pip", "setuptools", "quantcore"} == downloaded - {"setuptools"}
    assert "jupyterlab" in installed and "setuptools" in downloaded
