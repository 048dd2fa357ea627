"""What a page may do: it asks no other host for anything, and no text of a figure becomes HTML."""

import re

import pytest
from books import EDITIONS, ROOT, STATE, Visit, wait_for_frames
from browser import needs_chromium, new_page

from book import build, preprocess
from quantcore import explore

OTHER = "https://elsewhere.invalid"
# An attempt for each kind of thing that a page can ask a host for, by the policy's name for it.
ATTEMPTS = {
    "connect-src": "fetch(OTHER).catch(() => {})",
    "img-src": "new Image().src = OTHER",
    "script-src-elem": "add('script', {src: OTHER})",
    "style-src-elem": "add('link', {rel: 'stylesheet', href: OTHER})",
    "font-src": "new FontFace('other', `url(${OTHER})`).load().catch(() => {})",
    "media-src": "add('audio', {src: OTHER})",
    "frame-src": "add('iframe', {src: OTHER})",
    "object-src": "add('object', {data: OTHER})",
    "base-uri": "add('base', {href: OTHER})",
    "form-action": "add('form', {action: OTHER}).submit()",
}
READY = """OTHER => {
    const add = (tag, properties) => {
        const element = Object.assign(document.createElement(tag), properties);
        document.body.append(element);
        return element;
    };
    Object.assign(window, {OTHER, add, refused: []});
    document.addEventListener('securitypolicyviolation', event => {
        if (event.blockedURI.startsWith(OTHER)) refused.push(event.effectiveDirective);
    });
}"""


def test_every_page_has_the_policy_before_anything_that_it_loads(book):
    head, *pages = (
        (path, " ".join(path.read_text("utf-8").split()))  # mdBook indents what it puts in
        for path in (build.HEAD, *book.rglob("*.html"))
    )
    assert len(pages) > len(EDITIONS)
    for path, text in pages:
        before, policy, _ = text.partition(head[1])
        assert policy, path
        assert not re.search(r"<(script|style|link|img|body)\b", before), path


@needs_chromium
@pytest.mark.parametrize("where", ["disk", "server"])
@pytest.mark.parametrize("name", ["index", *(f"{edition}/print" for edition in EDITIONS)])
def test_no_page_asks_another_host_for_anything(book, site, browser, where, name):
    page, left = new_page(browser), []
    page.on("response", lambda response: left.append(response.url))
    # The front page sends its reader on to an edition, by this list: without it, it stays.
    page.add_init_script("Object.defineProperty(navigator, 'languages', {value: null})")
    address = f"{site}/{name}.html" if where == "server" else (book / f"{name}.html").as_uri()
    page.goto(address)
    page.evaluate(READY, OTHER)
    for directive, attempt in ATTEMPTS.items():
        page.evaluate(f"() => {{ {attempt}; }}")
        page.wait_for_function("name => refused.includes(name)", arg=directive)
    assert page.url == address
    assert not [url for url in left if url.startswith(OTHER)]
    page.close()


@needs_chromium
@pytest.mark.parametrize("where", ["disk", "server"])
def test_the_front_page_leads_to_an_edition(book, site, browser, where):
    with Visit(browser, locale="fr") as visit:
        visit.page.goto(
            f"{site}/index.html" if where == "server" else (book / "index.html").as_uri()
        )
        visit.page.wait_for_url(f"**/{EDITIONS[0]}/index.html")
        assert visit.wrong == []


# ---- figures ------------------------------------------------------------------------------

SWALLOW = "<!--<script>"  # after it a parser takes the rest of the page for a script


class Odd(int):
    """A value of a slider that its page writes as markup."""

    def __str__(self):
        return f'"><b>{int(self)}</b>'


@pytest.fixture
def hostile(monkeypatch):
    """The HTML of a figure with markup in its name and in a slider's values."""
    figure = explore.staircase()
    slider, *others = figure.controls
    odd = slider._replace(values=tuple(map(Odd, slider.values)), start=Odd(slider.start))
    figure.name, figure.controls = SWALLOW, (odd, *others)
    figure.start = tuple(control.start for control in figure.controls)
    monkeypatch.setenv("QUANTCORE_STATIC", "1")
    ((data, _),) = figure.bundles()
    return data["text/html"]


# What course.js looks for on mdBook's pages; frames.js fetches the frames of their figures.
AROUND = f"""<div id=mdbook-menu-bar><div class=right-buttons></div></div>
<script>const path_to_root = '', courseWords = {{}};</script>
<script src="{(ROOT / "book/frames.js").as_uri()}"></script>
<script src="{(ROOT / "book/course.js").as_uri()}"></script>"""


@needs_chromium
@pytest.mark.parametrize("where", ["in any page", "in the book"])
def test_what_a_figure_says_is_never_markup(hostile, browser, tmp_path, where):
    after = "<p id=after>after</p>"
    if where == "in the book":
        output, assets = {"data": {"text/html": hostile}}, {"editions.js": "courseEditions = {};"}
        preprocess.move_out(output, assets)
        for name, content in assets.items():
            path = tmp_path / ("" if name == "editions.js" else "assets") / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, "utf-8")
        hostile, after = output["data"]["text/html"], after + AROUND
    page = tmp_path / "page.html"
    page.write_text(f'<!doctype html><meta charset="utf-8">{hostile}{after}', "utf-8")
    with Visit(browser) as visit:
        visit.page.goto(page.as_uri())
        assert visit.page.locator("p#after").count() == 1, "the figure swallowed the page"
        figure = visit.page.locator(".qc-explorer")
        wait_for_frames(visit.page, figure)
        for key in ("End", "Home"):
            figure.locator("input[type=range]").press(key)
            state = figure.evaluate(STATE)
            assert state["right"] and state["alt"].startswith(SWALLOW), state
            assert state["values"][0].startswith('"><b>'), state
        assert visit.page.locator("b").count() == 0 and visit.wrong == []
