"""The course as a book: its links, its formulas, its pages in a browser."""

import functools
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from books import CHAPTERS, EDITIONS, PAGES, ROOT, Visit, main_of
from browser import needs_chromium, serious

from book import formulas

MOST_BYTES = 4_000_000  # of a page


class Page(HTMLParser):
    """The ids and the references of a page."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.add(attrs.get("id"))
        self.links += [attrs[key] for key in ("href", "src") if attrs.get(key)]


def test_there_is_a_book():
    assert "zh" in EDITIONS and CHAPTERS


def test_internal_links_resolve(book):
    read = functools.cache(Page)
    wrong = []
    for path in book.rglob("*.html"):
        for link in read(path).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                wrong.append(f"{path.relative_to(book)}: {link}: no such file")
            elif parts.fragment and unquote(parts.fragment) not in read(target).ids:
                wrong.append(f"{path.relative_to(book)}: {link}: no such place on the page")
    assert not wrong, "\n".join(wrong)


def test_pages_are_light(book):
    heavy = {p.name: p.stat().st_size for p in book.rglob("*.html")}
    assert not {name: size for name, size in heavy.items() if size > MOST_BYTES}


@pytest.mark.parametrize("edition, name", CHAPTERS)
def test_every_formula_is_on_its_page(book, edition, name):
    notebook = nbformat.read(ROOT / "notebooks" / edition / f"{name}.ipynb", 4)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    expected = sum(len(list(formulas.find(text))) for text in texts)
    assert main_of(book / edition / f"{name}.html").count('<span class="formula ') == expected


LEFT_OVER = r"""() => {
    const found = [];
    const skip = 'code, pre, samp, script, style, math, .qc-explorer';
    const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const node = walk.currentNode;
        if (node.parentElement.closest(skip)) continue;
        if (/\$[^\s$]|\*\*/.test(node.data)) found.push('not drawn: ' + node.data.slice(0, 90));
    }
    document.querySelectorAll('main details').forEach(d => { d.open = true; });
    for (const math of document.querySelectorAll('main math')) {
        const box = math.getBoundingClientRect();
        if (!box.width || !box.height || math.querySelector('merror'))
            found.push('empty formula: ' + math.outerHTML.slice(0, 90));
    }
    for (const image of document.querySelectorAll('img:not(.qc-panels > div + div > img)'))
        if (!image.alt.trim()) found.push('no alt text: ' + image.outerHTML.slice(0, 90));
    if (innerWidth >= 1280)
        for (const box of document.querySelectorAll('main :is(.table-wrapper, pre.output)'))
            if (box.scrollWidth > box.clientWidth + 1)
                found.push(`wider than its ${box.clientWidth} px: ` + box.innerText.slice(0, 60));
    if (document.documentElement.scrollWidth > innerWidth)
        found.push(`scrolls sideways: ${document.documentElement.scrollWidth} of ${innerWidth}`);
    return found;
}"""


@needs_chromium
@pytest.mark.parametrize("edition, name", PAGES)
def test_a_page_from_the_disk(book, visit, edition, name):
    visit.wrong.clear()
    visit.page.goto((book / edition / f"{name}.html").as_uri())
    if not visit.page.locator("math").count():  # a browser loads a font where it is needed
        visit.page.evaluate("document.fonts.load('16px \"STIX Two Math\"')")
    visit.page.evaluate("document.fonts.ready")
    assert visit.page.evaluate("document.fonts.check('16px \"STIX Two Math\"')")
    assert visit.page.evaluate(LEFT_OVER) == []
    assert visit.wrong == []


@needs_chromium
def test_a_phone_shows_no_sideways_scrolling(book, browser):
    wrong = {}
    with Visit(browser, viewport={"width": 390, "height": 844}) as phone:
        for edition, name in PAGES:
            phone.page.goto((book / edition / f"{name}.html").as_uri())
            phone.page.evaluate("document.fonts.ready")
            if found := phone.page.evaluate(LEFT_OVER):
                wrong[name] = found
        assert wrong == {} and phone.wrong == []


@needs_chromium
def test_the_text_is_there_within_a_second(book, browser):
    painted = """() => new Promise(done => new PerformanceObserver(list => done(
        list.getEntriesByName('first-contentful-paint')[0].startTime
    )).observe({type: 'paint', buffered: true}))"""
    with Visit(browser) as visit:
        for edition, name in CHAPTERS:
            times = []
            while len(times) < 3 and min(times, default=1000) >= 1000:  # a busy machine, perhaps
                visit.page.goto((book / edition / f"{name}.html").as_uri())
                times.append(visit.page.evaluate(painted))
            assert min(times) < 1000, f"{name}: {times} ms"


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(book, browser, scheme):
    wrong = []
    with Visit(browser, color_scheme=scheme) as visit:
        for edition, name in CHAPTERS if scheme == "dark" else PAGES:
            visit.page.goto((book / edition / f"{name}.html").as_uri())
            visit.page.evaluate("document.fonts.ready")
            found = serious(visit.page, {"exclude": ["math"]})
            wrong += [f"{edition}/{name}: {each}" for each in found]
    assert not wrong, "\n".join(wrong)
