"""The page of a real small workflow, in a real browser: what a person does with it."""

import csv
import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.long]

VIEWS = ("#leaderboard", "#model/pcme/mean", "#queries", "#compare", "#studies", "#about")


def column(page, number):
    return page.locator(f"table.sorted tbody tr > :nth-child({number})").all_inner_texts()


def test_the_leaderboard_is_sorted_by_its_headers(report, tab):
    with tab() as t:
        page = t.open(report)
        assert "R-sum" in page.locator("th[aria-sort=descending]").inner_text()
        header = page.get_by_role("columnheader", name="latency")
        header.get_by_role("button").click()
        assert header.get_attribute("aria-sort") == "ascending"
        units = {"ms": 1, "s": 1000}
        parts = [text.split() for text in column(page, 11)]
        shown = [float(number) * units[unit] for number, unit in parts]
        assert shown == sorted(shown) and len(shown) > 5
        header.get_by_role("button").focus()
        page.keyboard.press("Enter")
        assert header.get_attribute("aria-sort") == "descending"
        page.keyboard.press("Space")
        assert header.get_attribute("aria-sort") == "ascending"
        assert "Sorted by latency, smallest first" in page.locator("#said").inner_text()


def test_rows_are_filtered_by_family_and_by_text(report, tab):
    with tab() as t:
        page = t.open(report)
        everything = len(column(page, 1))
        page.get_by_label("Family").select_option("projection")
        assert sorted(text.split()[0] for text in column(page, 1)) == ["align", "cross_modal"]
        page.get_by_label("Find").fill("CROSS")
        assert [text.split()[0] for text in column(page, 1)] == ["cross_modal"]
        assert f"1 of {everything} rows" in page.locator(".count").inner_text()
        page.get_by_label("Find").fill("nothing like it")
        assert column(page, 1) == []


def test_a_model_is_opened_and_the_back_button_leads_back(report, tab):
    with tab() as t:
        page = t.open(report)
        page.locator("table.sorted a", has_text="poly_domain").click()
        assert page.locator("h1").inner_text().startswith("poly_domain")
        assert page.evaluate("location.hash") == "#model/poly_domain/poly"
        shown = page.locator("main h2").all_inner_texts()
        for part in ("Training", "Surrogate", "Its space", "Parameters", "What it retrieves"):
            assert part in shown
        assert "Deployability" not in shown  # it was not simulated
        page.wait_for_selector("figure svg path")
        assert page.locator("figure svg[role=img]").count() >= 8
        page.locator(".chooser a", has_text="pcme mc").click()
        assert page.locator("h1").inner_text() == "pcme mc"
        page.go_back()
        assert page.locator("h1").inner_text().startswith("poly_domain")
        page.go_back()
        assert page.locator("h1").inner_text() == "Leaderboard"


def test_a_deep_link_opens_what_it_names_and_a_wrong_one_says_so(report, tab):
    with tab() as t:
        assert t.open(report, "#model/pcme/closed").locator("h1").inner_text() == "pcme closed"
    for wrong in ("#model/nobody/mean", "#query/t2v/9999", "#%E0%A4%A", "#model/%00"):
        with tab() as t:
            assert "no such page" in t.open(report, wrong).locator("h1").inner_text()


def test_a_query_shows_what_every_model_retrieves_with_the_right_one_marked(report, tab):
    with tab() as t:
        page = t.open(report, "#queries")
        page.locator(".asked a").first.click()
        assert page.locator("h1").inner_text().startswith("“")
        rows = page.locator("table.sorted tbody tr")
        assert rows.count() == page.evaluate("document.querySelectorAll('tbody tr').length") > 5
        for row in rows.all():
            assert row.locator(".thumb.right").count() >= 1
        ranks = [float(text.strip("~")) for text in column(page, 2)]
        assert ranks == sorted(ranks)
        page.get_by_role("link", name="Next").click()
        assert page.locator("h1").inner_text().startswith("“")
        images = page.locator("img").evaluate_all("all => all.map(one => one.naturalWidth)")
        assert images and min(images) > 0


