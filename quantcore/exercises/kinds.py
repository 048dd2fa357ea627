"""The three kinds of exercises: a function to write, a value to find, settings to defend.

Each has `judge(answer) → Finding`. The words come later (:mod:`.verdict`), so that a test can ask
for what was found without any language.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from tempfile import TemporaryDirectory
from typing import Any

import torch
from hypothesis import HealthCheck, Phase, configuration, find, given, settings
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from .running import Failed, TimeUp, call, time_limit

SECONDS = 5.0  # that a check may take
CLOSE = 1e-5  # relative: an answer may be computed in float32
QUIET: dict[str, Any] = {
    "database": None,
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.generate, Phase.shrink],
}


@dataclass(frozen=True)
class Finding:
    """What a check found: "passed", "untouched", "wrong" or "slow", and what shows it.

    example        the smallest arguments for which the answer is wrong, by name
    expected, got  there; got may be a Failed
    misconception  the name of the mistake that answers alike, or None
    printed        what the answer printed there
    count          how many examples were tried
    shown          what the example is: "example", "during" (it was slow there) or "settings"
    """

    status: str
    example: Mapping[str, object] = field(default_factory=dict)
    expected: object = None
    got: object = None
    misconception: str | None = None
    printed: str = ""
    count: int = 0
    shown: str = "example"


@contextmanager
def leaving_nothing() -> Iterator[None]:
    """Let hypothesis keep its notes where they vanish, and not in the student's folder."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        configuration.set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            configuration.set_hypothesis_home_dir(None)


def same(expected: object, got: object) -> bool:
    """Whether an answer is right: equal, floats to five digits; tensors of codes also in dtype."""
    if isinstance(expected, Tensor):
        if not isinstance(got, Tensor) or got.shape != expected.shape:
            return False
        if not expected.is_floating_point():
            return got.dtype == expected.dtype and torch.equal(got, expected)
        return got.is_floating_point() and torch.allclose(
            got.detach().double(), expected.double(), rtol=CLOSE, atol=1e-12, equal_nan=True
        )
    if isinstance(expected, tuple | list):
        return (
            isinstance(got, tuple | list)
            and len(got) == len(expected)
            and all(same(*pair) for pair in zip(expected, got, strict=True))
        )
    if isinstance(got, Tensor) and got.dim() == 0:
        got = got.item()
    if isinstance(expected, int | float) and isinstance(got, Real):
        return math.isclose(expected, got, rel_tol=CLOSE, abs_tol=1e-12)
    return type(got) is type(expected) and got == expected


def untouched(answer: object) -> bool:
    """Whether this is what a stub returns."""
    if isinstance(answer, Failed):
        return answer.kind == "NotImplementedError"
    return answer is None or answer is ...


