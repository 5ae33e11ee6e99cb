"""The page's file: nothing in it is markup that the data brought, and nothing is loaded."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from polymatch.reporting.page.document import (
    ASSETS,
    LIBRARIES,
    MODULES,
    STYLES,
    inlined_json,
    page_html,
    program_text,
)

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "<!-- <script>",
    "]]>&lt;/script&gt;",
    "'\"`${1}",
    "a\u2028b\u2029c",
    "\ud83d",  # half of an emoji
    "{{ title }}{% raw %}",
]


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the text of each script."""

    def __init__(self, page):
        super().__init__()
        self.found, self.scripts, self.inside = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.inside = tag == "script"
        if self.inside:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.scripts[-1] += data


def page_of(value):
    return page_html({"title": "few", "value": value})


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=5))
def test_any_text_is_the_same_in_the_page_and_no_markup(value):
    text = inlined_json(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


def test_hostile_texts_make_no_element_and_are_read_as_they_were():
    plain, hostile = Elements(page_of("")), Elements(page_of(HOSTILE))
    assert [tag for tag, _ in hostile.found] == [tag for tag, _ in plain.found]
    assert json.loads(hostile.scripts[0])["value"] == HOSTILE
    assert page_of(HOSTILE).encode()  # UTF-8 can have it


def test_a_hostile_title_is_text():
    page = page_html({"title": "<img src=x onerror=alert(1)>"})
    assert "<img" not in page and "&lt;img src=x" in page


def test_the_policy_allows_these_scripts_alone():
    elements = Elements(page_of(1))
    (policy,) = [
        attributes["content"]
        for tag, attributes in elements.found
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in elements.scripts[1:]
    ]
    assert f"script-src 'sha256-{hashes[0]}' 'sha256-{hashes[1]}';" in policy
    assert policy.startswith("default-src 'none'; ") and "img-src data:" in policy


def test_nothing_in_the_page_has_an_address_elsewhere():
    for tag, attributes in Elements(page_of(1)).found:
        for name in ("src", "href", "srcset", "action"):
            assert attributes.get(name, "#")[:1] == "#" or attributes[name] == "data:,", tag
    styles = [path.read_text() for path in (ASSETS / "css").iterdir()]
    assert len(styles) == len(STYLES)
    assert not any(re.search(r"url\(|@import", style) for style in styles)


def test_every_module_is_in_the_program_and_no_import_is_left():
    names = sorted(path.stem for path in (ASSETS / "js").glob("*.js"))
    assert names == sorted(MODULES)
    assert not re.search(r"^(import|export)\b", program_text(), re.M)
    placed = {name: place for place, name in enumerate(MODULES)}
    for name in names:
        text = (ASSETS / f"js/{name}.js").read_text()
        for other in re.findall(r'from "\./(\w+)\.js"', text):
            assert other in placed, f"{name} imports {other}"
        assert "innerHTML" not in text and "insertAdjacentHTML" not in text


def test_the_chart_library_is_what_its_list_of_versions_says():
    for line in (ASSETS / "vendor/VERSIONS").read_text().splitlines():
        _, _, name, wanted = line.split()
        found = (ASSETS / f"vendor/{name}.min.js").read_bytes()
        assert hashlib.sha256(found).hexdigest() == wanted
        assert "Permission to use" in (ASSETS / f"vendor/{name}.LICENSE.txt").read_text()
        assert f"{name}.min.js" in LIBRARIES and b"</script" not in found
