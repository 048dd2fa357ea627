"""A picture that is kept as A stays as it is while the current one, B, moves."""

import ipywidgets as widgets
import pytest
from browser import WHOLE, jupyterlab, needs_chromium, new_page, open_notebook, write_notebook
from test_figures import FIGURES

from quantcore import explore, words
from quantcore.explore.explorer import Control, Explorer
from quantcore.explore.static import static_html
from quantcore.sheet import Sheet
from quantcore.words import label

COMPARED = """quantization shapes workbench granularity calibration outlier staircase formats photo
    chord accuracy""".split()


@pytest.fixture(autouse=True)
def chinese():
    words.set_language("zh")
    yield
    words.set_language("en")


def parts(explorer):
    """Of the live figure: its first input, the two buttons, A's box, the current picture."""
    view = explorer.widget()
    controls, kept, image = view.children[:3]
    first, *_, keep, drop = controls.children
    return first, keep, drop, kept, image


@pytest.mark.parametrize("name", FIGURES)
def test_what_the_lesson_compares_has_buttons_live_and_static(name):
    explorer = FIGURES[name]()
    controls = explorer.widget().children[0].children
    buttons = [c.description for c in controls if isinstance(c, widgets.Button)]
    expected = [label("keep"), label("drop")] if name in COMPARED else []
    assert buttons == expected and explorer.compare is (name in COMPARED)


@pytest.mark.parametrize("name", ["staircase", "clipping"])
def test_a_page_has_the_buttons_and_the_settings_of_each_frame(name):
    page, compared = static_html(FIGURES[name]()), name in COMPARED
    assert ('class="qc-a"' in page) is compared is (f">{label('keep')}</button>" in page)
    assert page.count('"chosen": "') == (len(FIGURES[name]().states()) if compared else 0)


def test_a_stays_while_b_moves_and_nothing_is_drawn_for_it():
    explorer = explore.staircase()
    first, keep, drop, kept, image = parts(explorer)
    assert len(kept.children) == 1 and drop.layout.visibility == "hidden"
    drawn = explorer.frame
    explorer.frame = None  # to draw would be an error
    keep.click()
    explorer.frame = drawn
    line, a = kept.children
    start = explorer.live_frame(*explorer.start)
    assert a.value == image.value == start.jpeg and drop.layout.visibility == "visible"
    said = line.value
    assert "<b>A</b>" in said and "位宽 b = 3，非对称" in said and start.line in said
    assert f"A：{explorer.alt(explorer.start, start.line)}" in said

    first.value = 8
    assert a.value == start.jpeg != image.value and line.value == said
    keep.click()  # again: in the same place
    assert kept.children == (line, a) and a.value == image.value
    assert "位宽 b = 8" in line.value
    drop.click()
    assert kept.children == (line,) and not line.value and drop.layout.visibility == "hidden"
    assert a.comm is None, "it is closed"
    keep.click()
    assert kept.children[1].value == image.value


def test_a_sound_is_kept_too():
    explorer = explore.chord()
    first, keep, _, kept, _ = parts(explorer)
    keep.click()
    _, _, row = kept.children
    name, player = row.children
    sound = explorer.live_frame(*explorer.start).sound
    assert name.value == "A" and player.value == sound
    first.value = 2
    assert player.value == sound
    keep.click()
    assert player.value == explorer.live_frame(2, False).sound != sound


def test_an_error_is_not_kept():
    def draw(sheet, bits):
        return f"{1 / (bits - 3)}"

    explorer = Explorer("x", Sheet(), draw, Control("bits", (2, 3, 4), 2), compare=True)
    first, keep, _, kept, _ = parts(explorer)
    first.value = 3
    keep.click()
    assert len(kept.children) == 1
    first.value = 4
    keep.click()
    assert len(kept.children) == 2


# ---- in a browser --------------------------------------------------------------------------


def place_of(page, locator):
    return page.evaluate("e => e.getBoundingClientRect().top + scrollY", locator.element_handle())


