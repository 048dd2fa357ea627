"""Predictions: what each accepts, what it says, and that its lives say the same."""

import json

import pytest
import torch
from browser import (
    jupyterlab,
    needs_chromium,
    new_page,
    open_notebook,
    serious,
    write_notebook,
)

from book import build, preprocess
from quantcore import exercises, words
from quantcore.exercises import PREDICTIONS, clinic
from quantcore.exercises.answers import choice, number, order, read_number
from quantcore.information import error_report
from quantcore.page import WIDGET
from quantcore.words import LANGUAGES, catalogue

NAMES = list(PREDICTIONS)


@pytest.fixture(autouse=True)
def english():
    words.set_language("en")
    yield
    words.set_language("en")


def typed(prediction, value):
    """A known answer as its reader enters it."""
    return f"{value!r}" if prediction.answers.kind == "number" else value


# ---- each prediction ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_has_its_own_words(name, language):
    words.set_language(language)
    prediction = exercises.predict(name)
    said = [prediction.said(typed(prediction, v)) for v in prediction.answers.named.values()]
    assert len(set(said)) == len(said), "two answers are told the same"
    for key, sentence in zip(prediction.answers.named, said, strict=True):
        assert prediction.words[key] in sentence


@pytest.mark.parametrize("name", NAMES)
def test_the_right_answer_is_right_and_each_misconception_is_known(name):
    prediction = exercises.predict(name)
    for key, value in prediction.answers.named.items():
        assert prediction.judge(typed(prediction, value)) == key
    assert len(prediction.answers.wrong) >= 2
    if prediction.answers.kind == "number":
        assert prediction.judge(repr(prediction.answers.right - 1e6)) == "low"
        assert prediction.judge(repr(prediction.answers.right + 1e6)) == "high"
        assert prediction.judge("?") == "unread"
    if prediction.answers.kind == "order":
        assert 3 <= len(prediction.options) <= 4


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_prediction_has_all_its_words_and_no_others(language):
    table = catalogue(language)["predictions"]
    assert sorted(table) == sorted({name.partition("/")[0] for name in NAMES})
    for key, entry in table.items():
        made = [PREDICTIONS[name]() for name in NAMES if name.partition("/")[0] == key]
        needed = {"label", *(name for answers in made for name in answers.named)}
        assert needed <= set(entry) <= needed | {"unit", "otherwise", "options"}, key
        if "options" in entry:
            assert all(set(entry["options"]) <= set(answers.options) for answers in made), key


def test_cases_share_their_words_and_each_has_its_own_answer():
    asked = {name: exercises.predict(f"diagnosis/{name}") for name in clinic.cases()}
    assert {p.label for p in asked.values()} == {f"Diagnosis of {name}" for name in "ABCDEFGH"}
    for name, case in clinic.cases().items():
        assert asked[name].judge(case.fault) == "right"
        assert asked[name].words[case.fault] in asked[name].said(case.fault)
    faults = [case.fault for case in clinic.cases().values()]
    assert set(faults) == set(clinic.FAULTS) and faults.count("healthy") == 2


def test_the_faults_of_the_clinic_are_what_their_labels_say():
    for case in clinic.cases().values():
        p, x, x_hat = case.quantizer.params, case.x, case.quantizer(case.x)
        outside = error_report(x, case.quantizer).clipped > 0.01
        far = ((x - x_hat).abs().max() / p.scale > 15) and bool((x * x_hat < 0).any())
        used = len(x_hat.unique()) / (p.qmax - p.qmin + 1)
        peak = x.abs().max() / x.square().mean().sqrt()
        zero = case.quantizer(torch.zeros(1)).item() != 0
        found = {"wrapped" if far else "clipped"} if outside else set()
        found |= {"outlier"} if peak > 6 else {"wasted"} if used < 0.5 else set()
        name = "_".join(sorted(found | ({"zero"} if zero else set()))) or "healthy"
        assert name == case.fault


def test_no_name_stands_in_two_chapters():
    chapters = exercises.CHAPTERS.values()
    assert len(NAMES) == sum(len(chapter.PREDICTIONS) for chapter in chapters)
    assert len(exercises.EXERCISES) == sum(len(chapter.EXERCISES) for chapter in chapters)


