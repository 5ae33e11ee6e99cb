"""Items' files: found by id, with ranges; nothing else of the disk."""

import io
import os

import pytest
from PIL import Image

from polymatch.serving.limits import Refusal
from polymatch.serving.media import Media


def test_a_picture_and_a_clip_are_sent_as_they_lie(client, place):
    for item, name, kind in [
        (place.items[0], "clip.mp4", "video/mp4"),
        (place.items[1], f"images/{place.items[1]}.webp", "image/webp"),
    ]:
        answer = client.get("/file", params={"id": item})
        assert answer.status_code == 200 and answer.headers["content-type"] == kind
        assert answer.content == (place.root / name).read_bytes()
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; sandbox")
        assert client.head("/file", params={"id": item}).headers["content-length"] == str(
            len(answer.content)
        )


def test_ranges_of_a_clip(client, place):
    whole = (place.root / "clip.mp4").read_bytes()
    for asked, first, last in [
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, len(whole) - 1),
        ("bytes=-10", len(whole) - 10, len(whole) - 1),
        (f"bytes=50-{10 * len(whole)}", 50, len(whole) - 1),
    ]:
        answer = client.get("/file", params={"id": place.items[0]}, headers={"Range": asked})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"
        assert answer.content == whole[first : last + 1]
    beyond = {"Range": f"bytes={len(whole)}-"}
    assert client.get("/file", params={"id": place.items[0]}, headers=beyond).status_code == 416


def test_stills_are_the_middle_frame(client, place):
    for item in place.items[:2]:
        answer = client.get("/still", params={"id": item})
        assert answer.headers["content-type"] == "image/webp"
        with Image.open(io.BytesIO(answer.content)) as image:
            assert max(image.size) <= 320 and getattr(image, "n_frames", 1) == 1
    assert client.get("/still", params={"id": place.items[-1]}).status_code == 404


NAMES = [
    "../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "/etc/passwd",
    "images/../../config.yaml",
    "clip.mp4",
    "images",
    "a\0b",
    "\\..\\..\\config.yaml",
    "file:///etc/passwd",
    "~root",
    "",
    "x" * 900,
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_are_no_ids(client, name):
    for where in ("/file", "/still"):
        answer = client.get(where, params={"id": name})
        assert answer.status_code in (404, 422) and list(answer.json()) == ["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/../config.yaml",
        "/..%2fconfig.yaml",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/page/../../app.py",
        "/file/",
        "/static/../app.py",
        "/page.js/../app.py",
        "/index.html%00",
    ],
)
def test_paths_lead_to_nothing(client, path):
    assert client.get(path).status_code == 404


@pytest.fixture
def hostile(tmp_path):
    """A data set whose manifest and links lead out of its folder."""
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(b"secret")
    (root / "own.png").write_bytes(b"own")
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "inner.png").symlink_to(root / "own.png")
    (root / "folder").symlink_to(tmp_path)
    (root / "loop.png").symlink_to(root / "loop.png")
    os.mkfifo(root / "pipe.png")
    names = {
        "link": "link.png",
        "up": "../secret.png",
        "absolute": str(tmp_path / "secret.png"),
        "through": "folder/secret.png",
        "beside": "deep/../../secret.png",
        "passwd": "../../../../../../../etc/passwd",
        "prefix": "../root.png",
        "nul": "own\0.png",
        "gone": "gone.png",
        "loop": "loop.png",
        "directory": "deep",
        "pipe": "pipe.png",
        "inner": "inner.png",
        "own": "own.png",
    }
    (tmp_path / "root.png").write_bytes(b"secret")
    return Media(root, names)


@pytest.mark.parametrize(
    ("item", "status"),
    [
        *((name, 403) for name in ("link", "up", "absolute", "through", "beside", "passwd")),
        *((name, 403) for name in ("prefix", "directory", "pipe")),
        *((name, 404) for name in ("nul", "gone", "loop", "unknown")),
    ],
)
def test_files_outside_of_the_data_set_are_refused(place, hostile, item, status):
    with pytest.raises(Refusal) as raised:
        hostile.file(item)
    assert raised.value.status == status
    with place.client("aligned", media=hostile) as client:
        for where in ("/file", "/still"):
            answer = client.get(where, params={"id": item})
            assert answer.status_code == status and b"secret" not in answer.content
            assert answer.json() == {"error": str(raised.value)}


def test_links_inside_of_the_data_set_are_followed(place, hostile):
    with place.client("aligned", media=hostile) as client:
        for item in ("own", "inner"):
            assert client.get("/file", params={"id": item}).content == b"own"


def test_what_a_refusal_says(hostile):
    with pytest.raises(Refusal) as outside:
        hostile.file("link")
    assert str(outside.value) == (
        "item 'link': its file lies outside of the data set's folder; not shown"
    )
    with pytest.raises(Refusal) as gone:
        hostile.file("gone")
    assert str(gone.value) == "item 'gone': its file is not there any more"
    with pytest.raises(Refusal) as unknown:
        hostile.file("unknown")
    assert str(unknown.value) == "no item 'unknown' with a picture or clip; search for one"


def test_files_that_could_run_are_sent_as_bytes(tmp_path, place):
    for name in ("a.svg", "a.html", "a.xml", "a"):
        (tmp_path / name).write_text("<script>alert(1)</script>")
    media = Media(tmp_path, {name: name for name in ("a.svg", "a.html", "a.xml", "a")})
    with place.client("aligned", media=media) as client:
        for name in ("a.svg", "a.html", "a.xml", "a"):
            answer = client.get("/file", params={"id": name})
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["x-content-type-options"] == "nosniff"
