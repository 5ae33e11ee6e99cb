"""The build of the emoji data set, on small archives of the upstream layout."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from polymatch.errors import DataError
from polymatch.sources import emoji
from polymatch.sources.emoji_archives import LOCALES, SHORTCODES, Archive, Upstream
from polymatch.sources.emoji_build import build

# hexcode, label, Unicode group, and number of frames: the flag and the skin tone are to be dropped
EMOJI = [
    ("1F600", "grinning face", 0, 12),
    ("1F499", "blue heart", 0, 1),
    ("1F49A", "green heart", 0, 3),
    ("0023-FE0F-20E3", "keycap: #", 8, 1),
    ("1F44B-1F3FB", "waving hand: light skin tone", 1, 1),
    ("1F3F4", "black flag", 9, 1),
]


def _packed(folder: Path, package: str, files: dict[str, bytes]) -> Archive:
    archive = Archive(package, "1.0.0", "")
    path = folder / archive.file_name
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return Archive(package, "1.0.0", hashlib.sha256(path.read_bytes()).hexdigest())


def _picture(n_frames: int, hue: int) -> bytes:
    frames = [
        Image.new("RGBA", (64, 64), (hue, 250 * i // n_frames, 99, 255)) for i in range(n_frames)
    ]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=n_frames > 1, append_images=frames[1:], lossless=True)
    return buffer.getvalue()


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    folder.mkdir()
    return folder


@pytest.fixture
def upstream(downloads: Path) -> Upstream:
    pictures = {
        f"assets/{code.lower()}.webp": _picture(n, 10 * i) for i, (code, *_, n) in enumerate(EMOJI)
    }
    pictures["assets/23-fe0f-20e3.webp"] = _picture(1, 200)  # the same keycap again
    pictures["assets/.gitkeep"] = b""
    base = [
        {"hexcode": c, "label": label, "group": group, "subgroup": 7, "tags": ["thing"]}
        for c, label, group, _ in EMOJI
    ]
    texts = {"annotations": {"annotations": {"\U0001f600": {"tts": ["Grinning face"]}}}}
    lib = {"\U0001f600": ["grinning_face", "happy"]}
    tables = {
        "en/data.json": base,
        "meta/unicode-names.json": {"1F499": "BLUE HEART"},
        "meta/groups.json": {"subgroups": {"7": "some"}},
        **{f"en/shortcodes/{kind}.json": {"1F600": "grinning"} for kind in SHORTCODES},
    }
    return Upstream(
        pictures=(_packed(downloads, "@some/pictures", pictures),),
        cldr=_packed(
            downloads,
            "cldr",
            {f"annotations/{x}/annotations.json": json.dumps(texts).encode() for x in LOCALES},
        ),
        emojibase=_packed(
            downloads, "base", {name: json.dumps(table).encode() for name, table in tables.items()}
        ),
        emojilib=_packed(downloads, "lib", {"dist/emoji-en-US.json": json.dumps(lib).encode()}),
    )


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_build_writes_what_read_reads(downloads: Path, upstream: Upstream, tmp_path: Path) -> None:
    build(downloads, tmp_path / "out", upstream)
    items, captions = emoji.read_tables(tmp_path / "out")
    assert dict(zip(items["item_id"], items["n_frames"], strict=True)) == {
        "0023-fe0f-20e3": 1,
        "1f499": 1,
        "1f49a": 8,
        "1f600": 8,
    }
    assert items["unicode"].tolist() == ["#\ufe0f\u20e3", "\U0001f499", "\U0001f49a", "\U0001f600"]
    assert items["group_id"].nunique() == 3  # the hearts are one
    names = captions.loc[captions["kind"] == "name", ["item_id", "text"]].to_numpy().tolist()
    assert ["1f600", "grinning face"] in names and ["1f600", "grinning"] in names
    keywords = captions.loc[captions["kind"] == "keyword", "text"]
    assert sorted(keywords) == ["happy", "thing", "thing", "thing", "thing"]
    with Image.open(tmp_path / "out" / "images" / "1f600.webp") as picture:
        assert picture.n_frames == 8


def test_two_builds_are_equal_and_leave_nothing_else(
    downloads: Path, upstream: Upstream, tmp_path: Path
) -> None:
    build(downloads, tmp_path / "one", upstream)
    first = _bytes(tmp_path / "one")
    (tmp_path / "one" / "images" / "old.webp").write_bytes(b"of another build")
    (tmp_path / "one" / "README.md").write_text("stays")
    build(downloads, tmp_path / "one", upstream)
    assert _bytes(tmp_path / "one") == first | {"README.md": b"stays"}


def test_wrong_checksum_names_file_expected_and_found(
    downloads: Path, upstream: Upstream, tmp_path: Path
) -> None:
    path = downloads / upstream.cldr.file_name
    path.write_bytes(path.read_bytes() + b"x")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    message = rf"cldr-1\.0\.0\.tgz: SHA-256 is {found}, expected {upstream.cldr.sha256}; delete"
    with pytest.raises(DataError, match=message):
        build(downloads, tmp_path / "out", upstream)
    assert not (tmp_path / "out").exists()


def test_a_picture_of_an_unknown_emoji_is_named(
    downloads: Path, upstream: Upstream, tmp_path: Path
) -> None:
    more = _packed(downloads, "@some/more", {"assets/1fffd.webp": _picture(1, 0)})
    wider = Upstream((more,), upstream.cldr, upstream.emojibase, upstream.emojilib)
    with pytest.raises(DataError, match=r"1fffd\.webp: not in emojibase"):
        build(downloads, tmp_path / "out", wider)
    assert _bytes(tmp_path / "out") == {}
