"""Who is answered: this machine's own pages by this machine's own names, and searches only."""

import pytest

PAGES = ["/", "/api/about", "/file?id=x", "/nothing"]


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:31", "127.8.9.1:80", "[::1]:8000"],
)
def test_this_machines_names(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8000",
        "evil.example:127.0.0.1",
        "192.168.0.7",
        "0.0.0.0:8000",
        "[2001:db8::1]",
        "127.0.0.1@evil.example",
        "127.0.0.1, evil.example",
        "127.0.0.1/evil",
        "2130706433",
        "",
    ],
)
def test_names_of_others_are_refused_everywhere(client, host):
    for page in PAGES:
        answer = client.get(page, headers={"Host": host})
        assert answer.status_code == 421
        assert answer.json() == {
            "error": f"this server does not go by the name {host or 'nothing'!r}; open the address "
            "that it printed"
        }


def test_two_hosts_are_none(client):
    answer = client.get("/", headers=[("Host", "localhost"), ("Host", "evil.example")])
    assert answer.status_code == 421


def test_on_a_network_addresses_are_names_and_strangers_are_not(place):
    with place.client("aligned", host="192.168.0.7:8000", network=True) as client:
        assert client.get("/").status_code == 200
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
    ],
)
def test_pages_of_other_sites_get_nothing(client, place, headers):
    for page in ("/api/search?text=a", f"/file?id={place.items[1]}", "/api/about", "/page.js"):
        answer = client.get(page, headers=headers)
        assert answer.status_code == 403
        assert answer.json() == {
            "error": "asked by a page of another site; open this server's own page"
        }
    sent = {"Content-Type": "application/octet-stream", **headers}
    assert client.post("/api/file", content=b"x", headers=sent).status_code == 403


def test_other_sites_may_link_to_the_page(client):
    answer = client.get("/?caption=x", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "MKCOL"])
def test_nothing_is_written(client, method):
    for page in [*PAGES, "/api/file", "/api/search"]:
        assert client.request(method, page).status_code == 405
    assert client.post("/api/search", content=b"").status_code == 405
    assert client.get("/api/file").json() == {
        "error": "GET is not allowed here; this server answers searches, no more"
    }


def test_questions_have_no_body(client):
    """Which could come for ever, since nothing would read it."""
    for headers in ({"Content-Length": "5"}, {"Transfer-Encoding": "chunked"}):
        answer = client.request("GET", "/api/about", content=b"12345", headers=headers)
        assert answer.status_code == 400
        assert answer.json() == {"error": "a question has no body; send a file to /api/file"}


def test_every_answer_has_the_headers(client, place):
    for page in [*PAGES, f"/file?id={place.items[1]}", "/api/search?text=", "/page.css"]:
        for host in ("localhost", "evil.example"):
            headers = client.get(page, headers={"Host": host}).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-frame-options"] == "DENY"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert headers["content-security-policy"].startswith("default-src 'none'")
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "access-control-allow-origin" not in headers


def test_the_page_is_whole_by_itself(client):
    page = client.get("/").text
    assert "http://" not in page and "https://" not in page
    for name in ("page.js", "results.js", "media.js", "dom.js", "page.css", "icon.svg"):
        answer = client.get(f"/{name}")
        assert answer.status_code == 200
        assert "innerHTML" not in answer.text and "eval(" not in answer.text
    assert client.get("/docs").status_code == 404 == client.get("/openapi.json").status_code
