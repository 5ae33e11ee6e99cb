"""The page in a real browser: searches, clips, known queries, runs, themes, the keyboard."""

import pytest

from .process import serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url(place):
    with serving(place, "poly", "aligned") as (_, url):
        yield url


@pytest.fixture
def page(browser, url):
    """A page that must not complain, nor ask anyone but its server."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else 0)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.complaints = said
    yield page
    assert [text for text in said if "status of 400" not in text] == []
    assert all(each.startswith((url, "blob:", "data:")) for each in asked)
    context.close()


def until(page, expression):
    """Wait for it from outside: the page's policy lets nothing be evaluated inside."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came: {expression}")


def cards(page):
    page.wait_for_selector("#answers .card, #answers .texts li")
    return [card.get_attribute("data-id") for card in page.query_selector_all("#answers [data-id]")]


def test_a_text_finds_items_by_enter(page, url, place):
    page.goto(url)
    page.wait_for_selector(".chip")
    page.keyboard.press("/")
    page.keyboard.type("red heart")
    page.keyboard.press("Enter")
    assert cards(page) == [hit.id for hit in place.engine("poly").by_text("red heart", 10)]
    assert "“red heart” · poly/0 poly" in page.inner_text("#status")
    assert "text=red+heart" in page.url
    assert "±" in page.inner_text("#answers .score")


def test_known_queries_mark_the_right_answer(page, url, place):
    engine = place.engine("poly")
    caption = engine.gallery.queries.caption_ids[2]
    right = {hit.id: hit.rank for hit in engine.by_caption(caption, 12) if hit.right}
    page.goto(f"{url}?caption={caption}&k=20")
    cards(page)
    marked = page.query_selector_all("#answers .card.right")
    assert {card.get_attribute("data-id") for card in marked} == {*right}
    assert f"at rank {min(right.values())} of 12." in page.inner_text("#right")


def test_an_item_shows_itself_and_finds_texts_and_back_goes_back(page, url, place):
    page.goto(f"{url}?item={place.items[0]}")
    cards(page)
    assert page.query_selector("#query video") is not None
    until(page, "document.querySelector('#query video').readyState >= 2")
    page.click("#answers .texts a >> nth=0")
    page.wait_for_selector("#answers .card")
    assert "caption=" in page.url
    page.click("#answers .card >> nth=1 >> text=similar items")
    until(page, "document.querySelector('#query h2')?.textContent.startsWith('Items')")
    page.go_back()
    page.go_back()
    page.wait_for_selector("#answers .texts")
    assert page.query_selector("#query video") is not None


def test_pictures_move_and_clips_play_until_they_are_stopped(page, url, place):
    page.goto(f"{url}?text=a&k=20")
    cards(page)
    until(page, "[...document.querySelectorAll('video')].every(v => v.readyState >= 2)")
    pictures = page.eval_on_selector_all("#answers img", "all => all.map(one => one.src)")
    assert all("/file?id=" in one for one in pictures)
    page.click("#motion")
    pictures = page.eval_on_selector_all("#answers img", "all => all.map(one => one.src)")
    assert all("/still?id=" in one for one in pictures)
    assert page.eval_on_selector_all("video", "all => all.every(one => one.paused)")
    until(page, "[...document.images].every(one => one.complete && one.naturalWidth)")


def test_a_file_is_searched_with(page, url, place):
    page.goto(url)
    page.wait_for_selector(".chip")
    path = place.root / f"images/{place.items[1]}.webp"
    page.set_input_files("#file", path)
    assert cards(page) == [hit.id for hit in place.engine("poly").by_file(path, 10)]
    until(page, "document.querySelector('#query img').naturalWidth > 0")
    page.set_input_files("#file", place.root / "clip.mp4")
    page.wait_for_selector("#query video")
    page.set_input_files("#file", place.folder / "config.yaml")
    page.wait_for_selector("#status.error")
    assert "the file is no picture" in page.inner_text("#status")
    page.complaints[:] = [text for text in page.complaints if "status of 422" not in text]


def test_runs_are_switched_and_asked_the_same(page, url, place):
    page.goto(f"{url}?text=red+heart")
    cards(page)
    page.select_option("#run", "aligned/0 cosine")
    until(page, "document.getElementById('status').textContent.includes('aligned/0')")
    assert cards(page) == [hit.id for hit in place.engine("aligned").by_text("red heart", 10)]
    assert "run=aligned%2F0+cosine" in page.url
    page.reload()
    until(page, "document.getElementById('status').textContent.includes('aligned/0')")


def test_queries_are_drawn_and_chosen(page, url, place):
    page.goto(url)
    page.wait_for_selector(".chip")
    page.click("#draw-item")
    page.wait_for_selector("#answers .texts")
    page.click("#draw-text")
    page.wait_for_selector("#answers .cards")
    assert not page.is_hidden("#right")
    text = place.engine("poly").gallery.queries.texts[4]
    page.click("#choose")
    page.fill("#like", text)
    until(page, "document.querySelectorAll('#known-found .chip').length < 12")
    page.click(f"#known-found >> text={text}")
    until(page, f"document.getElementById('text').value === {text!r}")


def test_mistakes_are_said(page, url):
    page.goto(f"{url}?item=nothing")
    page.wait_for_selector("#status.error")
    assert page.inner_text("#status").startswith("no item 'nothing' among 32 of the data set")


def test_markup_in_a_query_is_text(page, url):
    page.goto(f"{url}?text=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    cards(page)
    assert "“<img src=x onerror=alert(1)>”" in page.inner_text("#status")
    assert page.query_selector("#status img") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_themes_and_widths(browser, url, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{url}?text=red+heart")
    cards(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = "getComputedStyle(document.body).backgroundColor"
    ground = {"light": "rgb(246, 247, 249)", "dark": "rgb(17, 21, 29)"}
    assert page.evaluate(shown) == ground[scheme]
    page.click("#theme")
    assert page.evaluate(shown) == ground["light"]
    page.click("#theme")
    assert page.evaluate(shown) == ground["dark"]
    page.reload()
    cards(page)
    assert page.evaluate(shown) == ground["dark"]
    context.close()
