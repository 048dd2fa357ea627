"""Which cell shows which live figure: a figure is freed when its cell is run again or deleted.

ipywidgets keeps every widget of a kernel in a registry, and IPython every result in `Out`.
Without this, a figure and its pixels would stay until the kernel ends.
"""

from __future__ import annotations

import re

import ipywidgets as widgets

from .explorer import Explorer

SHOWN: dict[str, list[tuple[Explorer, widgets.Widget]]] = {}
CACHED = re.compile(r"_{1,3}|_\d+")  # the names that IPython gives to results: _, __, ___, _12


def shown(explorer: Explorer, view: widgets.Widget) -> None:
    """Remember that the cell that runs now shows this view."""
    shell = _shell()
    if shell is None:
        return
    if not any(f is _before for f in shell.events.callbacks["pre_run_cell"]):
        shell.events.register("pre_run_cell", _before)
    cell, _ = _running(shell)
    SHOWN.setdefault(cell, []).append((explorer, view))


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
    for name in (cell, *deleted):
        for explorer, view in SHOWN.pop(name, ()):
            _close(view)
            explorer.free()
            _forget(shell, explorer)


def _close(widget: widgets.Widget) -> None:
    for child in getattr(widget, "children", ()):
        _close(child)
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
