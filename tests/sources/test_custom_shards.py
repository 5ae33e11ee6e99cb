"""WebDataset's shards: what is read of them, unpacked once, and what is refused."""

from __future__ import annotations

import gzip
import io
import os
import tarfile

import pytest

from polymatch.errors import ConfigError, DataError
from polymatch.sources import read_source
from polymatch.sources.custom_shards import expand_braces

from .custom_examples import captions_of, data, names, prepared, sample, tar_of, write_shards


def unpacked(settings):
    root = settings.custom.unpacked
    return {
        os.path.relpath(os.path.join(folder, name), root)  # noqa: PTH118
        for folder, _, files in os.walk(root)
        for name in files
    }


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("{8..10}.tar", ["8.tar", "9.tar", "10.tar"]),
        ("{008..010}.tar", ["008.tar", "009.tar", "010.tar"]),
        ("{a,b}/{0..1}.tar", ["a/0.tar", "a/1.tar", "b/0.tar", "b/1.tar"]),
        ("{2..1}.tar", []),
    ],
)
def test_braces(pattern, names):
    assert expand_braces(pattern) == names


def test_pictures_are_unpacked_once_and_again_when_the_shard_changed(tmp_path):
    settings = data(write_shards(tmp_path / "set", 12))
    first = prepared(settings)
    there = {f"00000.tar/{name}.png" for name in names(12)[:8]}
    there |= {f"00001.tar/{name}.png" for name in names(12)[8:]}
    assert unpacked(settings) == there | {f"0000{n}.tar/.unpacked.json" for n in (0, 1)}
    kept = tmp_path / "set-unpacked/00000.tar" / f"{names()[0]}.png"
    kept.write_bytes(kept.read_bytes() + b" ")  # to see that it is not written again
    marked = kept.stat().st_mtime_ns
    assert prepared(settings).manifest.equals(first.manifest)
    assert kept.stat().st_mtime_ns == marked
    tar_of(tmp_path / "set/00000.tar", [m for r in range(1, 8) for m in sample(r, names()[r])])
    assert names()[0] not in set(prepared(settings).manifest["item_id"])
    assert not kept.exists()


def test_shards_are_not_unpacked_into_their_own_folder(tmp_path):
    root = write_shards(tmp_path / "set", 8)
    with pytest.raises(ConfigError) as raised:
        read_source(data(root, {"unpacked": f"{root}/below"}))
    assert str(raised.value) == (
        f"data.custom.unpacked: {root}/below is in data.root ({root}), where its pictures would be "
        "taken for the data set's; name a folder elsewhere"
    )
    assert [path.name for path in root.iterdir()] == ["00000.tar"]


def test_the_paths_hold_where_the_root_is_a_link(tmp_path):
    write_shards(tmp_path / "far/away/set")
    (tmp_path / "link").symlink_to(tmp_path / "far/away/set")
    tables = prepared(data(tmp_path / "link"))
    assert len(tables.manifest) == 24 and tables.problems.empty


@pytest.mark.parametrize("named", ["{}/00000.tar", "{}-000.tar", "mine-{}-{{000}}.tar", "{}0.tar"])
def test_folders_or_names_of_shards_decide_the_splits(named, tmp_path):
    rows = {"train": range(4), "validation": range(4, 6), "test": range(6, 8)}
    for split, part in rows.items():
        members = [m for row in part for m in sample(row, f"{row - part[0]:09d}", "json")]
        tar_of(tmp_path / "set" / named.format(split).replace("{{", "{"), members)
    tables = prepared(data(tmp_path / "set"))
    # Keys begin anew in each shard, so that the shard is a part of the id.
    ids = tables.manifest["item_id"]
    assert ids.nunique() == 8 and ids.str.endswith("/000000000").sum() == 3
    assert tables.manifest["split"].value_counts().to_dict() == {"train": 4, "val": 2, "test": 2}
    assert set(tables.captions["text"]) == {captions_of(row)[0] for row in range(8)}


def test_shards_can_be_named_with_braces(tmp_path):
    root = write_shards(tmp_path / "set")
    settings = data(root, {"shards": ["{00000..00001}.tar"]})
    assert prepared(settings).manifest["item_id"].tolist() == sorted(names()[:16])
    with pytest.raises(DataError) as raised:
        read_source(data(root, {"shards": ["{00002..00003}.tar"]}))
    assert str(raised.value) == (
        f"{root}/00003.tar: no such tar file (data.custom.shards: {{00002..00003}}.tar)"
    )


