"""The words of the page: every one of them in every language, and what is said without one."""

import re
import tomllib
from pathlib import Path

import pytest

from notebooks import build
from quantcore import words
from quantcore.sheet import Sheet
from quantcore.words import LANGUAGES, catalogue, describe, fields, label, option, picture

FOLDER = Path(words.__file__).parents[1]
CODE = "\n".join(path.read_text("utf-8") for path in sorted(FOLDER.rglob("*.py")))
CHAPTERS = "\n".join(path.read_text("utf-8") for path in sorted(build.ROOT.glob("[!.]*/*.py")))
SHOWN = re.compile(r'\.show\(\s*"([^"]+)"')
TABLES = ["labels", "switches", "options", "figures", "said", "asking", "verdicts", "progress"]
# What these hold is compared with what uses them: pictures below, the others in
# test_predictions.py, test_exercises.py and test_exam.py.
ALL = [*TABLES, "book", "mdbook", "class", "pictures", "predictions", "exercises", "exam"]


@pytest.fixture(autouse=True)
def english():
    words.set_language("en")


def sentences(language, table):
    """The texts of a table by their keys; several under one key are one text."""
    found = {}
    for key, value in catalogue(language)[table].items():
        parts = value.items() if isinstance(value, dict) else [(None, value)]
        for part, text in parts:
            text = text.values() if isinstance(text, dict) else text
            found[key if part is None else f"{key}.{part}"] = "".join(text)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_holds_the_tables_and_nothing_empty(language):
    assert sorted(catalogue(language)) == sorted(ALL)
    for table in ALL:
        empty = [key for key, text in sentences(language, table).items() if not text.strip()]
        assert not empty, f"[{table}] of {language} says nothing for {empty}"
    wrong = [key for key, pair in catalogue(language)["switches"].items() if len(pair) != 2]
    assert not wrong, f"[switches] of {language}: a word for off and one for on: {wrong}"


@pytest.mark.parametrize("table", ALL)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_keys_with_the_same_fields(language, table):
    ours, theirs = (
        {key: sorted(fields(text)) for key, text in sentences(one, table).items()}
        for one in (language, "zh")
    )
    assert ours == theirs


@pytest.mark.parametrize("table", TABLES)
def test_every_word_is_used(table):
    unused = [key for key in catalogue("zh")[table] if f'"{key}"' not in CODE]
    assert not unused, f"no line of quantcore asks for these keys of [{table}]"


def test_every_word_of_the_book_is_used():
    text = "\n".join(
        p.read_text("utf-8") for p in sorted((FOLDER.parent / "book").rglob("*.[pjc]*"))
    )
    asked = set(re.findall(r"\bsay\.(\w+)|say\['([^']+)|\[\"([\w-]+)\"\]|words\.(\w+) ", text))
    asked = {name for names in asked for name in names}
    assert set(catalogue("zh")["book"]) <= asked


def test_every_word_of_the_class_edition_is_used():
    text = (FOLDER.parent / "notebooks/classroom.py").read_text("utf-8")
    assert set(catalogue("zh")["class"]) == set(
        re.findall(r"(?:ours|\"class\"\])\[\"([\w-]+)\"\]", text)
    )


def test_every_picture_has_a_sentence_and_every_sentence_a_picture():
    shown = set(SHOWN.findall(CODE + CHAPTERS))
    assert shown == set(catalogue("zh")["pictures"])


def test_what_is_no_code_is_installed_too():
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["quantcore"]
    files = [p.relative_to(FOLDER) for p in FOLDER.rglob("*") if p.is_file()]
    others = [p for p in files if p.suffix not in (".py", ".pyc")]
    assert others and all(any(p.match(pattern) for pattern in patterns) for p in others)


def test_values_without_words_stay_and_unknown_figures_are_called_by_their_names():
    assert (option(8), option("FP4 E2M1"), option("per group")) == ("8", "FP4 E2M1", "per group")
    said = describe("mine", {"bits": 3, "symmetric": True}, "s = 1   z = 0")
    assert said == "mine. Chosen: bit width b = 3, symmetric. Measured: s = 1, z = 0."


@pytest.mark.parametrize(
    ("ask", "table"),
    [
        (label, "labels"),
        (lambda key: describe("mine", {key: 3}, ""), "labels"),
        (lambda key: describe("mine", {key: True}, ""), "switches"),
        (picture, "pictures"),
        (Sheet().show, "pictures"),
    ],
)
def test_what_has_no_words_is_named_with_the_table_that_lacks_it(ask, table):
    with pytest.raises(LookupError, match=rf"'colour' has no words: add it to \[{table}\]"):
        ask("colour")


@pytest.mark.parametrize(
    ("language", "start"), [("en", "INT4, symmetric. Th"), ("zh", "INT4，对称量化。")]
)
def test_a_picture_says_its_sentence_in_the_chosen_language(language, start):
    words.set_language(language)
    values = {"scheme": "INT4", "symmetry": words.switch("symmetric", True), "line": "s = 1"}
    figure = Sheet().show("visualize-quantization", **values)
    assert figure.alt == picture("visualize-quantization", **values)
    assert figure.alt.startswith(start) and "s = 1" in figure.alt


@pytest.mark.parametrize("given", [{}, {"line": ""}, {"scheme": "", "symmetry": "", "lines": ""}])
def test_a_picture_takes_the_values_of_its_fields_and_no_others(given):
    said = "'visualize-quantization' has the fields line, scheme, symmetry; given: "
    with pytest.raises(TypeError, match=said + (", ".join(sorted(given)) or "none")):
        Sheet().show("visualize-quantization", **given)


def test_a_language_without_a_catalogue_is_refused():
    with pytest.raises(ValueError, match="language: expected 'en' or 'zh', found 'fr'"):
        words.set_language("fr")
