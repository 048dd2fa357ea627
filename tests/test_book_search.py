"""Finding the way in the book: the search, and the other language."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from books import EDITIONS, Visit
from browser import needs_chromium

SEARCHES = {
    "zh": {
        "量化噪声": "01_information_theory",
        "补码": "02_schemes",
        "直通估计器": "04_quantizer",
        "Lloyd": "01b_rate_distortion",
        "ConvTranspose2d": "03_params",
        "QuaRot": "06_summary",
    },
    "en": {
        "noise power": "01_information_theory",
        "straight-through": "04_quantizer",
        "Lloyd": "01b_rate_distortion",
        "ConvTranspose2d": "03_params",
        "QuaRot": "06_summary",
    },
}


@needs_chromium
@pytest.mark.parametrize("edition", EDITIONS)
def test_search_finds_the_right_chapter(site, browser, edition):
    with Visit(browser) as visit:
        page = visit.page
        page.goto(f"{site}/{edition}/index.html")
        for term, chapter in SEARCHES[edition].items():
            page.get_by_role("searchbox").fill(term)
            link = page.locator("#course-results ol > li > a")
            page.wait_for_selector(f'#course-results[data-query="{term}"] mark')
            pages = [Path(urlsplit(a.get_attribute("href")).path).stem for a in link.all()]
            chapters = [page for page in pages if page not in ("glossary", "references")]
            assert chapter in chapters[:2], f"{term}: {pages}"
        link.first.click()
        page.locator("main h1").first.wait_for()
        assert f"/{edition}/" in page.url
        page.get_by_role("searchbox").fill("qqqqzzzz")
        page.wait_for_selector('#course-results[data-query="qqqqzzzz"]')
        assert link.count() == 0
        assert visit.wrong == []


@needs_chromium
def test_search_works_where_there_are_no_workers(site, browser):
    """Pagefind then runs in the page itself, where the policy must let it compile its code."""
    with Visit(browser) as visit:
        visit.page.add_init_script("delete window.Worker")
        visit.page.goto(f"{site}/zh/index.html")
        visit.page.get_by_role("searchbox").fill("补码")
        visit.page.wait_for_selector('#course-results[data-query="补码"] mark')
        assert visit.wrong == []


@needs_chromium
def test_search_says_that_it_needs_a_server(book, visit):
    visit.wrong.clear()
    visit.page.goto((book / "zh/index.html").as_uri())
    visit.page.get_by_role("searchbox").fill("量化")
    status = visit.page.locator("#course-results [role=status]")
    status.wait_for()
    assert "make book-serve" in status.inner_text() and visit.wrong == []


@needs_chromium
def test_the_way_to_the_other_language(small, browser):
    with Visit(browser) as visit:
        page = visit.page
        page.goto((small / "_book/zh/a.html").as_uri())
        page.wait_for_function("window.courseEditions")
        assert page.locator(".course-language").count() == 0, "English has no such chapter"
        page.goto((small / "_book/zh/b.html").as_uri())
        page.locator(".course-language").click()
        page.wait_for_url("**/en/b.html")
        assert page.locator(".course-language").inner_text() == "中文"
        assert visit.wrong == []
