"""The decks, read as files, and in a real browser with no network."""

import re

import nbformat
import pytest
from books import CHAPTERS, EDITIONS, Visit
from browser import chromium, needs_chromium, serious

from notebooks.build import ROOT, read_source
from notebooks.tags import INSTRUCTOR, STARTS, has_slides, slide_type, tags

KINDS = {"slide", "subslide", "fragment", "skip", "notes", "-"}
DECKS = [
    (edition, name)
    for edition, name in CHAPTERS
    if has_slides(read_source(ROOT / edition / f"{name}.py"))
]
SLIDES = 18, 34  # how many a deck has, at least and at most
SIZES = {"1280×720": (1280, 720), "1920×1080": (1920, 1080)}
# The smallest sizes in CSS pixels, at 1280×720.
BODY, CODE, FIGURE = 24, 18, 16
CODE_LIKE = "pre, code, samp, figcaption, summary, .where, .slide-number, .qc-a, math"


def test_every_chapter_has_a_deck():
    numbered = [(e, name) for e, name in CHAPTERS if name[:2].isdigit()]
    assert sorted(DECKS) == sorted(numbered)


@pytest.mark.parametrize("edition, name", DECKS)
def test_each_cell_says_what_it_is(edition, name):
    """And a slide is short: one question, one figure, or one answer."""
    cells = read_source(ROOT / edition / f"{name}.py").cells
    assert {slide_type(cell) for cell in cells} <= KINDS
    starts = [i for i, cell in enumerate(cells) if slide_type(cell) in STARTS]
    assert SLIDES[0] <= len(starts) <= SLIDES[1]
    assert starts[0] == 0
    for i, end in zip(starts, [*starts[1:], len(cells)], strict=True):
        slide = [c for c in cells[i:end] if slide_type(c) not in ("skip", "notes")]
        figures = [c for c in slide if re.search(r"^explore\.(?!set_language)", c.source, re.M)]
        assert len(figures) <= 1, f"the slide of cell {i} has {len(figures)} figures"
        answers = [c for c in slide if "predict" in tags(c)]
        shown = [c for c in answers if slide_type(c) == "-" and c is not slide[0]]
        asked = any("exercises.predict" in c.source for c in slide)
        assert not (shown and asked), f"the slide of cell {i} shows an answer beside its question"


@pytest.mark.parametrize("edition, name", DECKS)
def test_the_instructor_is_told_what_to_ask(edition, name):
    cells = read_source(ROOT / edition / f"{name}.py").cells
    notes = [cell for cell in cells if INSTRUCTOR in tags(cell)]
    figures = [c for c in cells if re.match(r"explore\.(?!set_language)", c.source)]
    shown = [c for c in figures if slide_type(c) != "skip"]
    assert len(notes) >= max(8, len(shown))


@pytest.mark.parametrize("edition, name", DECKS)
def test_a_deck_lies_in_the_book_and_its_notes_nowhere_else(book, edition, name):
    deck = (book / edition / f"slides/{name}.html").read_text("utf-8")
    page = (book / edition / f"{name}.html").read_text("utf-8")
    assert f'href="slides/{name}.html"' in page
    notebook = nbformat.read(ROOT / edition / f"{name}.ipynb", 4)
    for cell in notebook.cells:
        if INSTRUCTOR in tags(cell):
            first = re.split(r"[$*`\[<(（]", cell.source.lstrip("*-# "))[0].strip()[:12]
            assert first in deck, first
    assert 'class="notes"' in deck and 'class="notes"' not in page


# ---- in the browser -------------------------------------------------------------------------

READY = "window.Reveal && Reveal.isReady()"
OUTSIDE = """() => {
    const slide = Reveal.getCurrentSlide(), frame = slide.getBoundingClientRect(), found = [];
    for (const e of slide.querySelectorAll('*')) {
        if (e.closest('aside, details.code > .highlight, svg, select, option')) continue;
        const box = e.getBoundingClientRect();
        if (!box.width || e.closest('math') && e.tagName !== 'math') continue;
        if (box.bottom > frame.bottom + 1 || box.right > frame.right + 1 || box.top < frame.top - 1)
            found.push(`${e.tagName}: ${e.textContent.trim().slice(0, 40)}`);
        else if (e.scrollWidth > e.clientWidth + 2 && e.matches('pre, p, li, td, .formula'))
            found.push(`${e.tagName} is cut: ${e.textContent.trim().slice(0, 40)}`);
    }
    return found;
}"""
SMALL = """([body, code, figure, codeLike]) => {
    const slide = Reveal.getCurrentSlide(), found = [], scale = Reveal.getScale();
    const walk = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const e = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
        if (!text || e.closest('aside, style, script, option, sup, sub, math')) continue;
        if (!e.getClientRects().length) continue;
        const least = e.closest(codeLike) ? code : body;
        if (parseFloat(getComputedStyle(e).fontSize) < least - 0.1) found.push(`text: ${text}`);
    }
    for (const image of slide.querySelectorAll('.qc-panels > img, img.still')) {
        if (!image.naturalWidth) { found.push('a picture is missing'); continue; }
        const box = image.getBoundingClientRect();
        // object-fit: contain; the texts of a figure are 16 pixels at its own size.
        const drawn = Math.min(box.width / image.getAttribute('width'),
                               box.height / image.getAttribute('height')) / scale;
        if (16 * drawn < figure - 0.1) found.push(`figure text ${(16 * drawn).toFixed(1)} px`);
    }
    return found;
}"""
# A fragment fades in, and its letters have little contrast while it does.
FADED = """() => Promise.all(
    Reveal.getCurrentSlide().getAnimations({subtree: true}).map(a => a.finished)
).then(() => null)"""


