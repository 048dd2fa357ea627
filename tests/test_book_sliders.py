"""The sliders of the book, in a browser."""

import re

import pytest
from books import CHAPTERS, EDITIONS, LOADED, STATE, Visit, main_of, wait_for_frames
from browser import WHOLE, needs_chromium


def check_state(figure):
    """The figure shows the picture of what its controls say; returns the picture's alt text."""
    figure.locator(WHOLE).evaluate("image => image.decode()")
    state = figure.evaluate(STATE)
    assert state["right"] and state["drawn"] and state["line"] == state["shown"], state
    assert not state["stretched"], state
    for value in set(state["values"]) - {"True", "False"}:
        assert f"= {value}" in state["alt"], state
    return state["alt"]


# Of each panel of a figure with several side by side: it has a row of its own, the cut picture
# leaves nothing of it out, and its letters, 16 CSS pixels where the picture has its whole width.
PANELS = """figure => {
    const [whole, ...parts] = figure.querySelector('.qc-panels').children;
    return parts.map(part => {
        const box = part.getBoundingClientRect(), image = part.firstChild.getBoundingClientRect();
        const [left, width] = ['--left', '--part'].map(n => +part.style.getPropertyValue(n));
        return {
            alone: !whole.clientHeight && parts.every(p => p === part
                || p.getBoundingClientRect().bottom <= box.top
                || p.getBoundingClientRect().top >= box.bottom),
            fits: Math.abs(box.left - image.left - left * image.width) < 1
                && Math.abs(box.width - width * image.width) < 1,
            letters: 16 * image.width / whole.getAttribute('width'),
        };
    });
}"""


def move(control):
    """Use a control as its reader would; yields after each step."""
    kind = control.evaluate("c => c.type")
    if kind == "range":
        control.focus()
        for key in ("End", "ArrowLeft", "Home", "ArrowRight"):
            control.press(key)
            yield
    elif kind == "checkbox":
        control.click()
        yield
        control.press("Space")
        yield
        control.press("Space")  # the other setting stays, beside the other controls' new ones
        yield
    else:
        for index in range(control.evaluate("c => c.options.length")):
            control.select_option(index=index)
            yield


@needs_chromium
@pytest.mark.parametrize("edition, name", CHAPTERS)
def test_every_slider_shows_its_picture(book, visit, edition, name):
    visit.wrong.clear()
    page = visit.page
    page.goto((book / edition / f"{name}.html").as_uri())
    figures = page.locator(".qc-explorer")
    before = [figure.locator(WHOLE).get_attribute("alt") for figure in figures.all()]
    for number, figure in enumerate(figures.all()):
        wait_for_frames(page, figure)
        seen = {check_state(figure)}
        assert seen == {before[number]}, "another figure's slider moved this one"
        for control in figure.locator("input, select").all():
            at = len(seen)
            for _ in move(control):
                seen.add(check_state(figure))
            assert len(seen) > at, f"figure {number}: a control changes nothing"
    assert page.url.endswith(f"/{name}.html"), "an arrow key turned the page"
    assert visit.wrong == []


@needs_chromium
@pytest.mark.parametrize("edition, name", CHAPTERS)
def test_sliders_answer_touch_on_a_phone_from_a_sub_path(site, browser, edition, name):
    options = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with Visit(browser, **options) as phone:
        page = phone.page
        page.goto(f"{site}/{edition}/{name}.html")
        for figure in page.locator(".qc-explorer").all():
            wait_for_frames(page, figure)
            before = check_state(figure)
            # A finger opens the phone's own list for a <select>: there is nothing of ours in it.
            for control in figure.locator("input").all():
                control.tap(position=far_end(control))
                page.wait_for_function(
                    "([figure, before]) => figure.querySelector('img').alt !== before",
                    arg=[figure.element_handle(), before],
                )
                before = check_state(figure)
            for panel in figure.evaluate(PANELS):
                assert panel == {"alone": True, "fits": True, "letters": panel["letters"]}, before
                assert panel["letters"] >= 10.5, "CSS pixels, on a phone"
        assert phone.wrong == []


def far_end(control):
    """Where to tap: the end of a slider that its thumb is farther from, or a box's middle."""
    box = control.bounding_box()
    part = control.evaluate(
        "c => c.type !== 'range' ? 0.5 : c.value - c.min > (c.max - c.min) / 2 ? 0.04 : 0.96"
    )
    return {"x": part * box["width"], "y": box["height"] / 2}


@needs_chromium
def test_frames_come_when_they_are_needed(site, browser):
    """The print page holds every figure of the book: it must not load them all."""
    with Visit(browser) as visit:
        page = visit.page
        page.goto(f"{site}/zh/print.html")
        page.wait_for_timeout(300)
        asked = page.locator("script[data-asked]").count()
        assert asked < page.locator(".qc-explorer").count()
        figure = page.locator(".qc-explorer").last
        figure.evaluate(  # used before its frames are there
            """f => {
                const i = f.querySelector('input[type=range]');
                i.value = i.value === i.max ? i.min : i.max;
                i.dispatchEvent(new Event('input', {bubbles: true}));
            }"""
        )
        page.wait_for_function(LOADED, arg=figure.element_handle())
        check_state(figure)
        assert visit.wrong == []


@needs_chromium
@pytest.mark.parametrize("edition", EDITIONS)
def test_paper_shows_where_the_sliders_start(book, browser, edition):
    visit = Visit(browser)
    page = visit.page
    page.goto((book / edition / "print.html").as_uri())
    figures = page.locator(".qc-explorer")
    expected = [
        alt
        for e, name in CHAPTERS
        if e == edition
        for alt in re.findall(
            r'<figure class="qc-explorer".*?<img alt="(.*?)"',
            main_of(book / edition / f"{name}.html"),
            flags=re.DOTALL,
        )
    ]
    assert figures.count() == len(expected) > 0
    figure = figures.first
    wait_for_frames(page, figure)
    start = figure.locator(WHOLE).get_attribute("alt")
    figure.locator("input[type=range]").first.press("Home")
    assert figure.locator(WHOLE).get_attribute("alt") != start
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert check_state(figure) == start
    for shown in figures.all():
        assert shown.locator(WHOLE).is_visible()
        assert shown.locator("input, select").first.is_visible()
    assert visit.wrong == []
    page.close()
