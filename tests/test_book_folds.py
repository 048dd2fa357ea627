"""What is folded on a page: the source that only draws, and the result that answers a question."""

import pytest
from books import STATE, Visit, built, main_of, wait_for_frames, write_book
from browser import WHOLE, needs_chromium
from nbformat.v4 import new_code_cell, new_markdown_cell

from book import words

CELLS = (
    new_markdown_cell("# 第一章\n\n## 2 量化（RMS）噪声 ★\n\n见[上面](#2-量化（RMS）噪声-★)。"),
    new_code_cell("from quantcore import explore, visualize_quantization\nimport torch"),
    new_code_cell(
        "x = torch.linspace(-1, 1, 100)\nprint('fold' + 'ed')", metadata={"tags": ["fold"]}
    ),
    new_code_cell("print('an' + 'swer')\nexplore.staircase()", metadata={"tags": ["predict"]}),
    new_code_cell("visualize_quantization(x)", metadata={"tags": ["predict", "fold"]}),
)


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    """A page with two cells that are folded and two that are predicted."""
    folder = write_book(tmp_path_factory.mktemp("folds"), a=CELLS)
    built(folder)
    return folder / "_book/zh/a.html"


@pytest.fixture
def page(folds, browser):
    with Visit(browser) as visit:
        visit.page.goto(folds.as_uri())
        yield visit.page
        assert visit.wrong == []


def test_the_source_or_the_result_opens_by_what_says_so(folds):
    main = main_of(folds)
    assert main.count(f'<details class="fold"><summary>{words.ours("zh")["fold"]}</summary>') == 2
    assert (
        main.count(f'<details class="predict"><summary>{words.ours("zh")["predict"]}</summary>')
        == 2
    )
    assert main.count("</details>") == 4


def test_a_link_to_a_heading_as_jupyterlab_writes_it(folds):
    main = main_of(folds)
    (place,) = {part.split('"')[0] for part in main.split('<a href="#')[1:] if "上面" in part[:60]}
    assert f'id="{place}"' in main


@needs_chromium
def test_what_is_folded_is_hidden_and_the_rest_is_not(page):
    visible = {
        "import torch": True,
        "x = torch.linspace": False,
        "folded": True,
        "explore.staircase()": True,
        "answer": False,
        "visualize_quantization(x)": False,
    }
    for text, seen in visible.items():
        found = page.locator("main pre").get_by_text(text).last
        assert found.is_visible() is seen, text
    assert not page.locator("main img").first.is_visible()


@needs_chromium
def test_a_slider_in_a_result_is_opened_and_moved_by_keyboard(page):
    summary = page.locator("details.predict > summary").first
    summary.focus()
    page.keyboard.press("Enter")
    figure = page.locator(".qc-explorer")
    wait_for_frames(page, figure)
    slider = figure.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("End")
    figure.locator(WHOLE).evaluate("image => image.decode()")
    state = figure.evaluate(STATE)
    assert state["right"] and state["drawn"] and state["values"][0] == "8"
    size = figure.locator(WHOLE).bounding_box()
    assert size["width"] > 500 and size["width"] / size["height"] == pytest.approx(960 / 380, 0.01)


@needs_chromium
def test_a_button_that_is_pressed_before_the_frames_are_there_is_heard(folds, browser):
    with Visit(browser) as visit:
        held = []
        visit.page.route("**/assets/*.js", lambda route: held.append(route))
        visit.page.goto(folds.as_uri())
        visit.page.locator("details.predict > summary").first.click()
        figure = visit.page.locator(".qc-explorer")
        figure.get_by_role("button").click()
        visit.page.wait_for_timeout(200)
        assert figure.locator(f".qc-a {WHOLE}").count() == 0 and held
        for route in held:
            route.continue_()
        figure.locator(f".qc-a {WHOLE}").wait_for()
        assert visit.wrong == []


@needs_chromium
def test_a_still_picture_in_a_result_has_its_size(page):
    page.locator("details.predict > summary").nth(1).click()
    image = page.locator('img[src^="assets/"]')
    image.evaluate("image => image.decode()")
    assert image.bounding_box()["width"] > 500
    assert image.get_attribute("alt").startswith("INT8")


@needs_chromium
def test_paper_shows_everything_and_the_screen_is_as_it_was(page):
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("main details[open]").count() == 4
    page.emulate_media(media="print")
    for text in ("x = torch.linspace", "answer", "visualize_quantization(x)"):
        assert page.locator("main pre").get_by_text(text).last.is_visible(), text
    assert not page.locator("summary").first.is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("main details[open]").count() == 0
