"""Downloads that must not succeed: each with the message that a user sees, and no file."""

from __future__ import annotations

import hashlib
import shutil

import pytest
import requests

from polymatch.data.answers import MirrorFailed, Session
from polymatch.data.downloads import download, fetch
from polymatch.data.remote import Unpacked
from polymatch.errors import DataError

from .mirror import QUICK, chunked, cut, drip, redirect, running, send, serve, stall, status
from .packed import tarred, zipped

CONTENT = b"0123456789" * 500
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PAGE = b"\n<!DOCTYPE html><title>Virus scan warning</title>" + b" " * 9001


def message(file, root, run=download):
    with pytest.raises(DataError) as raised:
        run(file, root, QUICK)
    assert not (root / file.name).exists()
    assert not (root / f"{file.name}.sha256").exists()
    return str(raised.value)


def said(file, root):
    """What the only mirror is said to have done."""
    whole = message(file, root)
    before = f"{file.name}: not downloaded: tried {file.urls[0]} ("
    after = f"); put it at {root}/{file.name}"
    assert whole.startswith(before) and after in whole
    return whole.removeprefix(before)[: whole.index(after) - len(before)]


def test_when_every_mirror_fails_all_is_said_in_one_line(tmp_path):
    with running(CONTENT, status(403)) as one, running(CONTENT, status(404)) as two:
        file = one.remote("a/b.zip", urls=(one.url, two.url), unpacked=Unpacked("a/b", 9))
        assert message(file, tmp_path) == (
            f"a/b.zip: not downloaded: tried {one.url} (HTTP 403 Forbidden); {two.url} "
            f"(HTTP 404 Not Found); put it at {tmp_path}/a/b.zip (5000 bytes, SHA-256 {DIGEST}), "
            f"or what is in it into {tmp_path}/a/b"
        )
        assert len(one.requests) == len(two.requests) == 1


def test_a_file_without_a_mirror_says_where_to_put_it(tmp_path):
    with running() as mirror:
        file = mirror.remote("flickr30k.zip", known=False, urls=())
    assert message(file, tmp_path) == (
        f"flickr30k.zip: not downloaded: it has no mirror; put it at {tmp_path}/flickr30k.zip"
    )


