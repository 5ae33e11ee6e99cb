"""Archives become folders: whole or not at all, and nothing outside them."""

from __future__ import annotations

import gzip
import hashlib
import json
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data.archives import unpack
from polymatch.data.remote import Unpacked
from polymatch.errors import DataError

from .packed import tarred, zipped

FILES = {"a.txt": b"a" * 5000, "b/c.bin": bytes(range(256)) * 9, "b/d/e": b"", "ü é.txt": b"x"}
SIZE = sum(map(len, FILES.values()))
PACKED = {
    "a.zip": zipped,
    "stored.ZIP": lambda files: zipped(files, zipfile.ZIP_STORED),
    "bzip2.zip": lambda files: zipped(files, zipfile.ZIP_BZIP2),
    "a.tar": lambda files: tarred(files, "w"),
    "a.tar.gz": tarred,
    "a.tgz": tarred,
    "a.tar.bz2": lambda files: tarred(files, "w:bz2"),
    "a.tar.xz": lambda files: tarred(files, "w:xz"),
    # Two streams in one file, as parallel compressors write.
    "pigz.tar.gz": lambda files: b"".join(
        gzip.compress(part) for part in (tarred(files, "w")[:700], tarred(files, "w")[700:])
    ),
    "plain.tar.gz": lambda files: tarred(files, "w"),  # a server has undone the compression
}


def read(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", PACKED)
def test_what_was_packed_is_unpacked(tmp_path, name):
    data = PACKED[name](FILES)
    (tmp_path / name).write_bytes(data)
    marker = unpack(tmp_path / name, Unpacked("in/clips", SIZE), tmp_path)
    assert marker == tmp_path / "in/clips.unpacked.json"
    assert read(tmp_path / "in/clips") == FILES
    assert json.loads(marker.read_text()) == {
        "archive": name,
        "archive_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "files": len(FILES),
        "bytes": SIZE,
    }
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == [
        ".clips.lock",
        "clips",
        "clips.unpacked.json",
    ]


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)


@given(st.dictionaries(names.map(lambda name: f"{name}.x"), st.binary(max_size=99), min_size=1))
@settings(max_examples=15)
def test_round_trips(tmp_path_factory, files):
    for name, packed in {"a.zip": zipped(files), "a.tar.gz": tarred(files)}.items():
        root = tmp_path_factory.mktemp("round")
        (root / name).write_bytes(packed)
        unpack(root / name, Unpacked("out", 10_000), root)
        assert read(root / "out") == files


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_what_is_stripped_and_what_is_kept(tmp_path, pack):
    files = {"./V/all/1.mp4": b"1", "V/all/1.txt": b"t", "V/2.mp4": b"2", "__MACOSX/V/2.mp4": b"m"}
    archive = tmp_path / ("a.zip" if pack is zipped else "a.tgz")
    archive.write_bytes(pack(files))
    for place, strip, keep, kept in [
        ("one", "V", "*.mp4", {"all/1.mp4", "2.mp4"}),
        ("two", "V/all/", None, {"1.mp4", "1.txt"}),
        ("three", "", "V/?.mp4", {"V/2.mp4"}),
    ]:
        # Only what is written counts.
        unpack(archive, Unpacked(place, len(kept), strip, keep), tmp_path)
        assert set(read(tmp_path / place)) == kept
    with pytest.raises(DataError) as raised:
        unpack(archive, Unpacked("four", 9, "W", "*.avi"), tmp_path)
    assert str(raised.value) == (
        f"{archive}: no file in it begins with 'W' and fits '*.avi'; correct `strip` or `keep`"
    )
    assert not (tmp_path / "four").exists()


def test_empty_folders_are_kept_and_modes_are_not(tmp_path):
    info = zipfile.ZipInfo("run.sh")
    info.external_attr = 0o104777 << 16  # set-user-id, for all to write
    (tmp_path / "a.zip").write_bytes(zipped([(info, b"#!"), ("empty/", b"")]))
    unpack(tmp_path / "a.zip", Unpacked("out", 9), tmp_path)
    assert (tmp_path / "out/empty").is_dir()
    assert (tmp_path / "out/run.sh").stat().st_mode & 0o7111 == 0


def test_a_folder_placed_by_hand_is_taken_as_it_is(tmp_path):
    (tmp_path / "clips/b").mkdir(parents=True)
    (tmp_path / "clips/b/own.mp4").write_bytes(b"own")
    marker = unpack(tmp_path / "not_there.zip", Unpacked("clips", 1), tmp_path)
    by_hand = {"archive": None, "archive_bytes": None, "sha256": None, "files": 1, "bytes": 3}
    assert json.loads(marker.read_text()) == by_hand
    assert read(tmp_path / "clips") == {"b/own.mp4": b"own"}


def test_an_empty_folder_is_no_folder_placed_by_hand(tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "a.zip").write_bytes(zipped(FILES))
    unpack(tmp_path / "a.zip", Unpacked("clips", SIZE), tmp_path)
    assert read(tmp_path / "clips") == FILES


def test_a_killed_unpacking_leaves_nothing_under_the_name_and_the_next_one_does_it(tmp_path):
    # Zeros compress a thousandfold: a small archive that takes a while.
    size = 2**30
    packed = gzip.compress(tarred({"1": b"one"}, "w")[:1024], 1)
    zeros = gzip.compress(bytes(2**20), 1)
    whole = tarred({"2": bytes(2**20)}, "w")
    header = bytearray(whole[:512])
    header[124:136] = f"{size:011o} ".encode()
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    packed += gzip.compress(bytes(header)) + zeros * 1024 + gzip.compress(bytes(1024))
    (tmp_path / "a.tgz").write_bytes(packed)
    code = (
        "import sys; from pathlib import Path; from polymatch.data.archives import unpack; "
        "from polymatch.data.remote import Unpacked; "
        f"unpack(Path('a.tgz'), Unpacked('clips', {size + 3}), Path())"
    )
    library = Path(__file__).parents[2] / "workflow"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(library)}
    )
    staged = tmp_path / ".clips.unpacking/2"
    end = time.monotonic() + 20
    while not staged.exists() and time.monotonic() < end:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert staged.exists() and not (tmp_path / "clips").exists()
    assert not (tmp_path / "clips.unpacked.json").exists()
    (tmp_path / "a.tgz").write_bytes(tarred(FILES))
    unpack(tmp_path / "a.tgz", Unpacked("clips", SIZE), tmp_path)
    assert read(tmp_path / "clips") == FILES and not staged.parent.exists()
