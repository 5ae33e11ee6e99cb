"""What is sent: bounded while it comes, tried apart, and gone afterwards."""

import asyncio
import io
import os
import struct
import tempfile
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request

from polymatch.serving.limits import Limits, Refusal
from polymatch.serving.uploads import received, suffix_of, tried
from tests.video_examples import write_video

BYTES = {"Content-Type": "application/octet-stream"}


def picture(size=(40, 30), kind="PNG", frames=1):
    random = np.random.default_rng(0)
    shots = [
        Image.fromarray(random.integers(0, 255, (size[1], size[0], 3), np.uint8))
        for _ in range(frames)
    ]
    written = io.BytesIO()
    more = {"save_all": True, "append_images": shots[1:]} if frames > 1 else {}
    shots[0].save(written, kind, **more)
    return written.getvalue()


def png_that_claims(width, height):
    """A PNG of a few bytes whose rows are all one colour."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 1) * height), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def send(client, content, name="", headers=BYTES):
    return client.post("/api/file", params={"name": name}, content=content, headers=headers)


@pytest.fixture
def left(tmp_path, monkeypatch):
    """The folder of temporary files; what a test leaves there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield lambda: list(tmp_path.iterdir())


def test_a_size_that_is_told_is_refused_before_a_byte_is_read(place, left):
    with place.client("aligned", upload=1000) as client:
        answer = send(client, bytes(1001))
        assert answer.status_code == 413
        assert answer.json() == {"error": "the file is larger than 0.00095 MB; send a smaller one"}
    assert left() == []


def test_a_size_that_is_not_told_is_refused_while_it_is_read(place, left):
    sent = []

    def blocks():
        for number in range(1000):
            sent.append(number)
            yield bytes(100)

    async def read():
        request = streaming(blocks())
        async with received(request, "", Limits(upload=1000)):
            raise AssertionError("it was taken")

    with pytest.raises(Refusal) as raised:
        asyncio.run(read())
    assert raised.value.status == 413
    assert len(sent) == 11, "nothing is read beyond the limit"
    assert left() == []


def streaming(blocks, **headers):
    """A request whose body comes block by block, without a length."""

    async def receive():
        block = next(blocks, None)
        return {"type": "http.request", "body": block or b"", "more_body": block is not None}

    given = [(b"content-type", b"application/octet-stream")]
    given += [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": given}, receive)


def test_a_length_that_lies_does_not_help(left):
    async def read():
        request = streaming((bytes(600) for _ in range(3)), **{"content-length": "10"})
        async with received(request, "", Limits(upload=1000)):
            raise AssertionError("it was taken")

    with pytest.raises(Refusal, match="the file is larger than"):
        asyncio.run(read())


def test_slow_senders_are_given_up(left):
    async def receive():
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def read():
        request = streaming(iter(()))
        request = Request(request.scope, receive)
        async with received(request, "", Limits(upload_seconds=0.2)):
            raise AssertionError("it was taken")

    with pytest.raises(Refusal) as raised:
        asyncio.run(read())
    assert (raised.value.status, str(raised.value)) == (
        408,
        "the file took longer than 0.2 s to arrive",
    )
    assert left() == []


def test_forms_of_other_sites_are_no_files(client):
    for kind in (
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/x-www-form-urlencoded",
    ):
        answer = send(client, b"x", headers={"Content-Type": kind})
        assert answer.status_code == 415
        assert answer.json() == {
            "error": f"a file is sent as application/octet-stream, not as {kind.partition(';')[0]}"
        }


@pytest.mark.parametrize(
    ("content", "name", "status", "message"),
    [
        (b"", "a.png", 400, "the file is empty; choose a picture or a clip"),
        (b"not a picture", "a.png", 422, "the file is no picture (PNG, JPEG, WebP, GIF, AVIF, BMP"),
        (b"not a clip", "a.mp4", 422, "the file: not a readable video ("),
        (b"<svg onload='alert(1)'/>", "a.svg", 422, "the file is no picture (PNG, "),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a.eps", 422, "the file is no pict"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "a.mp4", 422, "the file: not a readable video ("),
        (picture()[:200], "a.png", 422, "the file: not a readable picture ("),
        (png_that_claims(12_000, 12_000), "a.png", 422, "the file has 144,000,000 pixels; 100,"),
        (png_that_claims(60_000, 60_000), "a.png", 422, "the file is no picture (PNG, "),
    ],
)
def test_what_is_no_picture_is_said_and_removed(client, left, content, name, status, message):
    answer = send(client, content, name)
    assert answer.status_code == status, answer.text
    said = answer.json()["error"]
    assert said.startswith(message) and "\n" not in said and tempfile.gettempdir() not in said
    assert left() == []


@pytest.mark.parametrize("name", ["", "../../x.mp4", "x.png\0.mp4", "a" * 900, "\n.mp4", "x.so"])
def test_names_decide_nothing_but_how_a_file_is_read(client, left, name):
    answer = send(client, picture(kind="WEBP", frames=3), name)
    assert answer.status_code == (422 if name.endswith(".mp4") else 200), answer.text
    assert left() == []
    assert suffix_of(name) == (".mp4" if name.endswith(".mp4") else "")


def test_an_upload_is_gone_after_an_answer_too(client, place, left):
    assert send(client, (place.root / "clip.mp4").read_bytes(), "c.mp4").status_code == 200
    assert send(client, picture(kind="GIF", frames=4), "a.gif").status_code == 200
    assert left() == []


def test_reading_is_given_up_after_its_time(tmp_path):
    path = write_video(tmp_path / "a.mp4", frames=300)
    begun = time.perf_counter()
    with pytest.raises(Refusal) as raised:
        tried(path, 16, Limits(decode_seconds=0.05))
    assert time.perf_counter() - begun < 2
    assert str(raised.value) == "reading the file takes longer than 0.05 s; send a shorter one"
    tried(path, 16, Limits())


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="the limit of memory is Linux's")
def test_reading_may_not_have_all_memory(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png_that_claims(9_000, 9_000))
    with pytest.raises(Refusal) as raised:
        tried(path, 1, Limits(decode_memory=400 << 20))
    assert str(raised.value) == "reading the file takes too much memory; send a smaller one"


def test_few_are_received_at_once(place, left):
    clip = (place.root / "clip.mp4").read_bytes()
    found = []
    with place.client("aligned", uploads=3) as client:
        threads = [
            threading.Thread(target=lambda: found.append(send(client, clip, "a.mp4")))
            for _ in range(9)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert send(client, clip, "a.mp4").status_code == 200
    codes = [answer.status_code for answer in found]
    assert {*codes} == {200, 503} and codes.count(200) >= 3
    refused = next(answer for answer in found if answer.status_code == 503)
    assert refused.json() == {"error": "too many uploads at once; try again in a moment"}
    assert left() == []


def test_a_trial_leaves_nothing_where_it_was(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(picture())
    tried(path, 1, Limits())
    assert [left.name for left in tmp_path.iterdir()] == ["a.png"]
