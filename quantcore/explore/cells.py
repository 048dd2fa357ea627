"""Which cell shows which figure: a figure is freed when its cell is run again or deleted.

ipywidgets keeps every widget of a kernel in a registry, and IPython every result in `Out`.
Without this, a figure and its pixels would stay until the kernel ends.
"""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from typing import Protocol

import ipywidgets as widgets

from ..sheet import Picture


class Shown(Protocol):
    """What a cell shows by widgets, and lets go of when it is run again."""

    def free(self) -> None:
        """Let go of what is large."""


LIVE: dict[str, list[tuple[Shown, widgets.Widget]]] = {}
STILL: dict[str, Picture] = {}  # a cell has one result
# glibc keeps most of what is freed, and large blocks leave holes that the next ones do not fit:
# 100 MB after a chapter, 500 MB within one loop. Both calls give the memory back to the system.
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
TRIM, SET = (getattr(LIBC, name, None) for name in ("malloc_trim", "mallopt"))
MMAP_THRESHOLD = -3  # of mallopt: blocks from this size on are the system's at once
CACHED = re.compile(r"_{1,3}|_\d+")  # the names that IPython gives to results: _, __, ___, _12


def shown(explorer: Shown, view: widgets.Widget) -> None:
    """Remember that the cell that runs now shows this view."""
    shell = watch()
    if shell is not None:
        cell, _ = _running(shell)
        LIVE.setdefault(cell, []).append((explorer, view))


def watch():
    """Look at each cell before and after it runs, from now on; the shell, or None."""
    shell = _shell()
    if shell is not None:
        if SET:
            SET(MMAP_THRESHOLD, 2**23)
        for when, look in (("pre_run_cell", _before), ("post_run_cell", _after)):
            if look not in shell.events.callbacks[when]:
                shell.events.register(when, look)
    return shell


def _shell():
    """The kernel's shell, or None where code runs without one."""
    from IPython import get_ipython

    shell = get_ipython()
    return shell if hasattr(shell, "get_parent") else None


def _running(shell) -> tuple[str, list[str]]:
    """The cell that runs, and the cells that were deleted since the last one ran.

    A cell is named by its id, or by its code where the front end sends no id.
    """
    parent = shell.get_parent() or {}
    about = parent.get("metadata", {})
    cell = about.get("cellId") or parent.get("content", {}).get("code", "")
    return cell, about.get("deletedCells", [])


def _before(info=None) -> None:
    """Free what the cell about to run has shown before, and what deleted cells have."""
    shell = _shell()
    cell, deleted = _running(shell)
    if sum(_free(shell, name) for name in (cell, *deleted)):
        gc.collect()  # the parts of a figure hold each other


def _free(shell, cell: str) -> int:
    """Let go of what a cell has shown; returns how many figures it were."""
    live, still = LIVE.pop(cell, []), STILL.pop(cell, None)
    for explorer, view in live:
        close(view)
        explorer.free()
        _forget(shell, explorer)
    if still is not None:
        _forget(shell, still)
    return len(live) + (still is not None)


def _after(result) -> None:
    """Remember a figure without controls that a cell has shown."""
    if isinstance(result.result, Picture):
        cell, _ = _running(_shell())
        STILL[cell] = result.result
    if TRIM:
        TRIM(0)


def close(widget: widgets.Widget) -> None:
    """Take a widget, and what it holds, out of the kernel and off the page."""
    for child in getattr(widget, "children", ()):
        close(child)
    for part in ("layout", "style"):
        if isinstance(getattr(widget, part, None), widgets.Widget):
            getattr(widget, part).close()
    widget.close()


def _forget(shell, result: object) -> None:
    """Take a result out of IPython's caches; the reader's own names for it stay."""
    out = shell.user_ns.get("Out", {})
    for number in [n for n, value in out.items() if value is result]:
        del out[number]
    for names in (shell.user_ns, shell.user_ns_hidden):
        for name in [n for n, value in names.items() if value is result and CACHED.fullmatch(n)]:
            names[name] = None
    for name in ("_", "__", "___"):
        if getattr(shell.displayhook, name, None) is result:
            setattr(shell.displayhook, name, None)
