"""The controls, in a real browser: live in JupyterLab, and on a page with the network off."""

import io
from base64 import b64decode

import numpy as np
import pytest
from browser import WHOLE, jupyterlab, needs_chromium, new_page, open_notebook, write_notebook
from PIL import Image

from quantcore import explore, samples
from quantcore.explore.static import static_html

pytestmark = needs_chromium

SHOWN = "figure => figure.querySelector('img').src"
CELLS = (
    "from quantcore import explore, samples\nexplore.set_language('en')",
    "figure = explore.quantization(samples.distribution('normal'))\nfigure",
    "explore.staircase()",
    "from quantcore.explore.explorer import Control, Explorer\n"
    "from quantcore.sheet import Sheet\n"
    "def draw(sheet, bits):\n"
    "    return f'{1 / (bits - 3)}'\n"
    "Explorer('fails at 3', Sheet(1), draw, Control('bits', (2, 3, 4), 2))",
)


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """The page of a notebook that has run in JupyterLab."""
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "live.ipynb", *CELLS)
    with jupyterlab(folder) as address:
        page = new_page(browser)
        open_notebook(page, address, "live.ipynb")
        yield page


def cell(page, number):
    return page.locator(".jp-Notebook .jp-CodeCell").nth(number)


def wait_for_line(page, number, text):
    page.wait_for_function(
        """([n, text]) => document.querySelectorAll('.jp-Notebook .jp-CodeCell')[n]
            .innerText.includes(text)""",
        arg=[number, text],
    )


def pixels(page, image):
    """What an <img> shows, decoded by the browser that shows it."""
    url = image.evaluate(
        """async image => {
            await image.decode();
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            canvas.getContext('2d').drawImage(image, 0, 0);
            return canvas.toDataURL('image/png');
        }"""
    )
    return np.asarray(Image.open(io.BytesIO(b64decode(url.split(",")[1]))).convert("RGB"), float)


def is_the_picture_of(shown, explorer, *state):
    """Whether these pixels are nearer to that state's frame than to any other state's."""
    distance = {
        other: np.abs(shown - np.asarray(explorer.frame(*other).picture, float)).mean()
        for other in explorer.states()
    }
    return min(distance, key=distance.get) == state


def test_live_keys_bring_the_picture_of_their_value(lab):
    twin = explore.quantization(samples.distribution("normal"))
    cell(lab, 1).locator(".noUi-handle").focus()
    for bits in (7, 6, 5):
        lab.keyboard.press("ArrowLeft")
        wait_for_line(lab, 1, twin.frame(bits, True).line)
        shown = pixels(lab, cell(lab, 1).locator(".qc-live img"))
        assert is_the_picture_of(shown, twin, bits, True)
    cell(lab, 1).locator("input[type=checkbox]").uncheck()
    wait_for_line(lab, 1, twin.frame(5, False).line)
    assert is_the_picture_of(pixels(lab, cell(lab, 1).locator(".qc-live img")), twin, 5, False)


def ink_while(page, image, action):
    """How much ink each painted frame shows in the image's box, while `action` runs."""
    box, painted = image.bounding_box(), []
    corners = box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]
    session = page.context.new_cdp_session(page)

    def keep(event):
        painted.append(b64decode(event["data"]))
        session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    session.on("Page.screencastFrame", keep)
    session.send("Page.startScreencast", {"format": "png"})
    action()
    session.send("Page.stopScreencast")
    assert image.bounding_box() == box, "the picture's box moved or changed its size"
    pictures = (Image.open(io.BytesIO(p)).convert("L").crop(corners) for p in painted)
    return [255 - np.asarray(p, float).mean() for p in pictures]


def test_live_drag_ends_at_the_last_position_without_flicker(lab):
    twin, figure = explore.staircase(), cell(lab, 2)
    image, handle = figure.locator(".qc-live img"), figure.locator(".noUi-handle")
    figure.evaluate("cell => cell.scrollIntoView()")
    bar, grip = figure.locator(".noUi-base").bounding_box(), handle.bounding_box()

    def drag():
        lab.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
        lab.mouse.down()
        for part in (*np.linspace(0, 1, 40), *np.linspace(1, 0, 40), 1):
            lab.mouse.move(bar["x"] + part * bar["width"], grip["y"] + grip["height"] / 2)
        lab.mouse.up()
        wait_for_line(lab, 2, twin.frame(8, False).line)

    ink = ink_while(lab, image, drag)
    assert len(ink) > 3
    frames = (np.asarray(twin.frame(*s).picture.convert("L"), float) for s in twin.states())
    least = min(255 - frame.mean() for frame in frames)
    assert min(ink) > 0.8 * least, "a frame was painted without the picture"
    assert is_the_picture_of(pixels(lab, image), twin, 8, False)


def test_live_error_shows_in_place_and_goes_away(lab):
    handle = cell(lab, 3).locator(".noUi-handle")
    handle.focus()
    lab.keyboard.press("ArrowRight")
    wait_for_line(lab, 3, "ZeroDivisionError")
    assert cell(lab, 3).locator("[role=alert]").is_visible()
    assert not cell(lab, 3).locator(".qc-live img").is_visible()
    lab.keyboard.press("ArrowRight")
    wait_for_line(lab, 3, "1.0")
    assert cell(lab, 3).locator(".qc-live img").is_visible()


