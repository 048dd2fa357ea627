"""What a student enters and writes: predictions, and "your turn" cells with their checks.

>>> from quantcore import exercises
>>> exercises.check("symmetric-scale", lambda x, bits: x.abs().max() / (2 ** (bits - 1) - 1)).status
'passed'

Each chapter's own stand in a file of this folder, in two dicts; the words that belong to them in
`quantcore/words`, tables `predictions` and `exercises`.
"""

from __future__ import annotations

from types import MappingProxyType

from . import c00, c01, c01b, c02, c03, c04, c04b, c05, c05b, keeping
from .exam import Exam
from .prediction import Prediction
from .verdict import Verdict

__all__ = ["CHAPTERS", "EXERCISES", "PREDICTIONS", "check", "exam", "predict", "progress"]

CHAPTERS = MappingProxyType(
    {
        "00_start": c00,
        "01_information_theory": c01,
        "01b_rate_distortion": c01b,
        "02_schemes": c02,
        "03_params": c03,
        "04_quantizer": c04,
        "04b_integer": c04b,
        "05_visualization": c05,
        "05b_network": c05b,
    }
)
PREDICTIONS = {name: make for c in CHAPTERS.values() for name, make in c.PREDICTIONS.items()}
EXERCISES = {name: exercise for c in CHAPTERS.values() for name, exercise in c.EXERCISES.items()}


def predict(name: str) -> Prediction:
    """An input for a prediction, as the last line of a cell; PREDICTIONS has the names.

    Raises LookupError for another.
    """
    return Prediction(name, _known(PREDICTIONS, name)())


def check(name: str, answer: object) -> Verdict:
    """Check an answer of the student's, as the last line of a cell; EXERCISES has the names.

    A stub (it returns None or `...`, or raises NotImplementedError) is "untouched". Whatever the
    answer does, raise, loop or print, becomes a part of what is said: nothing is raised but
    LookupError, for a name that no exercise has.
    """
    verdict = Verdict(name, _known(EXERCISES, name).judge(answer))
    if verdict.status != "untouched":
        keeping.note("exercises", name, verdict.status == "passed")
    return verdict


def exam(attempt: int = 1) -> Exam:
    """The examination of the last chapter, as the last line of a cell; attempts count from 1."""
    return Exam(attempt)


def progress() -> keeping.Progress:
    """What is done in all chapters, where the student's own copies are studied."""
    return keeping.Progress({n: (c.PREDICTIONS, c.EXERCISES) for n, c in CHAPTERS.items()})


def _known(table: dict, name: str):
    if name not in table:
        raise LookupError(f"name: {name!r} is not known; use one of {sorted(table)}")
    return table[name]