@needs_chromium
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_keeps_a_above_b_by_keyboard(browser, tmp_path, width):
    explorer = explore.staircase()
    file = tmp_path / "page.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{static_html(explorer)}", "utf-8")
    page = new_page(browser, viewport={"width": width, "height": 844})
    page.goto(file.as_uri())
    slider, keep, drop = (
        page.locator("input[type=range]"),
        *(page.get_by_role("button", name=label(name)) for name in ("keep", "drop")),
    )
    assert drop.count() == 0, "there is no A"
    before = place_of(page, slider)
    keep.press("Enter")
    shown = ".qc-panels img:visible >> nth=0"  # the first panel, where each has a row
    a, b = page.locator(f".qc-a {shown}"), page.locator(f"figure > {shown}")
    start = explorer.alt(explorer.start, explorer.line)
    first = a.get_attribute("src")
    assert first == b.get_attribute("src") and a.get_attribute("alt") == f"A：{start}"
    text = page.locator(".qc-a p")
    assert text.inner_text().split("   ") == [
        "A  位宽 b = 3，非对称", *explorer.line.split("   ")
    ]  # fmt: skip
    assert text.get_attribute("aria-live") == "polite"

    top = place_of(page, b)
    slider.focus()
    for key in ("End", "ArrowLeft", "Home"):
        slider.press(key)
        b.evaluate("image => image.decode()")
        assert a.get_attribute("src") == first != b.get_attribute("src")
        assert (place_of(page, slider), place_of(page, b)) == (before, top), "it jumped"
    boxes = a.bounding_box(), b.bounding_box()
    assert boxes[0]["width"] == boxes[1]["width"] and boxes[0]["y"] < boxes[1]["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    keep.click()
    assert page.locator(".qc-a .qc-panels").count() == 1
    assert a.get_attribute("src") == b.get_attribute("src")
    drop.press("Enter")
    assert a.count() == 0 and not text.inner_text()
    assert keep.evaluate("button => button === document.activeElement")
    assert page.problems == []
    page.close()


@needs_chromium
def test_paper_shows_b_alone(browser, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{static_html(explore.chord())}", "utf-8")
    page = new_page(browser)
    page.goto(file.as_uri())
    page.get_by_role("button", name=label("keep")).click()
    assert page.locator(".qc-a audio").get_attribute("aria-label") == "A"
    assert page.locator(".qc-a audio").get_attribute("src").startswith("data:audio")
    page.emulate_media(media="print")
    assert not page.locator(".qc-a").is_visible()
    assert page.locator(f"figure > {WHOLE}").is_visible()
    assert page.get_by_role("button").count() == 0
    page.close()


@needs_chromium
def test_jupyterlab_keeps_a_above_b(browser, tmp_path):
    write_notebook(
        tmp_path / "live.ipynb",
        "from quantcore import explore\nexplore.set_language('zh')",
        "explore.staircase()",
    )
    with jupyterlab(tmp_path) as address:
        page = new_page(browser)
        open_notebook(page, address, "live.ipynb")
        page.set_viewport_size({"width": 1280, "height": 1400})
        live = page.locator(".qc-live")
        keep, drop = (live.get_by_role("button", name=label(name)) for name in ("keep", "drop"))
        handle = live.locator(".noUi-handle")
        handle.wait_for()
        before, twin = place_of(page, handle), explore.staircase()
        assert drop.count() == 0
        keep.press("Enter")
        page.wait_for_function("document.querySelectorAll('.qc-live img[alt]').length === 2")
        a, b = live.locator("img").nth(0), live.locator("img").nth(1)
        start = twin.alt(twin.start, twin.line)
        assert a.get_attribute("alt") == f"A：{start}" and b.get_attribute("alt") == start
        assert place_of(page, handle) == before, "the controls jumped"
        first, top = a.get_attribute("src"), place_of(page, b)
        moved = twin.alt((8, False), twin.frame(8, False).line)
        handle.press("End")
        page.wait_for_function(
            "alt => [...document.querySelectorAll('.qc-live img')].at(-1).alt === alt", arg=moved
        )
        assert a.get_attribute("src") == first != b.get_attribute("src")
        assert a.get_attribute("alt") == f"A：{start}" and place_of(page, b) == top
        assert a.bounding_box()["width"] == b.bounding_box()["width"]
        keep.press("Enter")
        page.wait_for_function("alt => document.querySelector('.qc-live img').alt === alt",
                               arg=f"A：{moved}")  # fmt: skip
        drop.click()
        page.wait_for_function("document.querySelectorAll('.qc-live img').length === 1")
        assert live.locator("img").get_attribute("alt") == moved
        assert page.problems == []
        page.close()