@dataclass(frozen=True)
class Function:
    """A function that the student writes.

    right     the same function, right
    examples  arguments that are always tried first, the plainest one first of all
    strategy  of tuples of arguments
    wrong     the misconceptions: name → the function that one who has it writes
    catches   the numbers of the misconceptions in the course's list
    """

    right: Callable
    examples: tuple[tuple, ...]
    strategy: SearchStrategy[tuple]
    wrong: Mapping[str, Callable]
    catches: tuple[int, ...] = ()

    @cached_property
    def tried(self) -> list[tuple]:
        """The arguments that every answer is tried with: the examples, and generated ones."""
        found = list(self.examples)

        @settings(max_examples=60, **QUIET)
        @given(self.strategy)
        def collect(arguments: tuple) -> None:
            found.append(arguments)

        collect()
        return found

    def judge(self, answer: Callable) -> Finding:
        """Compare with the right function; where they differ, look for the smallest example."""
        if untouched(answer):
            return Finding("untouched")
        if not callable(answer):
            form = f"lambda {', '.join(inspect.signature(self.right).parameters)}: …"
            return Finding("wrong", expected=form, got=answer)
        with leaving_nothing():
            return self._compare(answer)

    def _compare(self, answer: Callable) -> Finding:
        tried = self.tried
        now, bad = tried[0], []  # bad: what was found wrong, each smaller than the one before

        def differs(arguments: tuple) -> bool:
            nonlocal now
            now = arguments
            expected, (got, printed) = call(self.right, arguments)[0], call(answer, arguments)
            if same(expected, got):
                return False
            bad.append(Finding("wrong", self._named(arguments), expected, got, None, printed))
            return True

        try:
            with time_limit(SECONDS):
                if untouched(call(answer, now)[0]):
                    return Finding("untouched")
                if not any(map(differs, tried)):
                    return Finding("passed", count=len(tried))
                first = bad[-1]
                try:
                    find(self.strategy, differs, settings=settings(max_examples=100, **QUIET))
                except Exception:
                    # Only a fixed example shows it, or the answer changes from call to call.
                    bad.append(first)
                return replace(bad[-1], misconception=self._recognized(answer))
        except TimeUp:
            return bad[-1] if bad else Finding("slow", self._named(now), shown="during")

    def _recognized(self, answer: Callable) -> str | None:
        """The misconception that answers as this answer does wherever it is wrong."""

        def results(function: Callable) -> list[object]:
            return [call(function, arguments)[0] for arguments in self.tried]

        right, ours = results(self.right), results(answer)
        best, most = None, 0.9  # the least share of the examples
        for name, function in self.wrong.items():
            theirs = results(function)
            alike = [same(t, o) for t, o in zip(theirs, ours, strict=True)]
            telling = [a for a, t, r in zip(alike, theirs, right, strict=True) if not same(r, t)]
            share = min(sum(part) / max(1, len(part)) for part in (alike, telling))
            if share > most:
                best, most = name, share
        return best

    def _named(self, arguments: tuple) -> dict[str, object]:
        return dict(zip(inspect.signature(self.right).parameters, arguments, strict=True))


@dataclass(frozen=True)
class Value:
    """A number, a text, a tuple or a tensor that the student finds; it is not shown when wrong."""

    right: Callable[[], object]
    wrong: Mapping[str, Callable[[], object]]
    catches: tuple[int, ...] = ()

    def judge(self, answer: object) -> Finding:
        """Compare with the right value, and with those that misconceptions give."""
        if untouched(answer):
            return Finding("untouched")
        if same(self.right(), answer):
            return Finding("passed", count=1)
        names = (name for name, value in self.wrong.items() if same(value(), answer))
        return Finding("wrong", got=answer, misconception=next(names, None))


@dataclass(frozen=True)
class Settings:
    """Settings that the student chooses and defends: a dict, judged by what it measures.

    good     settings that pass
    measure  settings → what is measured, by name; raises ValueError for what it cannot use
    least, most  the limits of what is measured: name → bound
    wrong    misconception → the settings of one who has it; an answer that has what sets them
             apart from the good ones is recognised
    """

    good: Mapping[str, object]
    measure: Callable[[dict], Mapping[str, float]]
    least: Mapping[str, float]
    most: Mapping[str, float]
    wrong: Mapping[str, Mapping[str, object]]
    catches: tuple[int, ...] = ()

    def judge(self, answer: object) -> Finding:
        """Measure, and compare with the limits."""
        if untouched(answer) or (isinstance(answer, dict) and ... in answer.values()):
            return Finding("untouched")
        if not isinstance(answer, dict) or set(answer) != set(self.good):
            return Finding("wrong", expected=list(self.good), got=answer)
        tried = Finding("wrong", answer, shown="settings")
        try:
            with time_limit(SECONDS):
                measured, _ = call(self.measure, (answer,))
        except TimeUp:
            return replace(tried, status="slow")
        if isinstance(measured, Failed):
            return replace(tried, got=replace(measured, line=""))  # the line is ours
        measures: dict[str, float] = measured  # type: ignore[assignment]
        bounds = {n: f"≥ {b:g}" for n, b in self.least.items()}
        bounds |= {n: f"≤ {b:g}" for n, b in self.most.items()}
        tried = replace(tried, expected=bounds, got={n: f"{v:.4g}" for n, v in measures.items()})
        if all(measures[n] >= b for n, b in self.least.items()) and all(
            measures[n] <= b for n, b in self.most.items()
        ):
            return replace(tried, status="passed")
        return replace(tried, misconception=self._recognized(answer))

    def _recognized(self, answer: dict) -> str | None:
        for name, theirs in self.wrong.items():
            apart = {key: value for key, value in theirs.items() if value != self.good[key]}
            if all(answer[key] == value for key, value in apart.items()):
                return name
        return None
