"""Live figures in JupyterLab: names and alt texts, a restarted kernel, a notebook opened again."""

import pytest
from browser import (
    TOKEN,
    jupyterlab,
    needs_chromium,
    new_page,
    open_notebook,
    serious,
    wait_until_idle,
    write_notebook,
)

from quantcore import explore
from quantcore.words import label

pytestmark = needs_chromium
CELLS = (
    "from quantcore import explore, samples\nexplore.set_language('zh')",
    "explore.calibration(samples.distribution('outliers'))",
    "explore.chord()",
    "explore.clipping()",
)
LIVE = ".jp-Notebook .qc-live"


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """A notebook that has run in JupyterLab: (its page, the address of the server)."""
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "live.ipynb", *CELLS)
    with jupyterlab(folder) as address:
        page = new_page(browser)
        open_notebook(page, address, "live.ipynb")
        # Long notebooks take what is out of sight out of the page; this one is seen whole.
        page.set_viewport_size({"width": 1280, "height": 2400})
        page.wait_for_function("n => document.querySelectorAll('.qc-live img[alt]').length == n",
                               arg=len(CELLS) - 1)  # fmt: skip
        yield page, address


@pytest.fixture(autouse=True)
def chinese():
    explore.set_language("zh")
    yield
    explore.set_language("en")


def alt_of(page, number):
    return page.locator(LIVE).nth(number).locator("img").get_attribute("alt")


def test_a_live_picture_has_the_alt_text_of_its_state(lab):
    page, _ = lab
    twin = explore.chord()
    assert alt_of(page, 1) == twin.alt(twin.start, twin.line)
    handle = page.locator(LIVE).nth(1).locator(".noUi-handle")
    handle.press("ArrowLeft")
    expected = twin.alt((6, False), twin.frame(6, False).line)
    page.wait_for_function(
        "([n, alt]) => document.querySelectorAll('.qc-live img')[n].alt === alt", arg=[1, expected]
    )
    handle.press("ArrowRight")


def test_a_slider_says_its_name_and_the_value_that_is_seen(lab):
    page, _ = lab
    handle = page.locator(LIVE).nth(2).locator(".noUi-handle").first
    assert handle.get_attribute("aria-label") == label("clip")
    handle.press("End")  # the last of 1.0, 1.5 … 6.0; by itself the slider says its place, 7
    page.wait_for_function(
        """() => document.querySelectorAll('.qc-live')[2].querySelector('.noUi-handle')
            .getAttribute('aria-valuetext') === '6.0'"""
    )
    assert page.locator(LIVE).nth(2).locator("[tabindex='0'].widget-readout").count() == 0


def test_what_a_reader_cannot_see_is_said(lab):
    page, _ = lab
    sounds = page.locator(f"{LIVE} audio")
    names = [sounds.nth(i).get_attribute("aria-label") for i in range(sounds.count())]
    assert names == [label("quantized"), label("original")]
    assert page.locator(f"{LIVE} .qc-line").first.get_attribute("aria-live") == "polite"


def test_axe_finds_nothing_serious_in_live_figures(lab):
    page, _ = lab
    assert serious(page, {"include": [".qc-live"]}) == []


def test_the_still_picture_hides_beside_a_live_one(lab):
    page, _ = lab
    shown = page.locator(".jp-Notebook .jp-RenderedImage img")
    assert shown.count() == len(CELLS) - 1
    assert not any(shown.nth(i).is_visible() for i in range(shown.count()))


def test_a_restarted_kernel_and_a_notebook_opened_again(lab):
    page, address = lab
    page.keyboard.press("Control+s")
    page.wait_for_selector(".jp-NotebookPanel:not(.jp-mod-dirty)", state="attached")
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_text("Restart Kernel…", exact=True).click()
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    page.wait_for_selector(f"{LIVE}.jupyter-widgets-disconnected")
    said = "live => getComputedStyle(live, '::before').content"
    assert page.locator(LIVE).first.evaluate(said) == f'"{label("gone")}"'

    page.goto("about:blank")
    page.goto(f"{address}/lab/tree/live.ipynb?token={TOKEN}&reset")
    wait_until_idle(page)
    stills = page.locator(".jp-Notebook .jp-RenderedImage img")
    page.wait_for_function(
        "n => document.querySelectorAll('.jp-Notebook .jp-RenderedImage img').length == n",
        arg=len(CELLS) - 1,
    )
    for i in range(stills.count()):
        assert stills.nth(i).is_visible()
        assert stills.nth(i).evaluate("image => image.decode().then(() => image.naturalWidth)")
    page.get_by_text(label("unrun")).nth(len(CELLS) - 2).wait_for()
    assert page.get_by_text("Error displaying widget").count() == 0