def slides(page):
    """Go through the deck by the keyboard, to the end; at each slide with all its fragments."""
    seen = 0
    while True:
        page.wait_for_function(
            "[...Reveal.getCurrentSlide().querySelectorAll('img')].every(i => i.complete)"
        )
        while page.evaluate("Reveal.availableFragments().next"):
            page.keyboard.press("ArrowRight")
        seen += 1
        yield page.evaluate("Reveal.getSlidePastCount()")
        if page.evaluate("Reveal.isLastSlide()"):
            break
        page.keyboard.press("ArrowRight")
    assert seen == page.evaluate("Reveal.getTotalSlides()")


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


def opened(visit, book, edition, name):
    visit.page.context.set_offline(True)
    visit.page.goto((book / edition / f"slides/{name}.html").as_uri())
    visit.page.wait_for_function(READY)
    return visit.page


@needs_chromium
@pytest.mark.parametrize("edition, name", DECKS)
def test_each_slide_is_whole_large_and_accessible(book, browser, edition, name):
    """Nothing overflows, all is large enough, and axe has nothing serious to say.

    What the editions share, their colours and how a slide is scaled, is looked at in one.
    """
    one = edition == EDITIONS[0]
    without = () if one else ("color-contrast",)
    wrong = []
    for label, (width, height) in list(SIZES.items())[: None if one else 1]:
        with Visit(browser, viewport={"width": width, "height": height}) as visit:
            page = opened(visit, book, edition, name)
            for i in slides(page):
                found = page.evaluate(OUTSIDE) + page.evaluate(
                    SMALL, [BODY, CODE, FIGURE, CODE_LIKE]
                )
                if label == "1280×720":
                    page.evaluate(FADED)
                    found += serious(page, {"include": ["section.present"]}, without)
                wrong += [f"{label}, slide {i + 1}: {each}" for each in found[:3]]
            wrong += visit.wrong
    assert not wrong, "\n".join(wrong)


@needs_chromium
@pytest.mark.parametrize("edition, name", [deck for deck in DECKS if deck[0] == EDITIONS[0]])
def test_sliders_move_by_the_keyboard_and_leave_the_slide_alone(book, browser, edition, name):
    """In one edition: the other has the same figures, and its book's sliders are all moved."""
    with Visit(browser) as visit:
        page = opened(visit, book, edition, name)
        moved = 0
        for at in slides(page):
            for control in page.locator("section.present .qc-explorer [data-count]").all():
                figure = control.locator("xpath=ancestor::figure")
                state = (
                    "f => f.querySelector('figcaption').textContent + f.querySelector('img').src"
                )
                before = figure.evaluate(state)
                control.focus()
                kind = control.evaluate("c => c.type")
                keys = {"checkbox": ["Space"], "range": ["Home", "End"]}.get(kind, ["End", "Home"])
                states = {before}
                for key in keys:
                    page.keyboard.press(key)
                    states.add(figure.evaluate(state))
                assert len(states) > 1, f"slide {at + 1}: {kind} changes nothing"
                page.keyboard.press("ArrowRight")  # the control's
                page.keyboard.press("Escape")
                assert page.evaluate("Reveal.getSlidePastCount()") == at
                moved += 1
        assert moved or not page.locator(".qc-explorer").count()
        assert not visit.wrong


@needs_chromium
def test_predictions_answer_a_clicker_turns_and_code_is_called_up(book, browser):
    with Visit(browser) as visit:
        page = opened(visit, book, EDITIONS[0], "00_start")
        for at in slides(page):  # noqa: B007, it is read below
            field = page.locator("section.present .qc-prediction input:not([type=radio])")
            if field.count():
                break
        field.first.fill("100")
        page.keyboard.press("Enter")
        assert page.locator("section.present .qc-said").first.inner_text()
        assert page.evaluate("Reveal.getSlidePastCount()") == at
        code = page.locator("section.present details.code")
        code.locator("summary").focus()
        page.keyboard.press("Enter")
        assert code.locator(".highlight").is_visible()
        page.keyboard.press("Escape")
        assert not code.locator(".highlight").is_visible()
        field.first.focus()
        page.keyboard.press("PageDown")
        assert page.evaluate("Reveal.getSlidePastCount()") == at + 1
        assert not visit.wrong


@needs_chromium
@pytest.mark.parametrize("edition", EDITIONS)
def test_the_notes_open_in_a_window_of_their_own(book, browser, edition):
    with Visit(browser) as visit:
        page = opened(visit, book, edition, "00_start")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        with page.expect_popup() as popup:
            page.keyboard.press("s")
        notes = popup.value.locator(".speaker-controls-notes .value")
        notes.locator("p").first.wait_for()
        said = page.locator("section.present aside.notes").first.text_content().strip()
        assert said and said in notes.inner_text()