def test_any_two_are_compared_and_swapped(report, tab):
    with tab() as t:
        page = t.open(report, "#compare/pcme/mean/align/cosine")
        first = page.locator(".outcome").inner_text()
        difference = float(re.search(r"difference of ([+−]?[\d.]+)", first)[1].replace("−", "-"))
        page.get_by_role("button", name="Swap").click()
        assert "align" in page.evaluate("location.hash").split("/")[1]
        second = page.locator(".outcome").inner_text()
        turned = float(re.search(r"difference of ([+−]?[\d.]+)", second)[1].replace("−", "-"))
        assert turned == -difference
        page.locator("select").first.select_option("pcme/mean")
        page.locator("select").last.select_option("pcme/mean")
        assert "Choose two different ones." in page.locator("main").inner_text()


def test_charts_have_their_data_as_a_table_and_as_csv(report, tab):
    with tab() as t:
        page = t.open(report)
        figure = page.locator("figure").first
        figure.locator("summary").click()
        cells = figure.locator("tbody tr")
        assert cells.count() == len(column(page, 1))
        with page.expect_download() as download:
            figure.get_by_role("link", name="Download r1_latency.csv").click()
        with download.value.path().open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == cells.count() and float(rows[0]["latency_ms"]) > 0
        assert page.locator("h1").inner_text() == "Leaderboard"  # a download leads nowhere else


def test_the_theme_follows_the_system_and_the_switch(report, tab):
    ground = "getComputedStyle(document.body).backgroundColor"
    with tab(color_scheme="dark") as t:
        page = t.open(report)
        dark = page.evaluate(ground)
        switch = page.get_by_role("button", name="Theme: auto")
        switch.click()
        light = page.evaluate(ground)
        assert light != dark
        page.reload()
        page.wait_for_selector("html[data-ready]")
        assert page.evaluate(ground) == light  # it is remembered
        page.get_by_role("button", name="Theme: light").click()
        assert page.evaluate(ground) == dark
    with tab(color_scheme="light") as t:
        assert t.open(report).evaluate(ground) == light


def test_it_is_used_by_keyboard_alone(report, tab):
    with tab() as t:
        page = t.open(report)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page = t.open(report, "#model/pcme/mean")
        page.reload()
        page.locator(".chooser li a").first.focus()
        page.keyboard.press("ArrowDown")
        second = page.locator(".chooser li a").nth(1)
        assert second.evaluate("one => one === document.activeElement")
        page.keyboard.press("End")
        page.keyboard.press("ArrowDown")  # round to the first
        assert page.locator(".chooser li a").first.evaluate("a => a === document.activeElement")
        page.keyboard.press("ArrowDown")
        wanted = second.locator("span").first.inner_text()
        page.keyboard.press("Enter")
        page.wait_for_function(
            "wanted => document.querySelector('h1').innerText === wanted", arg=wanted
        )


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("view", VIEWS)
def test_no_view_is_wider_than_the_screen(report, tab, view, width):
    with tab(width=width, height=844) as t:
        page = t.open(report, view)
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


# Texts whose contrast with what is behind them is below that of level AA.
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_text_has_the_contrast_that_wcag_asks_for(report, tab, view, scheme):
    with tab(color_scheme=scheme) as t:
        assert t.open(report, view).evaluate(CONTRAST) == []


def test_every_control_and_picture_has_a_name_and_ids_are_unique(report, tab):
    with tab() as t:
        for view in VIEWS:
            page = t.open(report, view)
            page.reload()
            page.wait_for_selector("html[data-ready]")
            nameless = page.evaluate(
                "[...document.querySelectorAll('a, button, select, input')].filter(one => "
                "!(one.textContent.trim() || one.ariaLabel || one.labels?.length || "
                "one.querySelector('[aria-label]'))).length"
            )
            assert nameless == 0, view
            ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
            assert len(ids) == len(set(ids)), view


def test_what_was_not_measured_is_not_shown(report, tab):
    with tab() as t:
        page = t.open(report, "#studies")
        shown = page.locator("main h2").all_inner_texts()
        assert "Sweep tau" in shown and not any("Study" in text for text in shown)
        assert page.locator("main section").count() == len(shown)
