"""Every word that a reader of a figure meets, in the language of the edition.

The words beside the controls, the values of drop-downs, and what each figure shows, said for
those who cannot see it: one catalogue for each language, LANGUAGE.toml beside this file. A new
language is one more file; a test finds what it lacks.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Any

FILES = {Path(f.name).stem: f for f in files(__name__).iterdir() if f.name.endswith(".toml")}
LANGUAGES = tuple(sorted(FILES))
# Figures that show the same and are described alike.
ALIKE = {"shapes": "quantization", "workbench": "quantization", "calibration": "outlier"}
_language = "en"


@cache
def catalogue(language: str) -> dict[str, dict[str, Any]]:
    """All tables of a language, as its file holds them."""
    return tomllib.loads(FILES[language].read_text("utf-8"))


def set_language(language: str) -> None:
    """Choose the language of all words: one of LANGUAGES."""
    global _language
    if language not in LANGUAGES:
        expected = " or ".join(map(repr, LANGUAGES))
        raise ValueError(f"language: expected {expected}, found {language!r}")
    _language = language


def label(key: str) -> str:
    """The label of a control in the chosen language. Raises LookupError where it has none."""
    return _words("labels", key)


def switch(key: str, value: bool) -> str:
    """What is said of a checkbox that is ticked, or of one that is not."""
    return _words("switches", key)[value]


def option(value: object) -> str:
    """A control's value in the chosen language; numbers and names of formats as they are."""
    return catalogue(_language)["options"].get(str(value), str(value))


def spoken(line: str) -> str:
    """A figure's line of numbers as a part of a sentence."""
    return _words("said", "comma").join(part.strip() for part in line.split("   "))


def chosen(state: dict[str, object]) -> str:
    """The settings of the controls, in one line."""
    return _words("said", "comma").join(
        switch(key, value)
        if isinstance(value, bool)
        else _words("said", "pair").format(name=label(key), value=option(value))
        for key, value in state.items()
    )


def kept(alt: str) -> str:
    """The description of a picture that is kept as A beside the current one."""
    return _words("said", "kept") + alt


def describe(name: str, state: dict[str, object], line: str) -> str:
    """What a figure with controls shows, its settings, its line of numbers, in sentences.

    A figure that the course does not have is called by its name.
    """
    seen = catalogue(_language)["figures"].get(ALIKE.get(name, name), f"{name}.")
    return _words("said", "whole").format(seen=seen, chosen=chosen(state), line=spoken(line))


def picture(key: str, **values: object) -> str:
    """What a figure without controls shows: the sentence of that key, its fields filled in.

    Raises LookupError where no sentence has the key, and TypeError where the values are not
    those that its fields name.

    >>> picture("visualize-quantization", scheme="INT8", symmetry="symmetric", line="s = 0.01")[:11]
    'INT8, symme'
    >>> picture("visualize-quantization", scheme="INT8")
    Traceback (most recent call last):
    TypeError: 'visualize-quantization' has the fields line, scheme, symmetry; given: scheme
    """
    sentence = _words("pictures", key)
    if (expected := fields(sentence)) != set(values):
        wants, given = (", ".join(sorted(names)) or "none" for names in (expected, values))
        raise TypeError(f"{key!r} has the fields {wants}; given: {given}")
    return sentence.format(**values)


def entry(table: str, key: str) -> Any:
    """What a table holds under a key: a text, a list of them, or a table of its own."""
    return _words(table, key)


def fields(sentence: str) -> set[str]:
    """The names in braces.

    >>> sorted(fields("{seen} Measured: {line}."))
    ['line', 'seen']
    """
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def _words(table: str, key: str) -> Any:
    entries = catalogue(_language)[table]
    if key not in entries:
        where = f"[{table}] in quantcore/words/{_language}.toml"
        raise LookupError(f"{key!r} has no words: add it to {where}, and to the other languages")
    return entries[key]