def hostile(name="x.jpg", kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


BAD = {
    "up": (hostile("../x.jpg"), "'../x.jpg' leaves the data set's folder; move the file into it"),
    "up inside": (
        hostile("a/../../x.jpg"),
        "'a/../../x.jpg' leaves the data set's folder; move the file into it",
    ),
    "absolute": (
        hostile("/etc/x.jpg"),
        "'/etc/x.jpg' is an absolute path; write it relative to the data set's folder",
    ),
    "drive": (
        hostile("C:\\x.jpg"),
        "'C:\\\\x.jpg' is an absolute path; write it relative to the data set's folder",
    ),
    "soft link": (
        hostile(kind=tarfile.SYMTYPE, target="/etc/passwd"),
        "is a link, a device or sparse; only ordinary files are unpacked",
    ),
    "hard link": (
        hostile(kind=tarfile.LNKTYPE, target="y.jpg"),
        "is a link, a device or sparse; only ordinary files are unpacked",
    ),
    "device": (
        hostile(kind=tarfile.CHRTYPE),
        "is a link, a device or sparse; only ordinary files are unpacked",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_hostile_members_are_refused_and_nothing_is_left(case, tmp_path):
    member, message = BAD[case]
    shard = tmp_path / "set/0.tar"
    tar_of(shard, sample(0, "a"))
    with tarfile.open(shard, "a") as tar:
        tar.addfile(member)
    settings = data(tmp_path / "set")
    with pytest.raises(DataError) as raised:
        read_source(settings)
    assert str(raised.value) == f"{shard}, member {member.name!r}: {message}"
    assert unpacked(settings) == set()
    assert {path.name for path in tmp_path.iterdir()} <= {"set", "set-unpacked"}


FAULTS = {
    "twice": (
        [("a.jpg", b"1"), ("a.jpg", b"2")],
        "{}, member 'a.jpg': is there twice; give every sample a key of its own",
    ),
    "two texts": (
        [("a.jpg", b"1"), ("a.txt", b"one"), ("a.TXT", b"two")],
        "{}, member 'a.TXT': is there twice; give every sample a key of its own",
    ),
    "not UTF-8": (
        [("a.jpg", b"1"), ("a.txt", b"caf\xe9")],
        "{}, member 'a.txt': not UTF-8 (unexpected end of data); save it as UTF-8",
    ),
    "long text": (
        [("a.txt", b"x" * ((1 << 20) + 1))],
        "{}, member 'a.txt': has 1048577 bytes, too many for captions; is it one?",
    ),
    "not JSON": (
        [("a.jpg", b"1"), ("a.json", b"{")],
        "{}, a: its .json is not JSON (Expecting property name enclosed in double quotes: line 1 "
        "column 2 (char 1)); make the shard again",
    ),
    "no text in JSON": (
        [("a.jpg", b"1"), ("a.json", b'{"caption": [3]}')],
        "{}, a: caption in its .json is not a text; make the shard again",
    ),
    "two suffixes": (
        [("a.jpg", b"1"), ("a.mp4", b"2"), ("a.txt", b"one")],
        "{}, a: item 'a' is {way}/a.mp4, but {way}/a.jpg in {}, a; an item has one file: rename "
        "or take out one",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_samples_that_cannot_be_read(case, tmp_path):
    members, message = FAULTS[case]
    tar_of(tmp_path / "set/0.tar", members)
    with pytest.raises(DataError) as raised:
        read_source(data(tmp_path / "set"))
    shard = f"{tmp_path}/set/0.tar"
    assert str(raised.value) == message.format(shard, shard, way="../set-unpacked/0.tar")


def test_shards_cut_short_or_compressed(tmp_path):
    root = write_shards(tmp_path / "set", 8)
    whole = (root / "00000.tar").read_bytes()
    for content in (whole[:1000], gzip.compress(whole), b""):
        (root / "00000.tar").write_bytes(content)
        settings = data(root)
        with pytest.raises(DataError, match=r"00000.tar: not a whole, uncompressed tar file \("):
            read_source(settings)
        assert unpacked(settings) == set()


def test_sparse_members_are_refused(tmp_path):
    info = tarfile.TarInfo("x.jpg")
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.realsize": "99999999999",
    }
    content = b"0\n".ljust(512, b"\0")
    info.size = len(content)
    shard = tmp_path / "set/0.tar"
    shard.parent.mkdir()
    with tarfile.open(shard, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info, io.BytesIO(content))
    with pytest.raises(DataError, match="is a link, a device or sparse"):
        read_source(data(tmp_path / "set"))


def test_hidden_members_folders_and_others_are_passed_over(tmp_path):
    root = write_shards(tmp_path / "set")
    with tarfile.open(root / "00000.tar", "a") as tar:
        for name in ("./._a.jpg", "__MACOSX/a.jpg", "a.seg.png", "a.npy", "README"):
            tar.addfile(tarfile.TarInfo(name))
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    assert prepared(data(root)).manifest["item_id"].tolist() == sorted(names())


def test_samples_without_a_picture_or_a_caption_are_named_or_left_out(tmp_path):
    root = write_shards(tmp_path / "set", 16)
    tar_of(root / "00002.tar", [("lonely.txt", b"one"), *sample(20, "silent")[:1]])
    with pytest.raises(DataError) as raised:
        prepared(data(root))
    assert str(raised.value) == (
        "items, row 17, 'silent': has no captions; add one or take out the item "
        "(and 1 other problems)"
    )
    tables = prepared(data(root, on_bad_item="skip"))
    assert len(tables.manifest) == 16
    assert tables.problems["problem"].tolist() == [
        "has no captions; add one or take out the item",
        f"{root}/00002.tar, lonely: has captions, but no picture and no clip",
    ]