def test_another_name_is_refused():
    with pytest.raises(LookupError, match="name: 'zero' is not known; use one of"):
        exercises.predict("zero")


# ---- the kinds ------------------------------------------------------------------------------

TYPED = {"-64": -64, "−64": -64, "+6.02": 6.02, "６４": 64, " 1 / 8 ": 0.125, "1e-3": 0.001,
         ".5": 0.5, "3.": 3, "": None, "abc": None, "1/0": None, "1/2/3": None, "0x5D": None,
         "4,25": None, "--1": None, "nan": None}  # fmt: skip


@pytest.mark.parametrize("text", TYPED)
def test_what_is_read_as_a_number(text):
    assert read_number(text) == TYPED[text]


def test_a_number_may_end_with_its_unit():
    assert read_number("0 dB", "dB") == 0 and read_number("6.02dB", "dB") == 6.02
    assert read_number("6.02 bits", "dB") is None


def test_a_tolerance_takes_what_lies_on_its_edge():
    answers = number(6.02, 0.05, ten_log=3.01)
    assert [answers.judge(t) for t in ("6.07", "5.97", "6.08", "5.96", "3.06")] == [
        "right", "right", "high", "low", "ten_log",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        lambda: number(4, 0.5, near=5),
        lambda: number(4, same=4),
        lambda: choice("a", same="a"),
        lambda: order("a", "b", same="ab"),
    ],
)
def test_answers_that_cannot_be_told_apart_are_refused(make):
    with pytest.raises(ValueError, match="give the same answer"):
        make()


@pytest.mark.parametrize("name", ["low", "label", "unread"])
def test_a_misconception_is_not_called_what_all_have(name):
    with pytest.raises(ValueError, match="cannot be names of misconceptions"):
        number(1, **{name: 2})


def test_an_order_is_complete_or_not_judged():
    answers = order("c", "a", "b", backwards="bac")
    assert [answers.judge(given) for given in ("cab", "bac", "abc", "ab", "aab", None)] == [
        "right", "backwards", "other", "unchosen", "unchosen", "unchosen",
    ]  # fmt: skip


# ---- saved, and with no kernel ----------------------------------------------------------------


def test_a_saved_notebook_holds_a_line_of_text():
    words.set_language("zh")
    bundle = exercises.predict("zero-point-sign").bundle()
    assert bundle["text/plain"] == "零点 z：运行这个单元格，写下你的预测。"
    assert set(bundle) == {"text/plain", WIDGET}


def test_the_book_keeps_a_prediction_in_its_page(monkeypatch):
    monkeypatch.setenv("QUANTCORE_STATIC", "1")
    for name in NAMES:
        bundle = exercises.predict(name).bundle()
        assert set(bundle) == {"text/html", "text/plain"}
        assets = {}
        preprocess.move_out({"data": bundle}, assets)
        assert not assets and "http" not in bundle["text/html"]


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """Every prediction in every language on one page, from the disk, under the book's policy."""
    parts = [f'<!doctype html><html lang="zh"><meta charset="utf-8">{build.HEAD.read_text("utf-8")}'
             "<title>predictions</title><main>"]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTCORE_STATIC", "1")
        for language in LANGUAGES:
            words.set_language(language)
            for name in NAMES:
                html = exercises.predict(name).bundle()["text/html"]
                parts.append(f'<div id="{language}-{name}">{html}</div>')
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text("".join(parts), "utf-8")
    page = new_page(browser)
    page.left = []
    page.on("request", lambda r: r.url.startswith("file:") or page.left.append(r.url))
    page.on("console", lambda m: page.problems.append(m.text))
    page.goto(path.as_uri())
    yield page
    words.set_language("en")


def enter(form, kind, value):
    """Enter an answer with the keyboard, and send it."""
    if kind == "number":
        field = form.locator("input")
        field.fill(value)
        field.press("Enter")
    elif kind == "choice":
        form.locator(f"input[value={json.dumps(value, ensure_ascii=False)}]").focus()
        form.page.keyboard.press("Space")
        form.page.keyboard.press("Enter")
    else:
        for select, item in zip(form.locator("select").all(), value, strict=True):
            select.select_option(item)
        form.locator("button").press("Enter")
    return form.locator(".qc-said").text_content()


