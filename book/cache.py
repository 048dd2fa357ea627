"""The outputs of executed chapters, kept between builds: one JSON file for each chapter.

A record is {"key", "outputs", "assets"}: the outputs of the code cells in order, and the files
that they refer to, by name. It is good as long as its key is: a hash of all that the outputs
depend on. A chapter that is executed again overwrites its record, so old ones never pile up.
"""

import hashlib
import json
import os
import platform
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import nbformat

VERSION = 1  # of the records' form
PACKAGES = ("torch", "numpy", "matplotlib", "ipywidgets", "pillow", "scikit-learn")


def path(root: Path, edition: str, chapter: str) -> Path:
    """Where the record of a chapter is kept; `chapter` is its path without the extension."""
    return root / ".cache" / "book" / edition / f"{chapter}.json"


def key(root: Path, sources: list[str]) -> str:
    """What the outputs of these code cells depend on."""
    ours = find_spec("quantcore")
    assert ours and ours.origin
    package = Path(ours.origin).parent
    files = [*sorted(package.rglob("*.py")), *sorted(package.rglob("*.toml"))]  # code and words
    files.append(root / "pyproject.toml")
    parts = [str(VERSION), platform.python_version(), *map(version, PACKAGES), *sources]
    digest = hashlib.sha256()
    for part in [p.encode() for p in parts] + [f.read_bytes() for f in files if f.exists()]:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def read(record: Path) -> dict:
    """The record, or an empty one where there is none that can be read."""
    try:
        return json.loads(record.read_text("utf-8"))
    except (OSError, ValueError):
        return {"key": None, "outputs": [], "assets": {}}


def give(outputs: list[list[dict]], cells: list) -> None:
    """Give the code cells of a notebook their outputs from a record."""
    for cell, own in zip(cells, outputs, strict=True):
        cell.outputs = [nbformat.from_dict(output) for output in own]


def write(record: Path, content: dict) -> None:
    """Replace the record in one step, so that no reader ever sees half of it."""
    record.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=record.parent, suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False)
    os.replace(name, record)
