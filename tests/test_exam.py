"""The examination: what an attempt draws, what it says, and that its lives say the same."""

import os
import re

import pytest
from browser import chromium_page, jupyterlab, needs_chromium, open_notebook, write_notebook
from chapters import EDITIONS, texts

from notebooks import build
from quantcore import exercises, words
from quantcore.exercises.exam import DERIVED, FORMULAS, GROUPS, QUESTIONS
from quantcore.words import LANGUAGES, catalogue

ATTEMPTS = range(1, 51)


@pytest.fixture(autouse=True)
def english():
    words.set_language("en")
    yield
    words.set_language("en")


def typed(question, value):
    return repr(value) if question.answers.kind == "number" else value


def all_right(paper):
    return [typed(q, q.answers.right) for q in paper.questions]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_attempt_knows_its_answers_and_says_something_of_each(language):
    words.set_language(language)
    for attempt in ATTEMPTS:
        for q in exercises.exam(attempt).questions:
            assert "{" not in q.label
            for name, value in q.answers.named.items():
                assert q.judge(typed(q, value)) == name
                assert q.said(typed(q, value))


def test_an_attempt_is_always_the_same_and_the_next_is_another():
    one, same, other = (
        [(q.label, q.answers) for q in exercises.exam(n).questions] for n in (1, 1, 2)
    )
    assert one == same
    assert len(one) == sum(GROUPS.values()) + 12
    assert sum(a == b for a, b in zip(one, other, strict=True)) < 12


def test_each_number_is_drawn_anew():
    drawn = [exercises.exam(attempt).questions[-12:] for attempt in ATTEMPTS]
    for i in range(12):
        assert len({questions[i].label for questions in drawn}) >= 4, drawn[0][i].name


def test_the_score_and_where_to_read_again():
    paper = exercises.exam()
    given = all_right(paper)
    assert paper.score(given) == 24 and paper.again(given) == []
    given[-1], given[0] = "0", None
    assert paper.score(given) == 22
    assert paper.again(given) == ["01_information_theory", "04b_integer"]
    assert paper.score([None] * 24) == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_are_those_of_the_questions(language):
    table = catalogue(language)["exam"]
    assert sorted(table["formulas"]) == sorted(FORMULAS)
    assert sorted(table["chapters"]) == sorted({*DERIVED.values()})
    assert sorted(table["questions"]) == sorted(make.__name__ for make in QUESTIONS)
    for q in exercises.exam().questions[-12:]:
        needed = {"label", *q.answers.named}
        assert needed <= set(table["questions"][q.name]) <= needed | {"unit"}


@pytest.mark.parametrize("folder", EDITIONS, ids=lambda folder: folder.name)
def test_each_formula_stands_in_the_table_with_its_chapter(folder):
    rows = "\n".join(text for _, text in texts(build.read_source(folder / "06_summary.py")))
    chapters = dict(re.findall(r"^\| ([A-Z]\d+) \|.*\]\((\w+)\.ipynb\) \|$", rows, re.MULTILINE))
    for code in FORMULAS:
        assert chapters[code] == DERIVED.get(code, DERIVED[code[0]]), code


def test_its_three_lives(monkeypatch):
    bundle = exercises.exam().bundle()
    assert bundle["text/plain"].startswith("The paper, 24 questions")
    monkeypatch.setenv("QUANTCORE_STATIC", "1")
    page = exercises.exam().bundle()["text/html"]
    assert page.count("<form") == 24 and "http" not in page


def test_live_a_new_attempt_draws_other_questions():
    box = exercises.exam().widget()
    title, asked, end = box.children
    (hand_in, another), score = end.children[0].children, end.children[1]
    first = [row.children[0].value for row in asked.children]
    hand_in.click()
    assert "0 of 24 right" in score.value and "03_params.ipynb" in score.value
    another.click()
    assert "attempt 2" in title.value and not score.value
    assert [row.children[0].value for row in asked.children] != first
    paper = exercises.exam(2)
    for row, answer in zip(asked.children, all_right(paper), strict=True):
        row.children[1].children[0].value = answer
    hand_in.click()
    assert "24 of 24 right" in score.value


@needs_chromium
def test_static_it_says_what_the_live_one_says(monkeypatch, tmp_path):
    monkeypatch.setenv("QUANTCORE_STATIC", "1")
    paper = exercises.exam()
    given = [typed(q, [*q.answers.named.values()][i % 3]) for i, q in enumerate(paper.questions)]
    (tmp_path / "exam.html").write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8">{paper.bundle()["text/html"]}',
        "utf-8",
    )
    with chromium_page() as page:
        page.goto((tmp_path / "exam.html").as_uri())
        fill(page, paper, given)
        page.keyboard.press("Enter")
        assert page.locator(".qc-said").first.inner_text() == ""
        page.get_by_role("button", name="Hand in").click()
        said = page.locator(".qc-said").all_inner_texts()
        assert said == [q.said(g) for q, g in zip(paper.questions, given, strict=True)]
        assert (
            page.locator(".qc-score").inner_text().startswith(f"{paper.score(given)} of 24 right.")
        )
        links = page.locator(".qc-score a").evaluate_all("a => a.map(a => a.getAttribute('href'))")
        assert links == [f"{chapter}.html" for chapter in paper.again(given)]
        fill(page, paper, all_right(paper))
        page.get_by_role("button", name="Hand in").click()
        assert "24 of 24 right. All of them are right." in page.locator(".qc-score").inner_text()
        assert not page.problems


def fill(page, paper, given):
    forms = page.locator("form")
    for i, (q, value) in enumerate(zip(paper.questions, given, strict=True)):
        if q.answers.kind == "number":
            forms.nth(i).locator("input").fill(value)
        else:
            forms.nth(i).locator("input").nth(q.answers.options.index(value)).check()


@needs_chromium
def test_in_jupyterlab_it_is_answered_by_the_keyboard(tmp_path):
    cells = (
        'from quantcore import exercises, explore; explore.set_language("en")',
        "exercises.exam()",
    )
    write_notebook(tmp_path / "exam.ipynb", *cells)
    with jupyterlab(tmp_path) as address, chromium_page() as page:
        open_notebook(page, address, "exam.ipynb")
        named = (
            "document.querySelectorAll('.qc-exam .qc-live[role=group][aria-label]').length == 24"
        )
        page.wait_for_function(named)
        exam = page.locator(".qc-exam")
        first = exam.locator("input[type=radio]").first
        first.focus()
        page.keyboard.press("Space")
        assert first.is_checked()
        exam.get_by_role("button", name="Hand in").focus()
        page.keyboard.press("Enter")
        exam.get_by_text("of 24 right").wait_for()
        if shots := os.environ.get("SHOTS"):
            page.set_viewport_size({"width": 1280, "height": 2600})
            page.screenshot(path=f"{shots}/live.png")
        assert not page.problems
