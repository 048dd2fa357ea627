"""Run a student's code without letting it break the notebook: in time, in silence, caught."""

from __future__ import annotations

import copy
import ctypes
import io
import linecache
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass

MOST_PRINTED = 200  # characters of what an answer printed that are shown


class TimeUp(BaseException):
    """Time is over. No Exception: neither the student's code nor hypothesis catches it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeUp in the block when it has run for so long.

    In the main thread of Linux and macOS an alarm does it, which also ends a call that waits.
    Elsewhere (Windows, another thread) a timer asks Python to raise it between two of the
    block's bytecodes: it ends loops, but not one long call into C before that call returns.
    """
    if hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread():
        yield from _alarm(seconds)
    else:
        yield from _timer(seconds)


def _alarm(seconds: float) -> Iterator[None]:
    def ring(*_) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _timer(seconds: float) -> Iterator[None]:
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    thread, lock, over = ctypes.c_ulong(threading.get_ident()), threading.Lock(), False

    def ring() -> None:
        with lock:
            if not over:
                raise_in(thread, ctypes.py_object(TimeUp))

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            over = True
        timer.cancel()


@dataclass(frozen=True)
class Failed:
    """An exception of the student's code: its kind, its message, and the line that caused it."""

    kind: str
    message: str
    number: int = 0
    line: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Failed) and self.kind == other.kind

    __hash__ = None  # type: ignore[assignment]


class Printed(io.StringIO):
    """What was printed: its beginning, however much it is."""

    def write(self, text: str) -> int:
        """Keep what there is room for."""
        super().write(text[: max(0, MOST_PRINTED - self.tell())])
        return len(text)


def call(function: Callable, arguments: tuple) -> tuple[object, str]:
    """What function(*arguments) returns, or a Failed, and what it printed.

    The arguments are copies: an answer that writes into them changes no other example.
    """
    own, printed = copy.deepcopy(arguments), Printed()
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            result = function(*own)
        except (Exception, SystemExit) as error:
            result = _failed(error, function)
    return result, printed.getvalue()


def _failed(error: BaseException, function: Callable) -> Failed:
    code = getattr(function, "__code__", None)
    file = code.co_filename if code else None
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    message = str(error).strip().split("\n")[0]
    if not frames:  # it could not even be called with these arguments
        return Failed(type(error).__name__, message)
    number = frames[-1].lineno or 0
    line = linecache.getline(frames[-1].filename, number).strip()
    return Failed(type(error).__name__, message, number, line)
