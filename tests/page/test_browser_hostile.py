"""Captions and ids that try to be markup stay text, in every view."""

import pytest

from polymatch.reporting.page.contents import PageFiles, page_contents
from polymatch.reporting.page.document import page_html

from .results import config_of, write_results

pytestmark = pytest.mark.browser

HOSTILE = [
    "</script><img src=x onerror=window.hit=1>",
    "<svg onload=window.hit=1>",
    "<!--<script>window.hit=1//",
    '" onmouseover=window.hit=1 x="',
    "${window.hit=1}`",
    "<style>*{display:none}</style>",
]
ITEMS = ['it"em', "it'em", "<b>item</b>", "a&amp;b", "../../x", "javascript:window.hit=1"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    config = config_of(2, root=folder / "data")
    results, space = write_results(
        folder, config, [f"{t} {n}" for t in HOSTILE for n in (1, 2)], ITEMS
    )
    page = folder / "report.html"
    contents = page_contents(config, PageFiles(results, space, folder / "no_store"))
    page.write_text(page_html(contents), encoding="utf-8")
    return page


@pytest.mark.parametrize(
    "view",
    ["", "#queries", "#query/t2v/0", "#query/v2t/0", "#compare", "#model/model_0/mean", "#about"],
)
def test_nothing_that_the_data_say_is_run_or_made_an_element(hostile, tab, view):
    with tab() as t:
        page = t.open(hostile, view)
        page.mouse.move(400, 400)
        assert page.evaluate("window.hit") is None
        assert (
            page.locator("main b, main style:not(svg style), main script, main img[src=x]").count()
            == 0
        )
        assert page.locator("a[href^='javascript']").count() == 0


def test_texts_are_shown_as_they_were_written(hostile, tab):
    with tab() as t:
        page = t.open(hostile, "#query/t2v/0")
        assert page.locator("h1").inner_text() == f"“{HOSTILE[0]} 1”"
        assert 'it"em' in page.locator("main").inner_text()  # an item without a picture
