"""Whether the class can start on this machine: `make doctor` says what is wrong and what to do.

Each check prints one line; the exit status is 0 where all is well, 1 where one thing is not.
"""

import importlib
import json
import os
import re
import shutil
import socket
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[1]
INSTALL = "run `make lab`, which installs what is missing"
MEMORY = 2.0  # GB that a browser, JupyterLab and the kernel of one chapter need
PORT = 8888  # JupyterLab's first choice
Found = tuple[bool, str, str]  # whether it is well, what was found, what to do


def project() -> dict:
    """What pyproject.toml says of the package."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def python() -> Found:
    """The version of Python."""
    least = re.search(r"[\d.]+", project()["requires-python"])
    assert least
    well = sys.version_info[:2] >= tuple(int(part) for part in least[0].split("."))
    number = ".".join(map(str, sys.version_info[:3]))
    return well, number, f"install Python {least[0]} or newer, and delete the folder .venv"


def packages() -> Found:
    """The packages that the chapters need, in the versions that pyproject.toml allows."""
    from packaging.requirements import Requirement

    wrong, about = [], project()
    needed = about["dependencies"] + about["optional-dependencies"]["lab"]
    for need in map(Requirement, needed):
        try:
            if (found := version(need.name)) not in need.specifier:
                wrong.append(f"{need.name} {found} is not {need.specifier}")
        except PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
    try:
        importlib.import_module("quantcore")
    except Exception as error:  # whatever a broken installation raises
        wrong.append(f"quantcore: {type(error).__name__}: {error}")
    return not wrong, "; ".join(wrong) or f"{len(needed)} as they should be", INSTALL


def widgets() -> Found:
    """JupyterLab's half of ipywidgets, without which no slider appears."""
    from jupyter_core.paths import jupyter_path

    place = "@jupyter-widgets/jupyterlab-manager/package.json"
    for folder in jupyter_path("labextensions"):
        if (file := Path(folder, place)).exists():
            return True, f"widget manager {json.loads(file.read_text('utf-8'))['version']}", ""
    return False, "no widget manager", "install ipywidgets, then start JupyterLab again"


def kernel() -> Found:
    """A kernel, started and asked."""
    from jupyter_client.manager import start_new_kernel

    try:
        quiet = ["--log-level=ERROR"]
        manager, client = start_new_kernel(startup_timeout=60, extra_arguments=quiet)
    except Exception as error:  # of many kinds: a port, a lost file, a missing module
        return False, f"{type(error).__name__}: {error}", "run `make lab` once, then this again"
    try:
        reply = client.execute_interactive("import quantcore, torch", timeout=120)
        status = reply["content"]["status"]
    except Exception as error:  # TimeoutError, or the kernel has died
        status = f"{type(error).__name__}: {error}"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return status == "ok", f"started; the package: {status}", INSTALL


def fonts() -> Found:
    """A font with the characters that the figures use; Chinese is drawn by the browser alone."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = findfont(FontProperties(family=["sans-serif"]))
    missing = [c for c in "x̂σΔ₂−½" if not get_font(font).get_char_index(ord(c))]
    what = f"{Path(font).name}, without {' '.join(missing)}" if missing else Path(font).name
    return not missing, what, "install matplotlib again: it brings DejaVu Sans"


def memory() -> Found:
    """The memory that is free."""
    try:
        text = Path("/proc/meminfo").read_text("ascii")
        free = int(re.findall(r"MemAvailable:\s+(\d+)", text)[0]) / 1e6
    except (OSError, IndexError):
        return True, "not known on this system", ""
    return free >= MEMORY, f"{free:.1f} GB free", f"close other programs: {MEMORY:g} GB are needed"


def disk() -> Found:
    """The room for the students' copies and the book."""
    free = shutil.disk_usage(ROOT).free / 1e9
    return free >= 0.5, f"{free:.1f} GB free", "make room on the disk: 0.5 GB are needed"


def port() -> Found:
    """A port for JupyterLab: it tries fifty, one after the other."""
    for number in range(PORT, PORT + 50):
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", number))
                return True, f"{number} is free", ""
            except OSError:
                continue
    return False, f"{PORT} to {PORT + 49} are taken", 'choose one: `make lab ARGS="--port 9000"`'


CHECKS = python, packages, widgets, kernel, fonts, memory, disk, port


def examine() -> Iterator[tuple[str, Found]]:
    """Each check's name, and what it found; a check that fails itself is a finding, too."""
    for check in CHECKS:
        try:
            yield check.__name__, check()
        except Exception as error:  # reported, with what to do
            yield check.__name__, (False, f"{type(error).__name__}: {error}", INSTALL)


def main() -> None:
    """Print every finding; exit 1 where one is wrong."""
    os.environ.pop("QUANTCORE_STATIC", None)
    ill = 0
    for name, (well, what, cure) in examine():
        ill += not well
        print(f"{'ok   ' if well else 'WRONG'}  {name:9} {what}", flush=True)
        if not well:
            print(f"       {'':9} {cure}", flush=True)
    print("The class can start." if not ill else f"{ill} to mend before the class can start.")
    sys.exit(bool(ill))


if __name__ == "__main__":
    main()
