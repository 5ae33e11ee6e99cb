"""Downloads from a real server: whole, resumed, checked, and never twice."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data.downloads import download, fetch
from polymatch.data.remote import Unpacked

from .mirror import QUICK, chunked, cut, redirect, running, send, serve, stall, status
from .packed import zipped

CONTENT = bytes(range(256)) * 400
HALF = len(CONTENT) // 2


def files_in(root):
    """Everything but lock files, which stay."""
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    )


@pytest.mark.parametrize("known", [True, False])
def test_a_file_comes_whole_and_once(tmp_path, known):
    with running(CONTENT) as mirror:
        file = mirror.remote(known=known)
        for _ in range(2):
            assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
        assert len(mirror.requests) == 1
    record = [] if known else ["data/clips.bin.sha256"]
    assert files_in(tmp_path) == ["data/clips.bin", *record]


def test_the_first_sha256_is_recorded_as_sha256sum_reads_it_and_holds(tmp_path):
    with running(CONTENT) as mirror:
        path = download(mirror.remote(known=False), tmp_path, QUICK)
    record = path.with_name("clips.bin.sha256")
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert record.read_text() == f"{digest}  clips.bin\n"
    path.unlink()
    with running(CONTENT[::-1]) as other, running(CONTENT) as same:
        file = other.remote(known=False, urls=(other.url, same.url))
        assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
        assert len(other.requests) == len(same.requests) == 1


@pytest.mark.parametrize("interruption", [cut, stall])
def test_a_broken_line_is_gone_on_with_and_nothing_is_sent_twice(tmp_path, interruption):
    with running(CONTENT, interruption(HALF), cut(10)) as mirror:
        mirror.tag = '"one"'
        assert download(mirror.remote(), tmp_path, QUICK).read_bytes() == CONTENT
        assert mirror.sent == [HALF, 10, len(CONTENT) - HALF - 10]
        assert [headers.get("Range") for _, headers in mirror.requests] == [
            None,
            f"bytes={HALF}-",
            f"bytes={HALF + 10}-",
        ]
        assert mirror.requests[1][1]["If-Range"] == '"one"'


def test_last_modified_names_a_version_too(tmp_path):
    date = "Sat, 21 Nov 2026 10:00:00 GMT"
    first = cut(HALF, Last_Modified=date)

    def second(handler):
        assert handler.headers["If-Range"] == date
        rest = CONTENT[HALF:]
        size = len(CONTENT)
        handler.head(206, Content_Range=f"bytes {HALF}-{size - 1}/{size}", Content_Length=len(rest))
        handler.body(rest)

    with running(CONTENT, first, second) as mirror:
        path = download(mirror.remote(known=False), tmp_path, QUICK)
        assert path.read_bytes() == CONTENT and mirror.sent == [HALF, HALF]


def test_a_server_without_ranges_starts_again(tmp_path):
    with running(CONTENT, cut(HALF), serve(ranges=False)) as mirror:
        assert download(mirror.remote(), tmp_path, QUICK).read_bytes() == CONTENT
        assert mirror.sent == [HALF, len(CONTENT)]


@pytest.mark.parametrize("known", [True, False])
def test_a_file_without_a_version_is_gone_on_with_only_under_a_sha256(tmp_path, known):
    with running(CONTENT, cut(HALF)) as mirror:
        file = mirror.remote(known=known)
        assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
        assert mirror.sent == [HALF, HALF if known else len(CONTENT)]


@pytest.mark.parametrize("tagged", [True, False])
def test_a_file_that_changes_between_two_parts_is_not_sewn_together(tmp_path, tagged):
    changed = CONTENT[::-1]

    def change(handler):
        mirror.content, mirror.tag = changed, '"two"' if tagged else None
        handler.hang_up()

    with running(CONTENT) as mirror:
        mirror.tag = '"one"' if tagged else None
        mirror.acts = [serve(first=HALF, then=change)]
        sha256 = hashlib.sha256(changed).hexdigest()
        file = mirror.remote(known=False, sha256=None if tagged else sha256)
        assert download(file, tmp_path, QUICK).read_bytes() == changed


def test_a_server_that_ignores_if_range_is_caught_by_its_etag(tmp_path):
    changed = CONTENT[::-1]

    def wrong(handler):
        mirror.content, mirror.tag = changed, '"two"'
        size = len(CONTENT)
        said = {"Content_Range": f"bytes {HALF}-{size - 1}/{size}", "Content_Length": size - HALF}
        handler.head(206, ETag='"two"', **said)
        handler.body(changed[HALF:])

    with running(CONTENT, cut(HALF), wrong) as mirror:
        mirror.tag = '"one"'
        path = download(mirror.remote(known=False), tmp_path, QUICK)
        assert path.read_bytes() == changed


@pytest.mark.parametrize("known", [True, False])
def test_all_was_there_but_the_name(tmp_path, known):
    with running(CONTENT) as mirror:
        (tmp_path / "data").mkdir()
        (tmp_path / "data/clips.bin.part").write_bytes(CONTENT)
        file = mirror.remote(bytes=len(CONTENT) if known else None)
        assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
        # Where the size is not known, the server says that there is no more (416).
        assert mirror.sent == ([] if known else [0])


def test_a_part_from_one_mirror_is_gone_on_with_from_another(tmp_path):
    with running(CONTENT, cut(HALF), *[status(503)] * 3) as one, running(CONTENT) as two:
        file = one.remote(urls=(one.url, two.url))
        assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
        assert two.sent == [HALF]


def test_a_line_that_breaks_often_but_gets_on_is_not_given_up(tmp_path):
    content = CONTENT * 60  # 6 MB in steps of 1.1 MB, at three attempts
    with running(content, *[cut(1_100_000) for _ in range(5)]) as mirror:
        assert download(mirror.remote(), tmp_path, QUICK).read_bytes() == content
        assert sum(mirror.sent) == len(content)


def test_dead_mirrors_are_passed_over(tmp_path, capsys):
    with running(CONTENT, status(404)) as gone, running(CONTENT) as alive:
        with running() as dead:
            refused = dead.url
        file = alive.remote(urls=(refused, gone.url, alive.url))
        assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
    said = capsys.readouterr().err.splitlines()
    assert said[0] == (
        f"data/clips.bin: {refused}: Failed to establish a new connection: [Errno 111] "
        "Connection refused; again in 0.01 s from byte 0"
    )
    assert said[-1].startswith("data/clips.bin: 100% 102k/102k [00:00<00:00, ")


@pytest.mark.parametrize("code", [408, 429, 500, 503])
def test_a_busy_server_is_asked_again(tmp_path, code):
    with running(CONTENT, status(code, Retry_After="0")) as mirror:
        assert download(mirror.remote(), tmp_path, QUICK).read_bytes() == CONTENT
        assert len(mirror.requests) == 2


def test_redirects_are_followed_and_the_mirror_is_asked_anew_after_a_break(tmp_path):
    with running(CONTENT, cut(HALF)) as store:
        with running(b"", redirect(store.url), redirect(store.url + "?signed=2")) as hub:
            store.tag = '"one"'
            file = store.remote(known=False, urls=(hub.url,))
            assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
        assert [path for path, _ in store.requests] == ["/file", "/file?signed=2"]
        assert store.sent == [HALF, HALF]


def test_chunks_without_a_length(tmp_path):
    acts = [chunked(CONTENT[:50], whole=False), chunked(CONTENT)]
    with running(CONTENT, *acts) as mirror:
        assert download(mirror.remote(known=False), tmp_path, QUICK).read_bytes() == CONTENT


def test_a_length_is_not_needed_where_the_file_is_known(tmp_path):
    with running(CONTENT, send(CONTENT, length=False)) as mirror:
        assert download(mirror.remote(), tmp_path, QUICK).read_bytes() == CONTENT


def test_the_proxy_of_the_environment_is_used(tmp_path, monkeypatch):
    with running(CONTENT) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        file = proxy.remote(urls=("http://data.example/clips.bin",))
        assert download(file, tmp_path, QUICK).read_bytes() == CONTENT
        assert proxy.requests[0][0] == "http://data.example/clips.bin"


def test_an_archive_is_fetched_and_unpacked_once_and_may_then_go(tmp_path):
    with running(zipped({"top/a.txt": b"a", "top/b/c.txt": b"c"})) as mirror:
        unpacked = Unpacked("clips", 10, strip="top")
        file = mirror.remote("packed/clips.zip", licence="MIT", unpacked=unpacked)
        records = [fetch(file, tmp_path, QUICK)]
        (tmp_path / "packed/clips.zip").unlink()
        records.append(fetch(file, tmp_path, QUICK))
        assert len(mirror.requests) == 1
    assert records[0] == records[1]
    assert records[0] == {
        "name": "packed/clips.zip",
        "place": "clips",
        "licence": "MIT",
        "archive": "clips.zip",
        "archive_bytes": file.bytes,
        "sha256": file.sha256,
        "files": 2,
        "bytes": 2,
    }
    assert (tmp_path / "clips/b/c.txt").read_bytes() == b"c"


@given(breaks=st.lists(st.integers(0, 3000), max_size=6), tagged=st.booleans())
@settings(max_examples=15)
def test_wherever_it_breaks_the_file_is_the_same(tmp_path_factory, breaks, tagged):
    content = CONTENT[:9000]
    root = tmp_path_factory.mktemp("breaks")
    with running(content, *[cut(after) for after in breaks]) as mirror:
        mirror.tag = '"one"' if tagged else None
        patience = type(QUICK)(attempts=8, stall_seconds=1, first_wait=0.001, longest_wait=0.001)
        assert download(mirror.remote(), root, patience).read_bytes() == content
        assert sum(mirror.sent) == len(content)