@needs_chromium
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_live_and_static_say_the_same(page, monkeypatch, language, name):
    monkeypatch.setenv("QUANTCORE_STATIC", "1")
    words.set_language(language)
    prediction = exercises.predict(name)
    kind, form = prediction.answers.kind, page.locator(f"[id='{language}-{name}'] form")
    assert form.locator(".qc-said").text_content() == ""
    if kind != "number":
        form.locator("button").click()
        assert form.locator(".qc-said").text_content() == prediction.said(None)
    tried = [typed(prediction, value) for value in prediction.answers.named.values()]
    if kind == "number":
        right, tolerance = prediction.answers.right, prediction.answers.tolerance
        tried += TYPED
        tried += [f"{right}{prediction.unit}", f"{right} {prediction.unit}", f"{right} kg"]
        tried += [repr(right + k * tolerance) for k in (-1, 1, -1.1, 1.1)]
        tried += [repr(right - 1e6), repr(right + 1e6)]
    for answer in tried:
        assert enter(form, kind, answer) == prediction.said(answer), answer


@needs_chromium
def test_a_page_of_predictions_asks_nobody_and_reads_well(page):
    assert page.left == [] and page.problems == [] and page.url.endswith("/page.html")
    said = page.locator(".qc-said")
    assert all(s.get_attribute("aria-live") == "polite" for s in said.all())
    assert serious(page, {"include": [".qc-prediction"]}) == []


# ---- live -------------------------------------------------------------------------------------

CELLS = (
    "from quantcore import exercises, explore\nexplore.set_language('zh')",
    "exercises.predict('relu-loss')",
    "exercises.predict('transposed-axis')",
    "exercises.predict('outlier-methods')",
)
LIVE = ".jp-Notebook .qc-prediction"


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "live.ipynb", *CELLS)
    (folder / ".given.json").write_text("{}", "utf-8")
    with jupyterlab(folder) as address:
        page = new_page(browser)
        open_notebook(page, address, "live.ipynb")
        page.set_viewport_size({"width": 1280, "height": 1600})
        page.wait_for_function(
            f"document.querySelectorAll('{LIVE}[aria-label]').length == {len(CELLS) - 1}"
        )
        page.folder = folder
        yield page


def wait_for(page, number, text):
    page.wait_for_function(
        "([where, n, text]) => document.querySelectorAll(where)[n]"
        ".querySelector('.qc-line').textContent.trim() === text",
        arg=[LIVE, number, text],
    )


@needs_chromium
def test_a_live_prediction_is_answered_with_the_keyboard(lab):
    words.set_language("zh")
    sound, axis, methods = (
        exercises.predict(n) for n in ("relu-loss", "transposed-axis", "outlier-methods")
    )
    box = lab.locator(LIVE).nth(0)
    field = box.get_by_label(sound.label, exact=True).locator("visible=true")
    for answer in ("3.01", "6.02 dB", "x"):
        field.fill(answer)
        field.press("Enter")
        wait_for(lab, 0, sound.said(answer))
    box = lab.locator(LIVE).nth(1)
    box.locator("button").click()
    wait_for(lab, 1, axis.said(None))
    box.locator("input[type=radio]").first.focus()
    lab.keyboard.press("Space")
    box.locator("button").press("Enter")
    wait_for(lab, 1, axis.said("0"))
    box = lab.locator(LIVE).nth(2)
    for select, item in zip(box.locator("select").all(), methods.answers.right, strict=True):
        select.select_option(label=dict(methods.options)[item])
    box.locator("button").press("Enter")
    wait_for(lab, 2, methods.said(methods.answers.right))
    done = json.loads((lab.folder / ".progress.json").read_text("utf-8"))["predictions"]
    assert done == {"relu-loss": True, "transposed-axis": False, "outlier-methods": True}


@needs_chromium
def test_a_live_prediction_is_named_and_its_answer_is_heard(lab):
    for box, name in zip(lab.locator(LIVE).all(), ["relu-loss", "transposed-axis"], strict=False):
        assert box.get_attribute("role") == "group"
        words.set_language("zh")
        assert box.get_attribute("aria-label") == exercises.predict(name).label
        assert box.locator(".qc-line").get_attribute("aria-live") == "polite"
    assert serious(lab, ".qc-prediction") == []