@pytest.mark.parametrize(
    ("acts", "reason"),
    [
        ([status(401)], "HTTP 401 Unauthorized"),
        ([status(410)], "HTTP 410 Gone"),
        ([status(503)] * 3, "HTTP 503 Service Unavailable; 3 attempts"),
        (
            [status(429, Retry_After="3600")],
            "HTTP 429 Too Many Requests; asks to wait 3600 s",
        ),
        (
            [status(503, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT")],
            "HTTP 503 Service Unavailable; asks to wait 2",
        ),
        ([drip] * 3, "sends fewer than 1000 bytes a second; 3 attempts"),
        ([stall(0)] * 3, "nothing came for 1 s; 3 attempts"),
        ([cut(100, ranges=False) for _ in range(3)], "broke off at byte 100 of 5000; 3 attempts"),
        ([lambda handler: handler.hang_up()] * 3, "Remote end closed connection"),
        ([chunked(b"12", whole=False)] * 3, "broke off at byte 2 of 5000; 3 attempts"),
        ([serve(length=5001)], "has 5001 bytes instead of 5000"),
        ([serve(length=4999)], "has 4999 bytes instead of 5000"),
        ([chunked(CONTENT + b"x")], "sends more than 5000 bytes"),
        ([chunked(CONTENT[:-1])] * 3, "broke off at byte 4999 of 5000; 3 attempts"),
        ([send(PAGE, Content_Type="text/html")], "has 9050 bytes (a web page) instead of 5000"),
        ([send(CONTENT, Content_Encoding="gzip")], "sends it compressed (gzip)"),
        ([redirect("ftp://127.0.0.1/x")], "redirects to ftp://127.0.0.1/x, which is not followed"),
        ([redirect("file:///etc/passwd")], "redirects to file:///etc/passwd, which is not"),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "",
)
def test_what_mirrors_do(tmp_path, acts, reason):
    with running(CONTENT, *acts) as mirror:
        assert said(mirror.remote(), tmp_path).startswith(reason)


def test_a_circle_of_redirects(tmp_path):
    with running() as mirror:
        mirror.acts = [redirect(mirror.url)] * 20
        assert said(mirror.remote(), tmp_path) == "redirects in a circle"
        assert len(mirror.requests) == 11


def test_no_redirect_from_https_to_http():
    answer = requests.Response()
    answer.status_code, answer.url = 302, "https://data.example/a.zip"
    answer.headers["Location"] = "https://store.example/a.zip"
    assert Session().get_redirect_target(answer) == "https://store.example/a.zip"
    answer.headers["Location"] = "http://store.example/a.zip"
    with pytest.raises(MirrorFailed, match=r"redirects to http://store\.example/a\.zip, which is"):
        Session().get_redirect_target(answer)


def test_a_proxy_that_is_not_there(tmp_path, monkeypatch):
    with running() as gone:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{gone.server_port}")
        file = gone.remote(urls=("http://data.example/clips.bin",))
    assert said(file, tmp_path).startswith("the proxy that the environment names: ")


def test_the_right_size_and_the_wrong_bytes(tmp_path):
    other = CONTENT[::-1]
    with running(CONTENT, send(other)) as mirror:
        assert said(mirror.remote(), tmp_path) == (
            f"what it sends has SHA-256 {hashlib.sha256(other).hexdigest()} instead of {DIGEST}"
        )
    assert not (tmp_path / "data/clips.bin.part").exists()


@pytest.mark.parametrize(
    ("name", "sent", "reason"),
    [
        ("clips.bin", PAGE, "what it sends is a web page, as of a log-in or a warning"),
        ("clips.zip", b"quota exceeded", "is no archive as its name says, or is cut short"),
        ("clips.zip", zipped({"a": b"1" * 500})[:-30], "is no archive as its name says"),
        ("clips.tar.gz", b"quota exceeded", "is no archive as its name says"),
        ("clips.tar.gz", tarred({"a": b"1"})[:20], "is no archive as its name says"),
        ("clips.tgz", b"", "is no archive as its name says"),
    ],
)
def test_where_nothing_is_known_what_is_plainly_wrong_is_refused(tmp_path, name, sent, reason):
    with running(sent) as mirror:
        assert reason in said(mirror.remote(name, known=False), tmp_path)


def test_where_nothing_is_known_a_length_is_asked_for(tmp_path):
    with running(CONTENT, send(CONTENT, length=False)) as mirror:
        assert said(mirror.remote(known=False), tmp_path) == (
            "does not say how long it is: a cut would not show"
        )


@pytest.mark.parametrize("content", [CONTENT[1:], b"x" + CONTENT[1:], PAGE])
def test_a_wrong_file_in_place_is_named_and_left_alone(tmp_path, content):
    with running(CONTENT) as mirror:
        file = mirror.remote()
        place = tmp_path / file.name
        place.parent.mkdir()
        place.write_bytes(content)
        with pytest.raises(DataError) as raised:
            download(file, tmp_path, QUICK)
        assert not mirror.requests
    assert place.read_bytes() == content
    if len(content) == len(CONTENT):
        found = hashlib.sha256(content).hexdigest()
        why = f"has SHA-256 {found} instead of {DIGEST}"
    else:
        page = " (a web page)" if content == PAGE else ""
        why = f"has {len(content)} bytes{page} instead of 5000"
    assert str(raised.value) == (
        f"{place}: is in the way: it {why}; delete it, or move it away, to download it"
    )


def test_a_file_that_is_not_the_recorded_one(tmp_path):
    with running(CONTENT) as mirror:
        file = mirror.remote(known=False)
        place = download(file, tmp_path, QUICK)
        place.write_bytes(b"other")
        with pytest.raises(DataError) as raised:
            download(file, tmp_path, QUICK)
    found = hashlib.sha256(b"other").hexdigest()
    assert str(raised.value) == (
        f"{place}: is in the way: it has SHA-256 {found} instead of {DIGEST}, recorded in "
        "clips.bin.sha256 on first use; delete it, or move it away, to download it; if it is the "
        "right one, delete clips.bin.sha256"
    )
    place.with_name("clips.bin.sha256").write_text("no digest")
    with pytest.raises(DataError, match=r"sha256: no SHA-256 in it; delete it to record that of"):
        download(file, tmp_path, QUICK)


def test_no_room_is_said_before_anything_is_asked_or_sent(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    huge = 10**18
    with running(CONTENT, serve(length=huge)) as mirror:
        packed = mirror.remote("c.zip", unpacked=Unpacked("c", huge))
        unknown = mirror.remote("d.bin", known=False)
        for file, needed in [(packed, "1.0 EB"), (unknown, "1.0 EB")]:
            text = message(file, tmp_path)
            assert text.startswith(f"{file.name}: {needed} are needed in {tmp_path}, ")
            assert text.endswith(
                "are free; make room there, or set `data.root` to a folder on a larger disk"
            )
        assert len(mirror.requests) == 1 and free < huge
    assert not list(tmp_path.glob("*.part"))


def test_a_folder_from_another_archive(tmp_path):
    def file(mirror):
        return mirror.remote("c.zip", unpacked=Unpacked("c", 99))

    with running(zipped({"a": b"1"})) as one, running(zipped({"a": b"2"})) as two:
        old, new = file(one), file(two)
        fetch(old, tmp_path, QUICK)
        with pytest.raises(DataError) as raised:
            fetch(new, tmp_path, QUICK)
    assert str(raised.value) == (
        f"{tmp_path}/c: unpacked from an archive with SHA-256 {old.sha256}, c.zip has "
        f"{new.sha256}; delete the folder and c.unpacked.json to unpack it again"
    )
    assert (tmp_path / "c/a").read_bytes() == b"1"