def test_live_page_reports_no_problem(lab):
    assert lab.problems == []


@pytest.fixture(scope="module")
def static(browser, tmp_path_factory):
    """A file:// page with three figures, in a browser that may not ask any host."""
    explore.set_language("en")
    figures = [
        explore.quantization(samples.distribution("normal")),
        explore.chord(),
        explore.calibration(samples.distribution("outliers")),
    ]
    page_file = tmp_path_factory.mktemp("static") / "page.html"
    body = "".join(map(static_html, figures))
    page_file.write_text(f"<!doctype html><meta charset=utf-8>{body}", encoding="utf-8")
    page = new_page(browser)
    page.asked = []
    page.context.set_offline(True)
    page.on("request", lambda r: page.asked.append(r.url))
    page.figures, page.address = figures, page_file.as_uri()
    return page


@pytest.fixture
def reloaded(static):
    static.goto("about:blank")
    static.goto(static.address)
    return static


def test_static_figures_show_their_start(reloaded):
    for i, explorer in enumerate(reloaded.figures):
        image = reloaded.locator(f"figure {WHOLE}").nth(i)
        assert image.get_attribute("alt") == explorer.alt(explorer.start, explorer.line)
        assert is_the_picture_of(pixels(reloaded, image), explorer, *explorer.start)


def test_static_arrow_keys_bring_the_picture_of_their_value(reloaded):
    explorer, figure = reloaded.figures[0], reloaded.locator("figure").nth(0)
    figure.locator("input[type=range]").focus()
    for bits in (7, 6):
        reloaded.keyboard.press("ArrowLeft")
        assert figure.locator("figcaption").inner_text() == explorer.frame(bits, True).line
        assert figure.locator("output").inner_text() == str(bits)
        assert figure.locator(WHOLE).get_attribute("alt") == explorer.alt(
            (bits, True), explorer.frame(bits, True).line
        )
        assert is_the_picture_of(pixels(reloaded, figure.locator(WHOLE)), explorer, bits, True)
    reloaded.keyboard.press("Tab")
    reloaded.keyboard.press("Space")
    assert is_the_picture_of(pixels(reloaded, figure.locator(WHOLE)), explorer, 6, False)


def test_static_drop_down_and_slider_by_mouse(reloaded):
    explorer, figure = reloaded.figures[2], reloaded.locator("figure").nth(2)
    figure.locator("select").select_option("mse")
    figure.locator("input[type=range]").click(position={"x": 2, "y": 8})
    assert is_the_picture_of(pixels(reloaded, figure.locator(WHOLE)), explorer, "mse", 2, True)


def test_static_figures_do_not_disturb_each_other(reloaded):
    before = [reloaded.locator("figure").nth(i).evaluate(SHOWN) for i in range(3)]
    sound = reloaded.locator("audio").first.get_attribute("src")
    reloaded.locator("figure").nth(1).locator("input[type=range]").press("ArrowLeft")
    after = [reloaded.locator("figure").nth(i).evaluate(SHOWN) for i in range(3)]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]
    assert reloaded.locator("audio").first.get_attribute("src") != sound


def test_static_next_frame_comes_within_two_animation_frames(reloaded):
    waited = reloaded.evaluate(
        """async () => {
            const figure = document.querySelector('figure');
            const image = figure.querySelector('img'), range = figure.querySelector('input');
            const frames = [];
            for (let value = 5; value >= 0; value--) {
                const before = image.src;
                range.value = value;
                range.dispatchEvent(new Event('input', {bubbles: true}));
                let count = 0;
                while (image.src === before || !image.complete)
                    { await new Promise(requestAnimationFrame); count++; }
                frames.push(count);
            }
            return frames;
        }"""
    )
    assert max(waited) <= 2, waited


def test_static_page_fits_a_phone(reloaded):
    reloaded.set_viewport_size({"width": 390, "height": 844})
    width = reloaded.evaluate("() => document.documentElement.scrollWidth")
    reloaded.set_viewport_size({"width": 1280, "height": 720})
    assert width <= 390


def test_static_print_shows_the_start(reloaded):
    explorer, figure = reloaded.figures[0], reloaded.locator("figure").nth(0)
    figure.locator("input[type=range]").press("Home")
    assert figure.locator("figcaption").inner_text() == explorer.frame(2, True).line
    reloaded.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    assert figure.locator("figcaption").inner_text() == explorer.frame(8, True).line


def test_static_inputs_have_names(reloaded):
    names = (
        reloaded.locator("figure")
        .nth(2)
        .evaluate(
            "f => [...f.querySelectorAll('input,select')].map(i => i.labels[0].textContent.trim())"
        )
    )
    assert [n.split("\n")[0][:11] for n in names] == ["calibration", "bit width b", "symmetric"]


def test_static_page_asks_nobody_and_reports_no_problem(reloaded):
    assert reloaded.problems == []
    assert {url.split(":")[0] for url in reloaded.asked} <= {"file", "data", "blob", "about"}
