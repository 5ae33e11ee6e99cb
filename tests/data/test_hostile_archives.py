"""Archives that must not be unpacked: each with its message, and nothing left behind."""

from __future__ import annotations

import gzip
import io
import shutil
import struct
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data.archives import unpack
from polymatch.data.remote import Unpacked
from polymatch.errors import DataError

from .packed import tarred, zipped

ESCAPES = ["/etc/x", "../x", "a/../../x", "C:/x", "C:x", "a\\..\\..\\x", "a/\x01b", ".."]


def refused(root, name, data, unpacked=None):
    """The message, without the archive's name, of what must leave nothing behind."""
    (root / "in").mkdir(exist_ok=True)
    archive = root / "in" / name
    archive.write_bytes(data)
    with pytest.raises(DataError) as raised:
        unpack(archive, unpacked or Unpacked("out", 10_000), root / "in")
    there = {str(path.relative_to(root)) for path in root.rglob("*")}
    assert there == {"in", f"in/{name}", "in/.out.lock"}
    return str(raised.value).removeprefix(f"{archive}: ")


def special(kind, name="a", target="/etc/passwd"):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("keep", [None, "*.mp4"])
def test_names_that_leave_the_folder(tmp_path, pack, name, keep):
    archive = "a.zip" if pack is zipped else "a.tgz"
    data = pack([("good.mp4", b"1"), (name, b"2")])
    assert refused(tmp_path, archive, data, Unpacked("out", 99, keep=keep)) == (
        f"member {name!r} would leave the folder or cannot be a name; nothing was unpacked"
    )


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_links_and_devices_in_a_tar(tmp_path, kind):
    data = tarred([("a.txt", b"1"), (special(kind, "b"), b""), ("b/c", b"through it")])
    assert refused(tmp_path, "a.tar.gz", data) == (
        "'b' is a link or a device; nothing was unpacked"
    )


@pytest.mark.parametrize("mode", [0o120777, 0o060644, 0o010644])
def test_links_and_devices_in_a_zip(tmp_path, mode):
    info = zipfile.ZipInfo("b")
    info.external_attr = mode << 16
    assert refused(tmp_path, "a.zip", zipped([("a", b"1"), (info, b"/etc")])) == (
        "'b' is a link or a device; nothing was unpacked"
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        ("a", "a", "a"),
        ("a", "./a", "a"),
        ("x/a", "x//a", "a"),
        ("a", "a/b", "b"),
        ("a/b", "a", "a"),
    ],
)
def test_two_members_of_one_name(tmp_path, pack, first, second, named):
    archive = "a.zip" if pack is zipped else "a.tgz"
    assert refused(tmp_path, archive, pack([(first, b"1"), (second, b"2")])) == (
        f"two members are called {named!r}, or one is the other's folder; nothing was unpacked"
    )


MORE = (
    "holds more than the declared 10.0 kB; nothing was unpacked; if that is right, raise "
    "`max_bytes`"
)


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_more_than_was_declared(tmp_path, pack):
    archive = "a.zip" if pack is zipped else "a.tgz"
    assert refused(tmp_path, archive, pack({"bomb": bytes(50_000_000)})) == MORE
    many = {f"{number}": bytes(3000) for number in range(4)}
    assert refused(tmp_path, archive, pack(many)) == MORE


@pytest.mark.parametrize("says", [5, 9_999])
def test_a_zip_bomb_whose_headers_lie(tmp_path, says):
    data = bytearray(zipped({"bomb": bytes(1_000_000)}))
    local = data.index(b"PK\x03\x04") + 22
    central = data.index(b"PK\x01\x02") + 24
    for at in (local, central):
        data[at : at + 4] = struct.pack("<I", says)
    assert refused(tmp_path, "a.zip", bytes(data)) == (
        "damaged or cut short (Bad CRC-32 for file 'bomb'); delete it, and its .sha256 if there is "
        "one, and fetch it again"
    )


def test_a_zip_that_is_shorter_than_its_header_says(tmp_path):
    data = bytearray(zipped({"short": b"12345"}))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 500)
    assert refused(tmp_path, "a.zip", bytes(data)).startswith(
        "damaged or cut short (short: 5 of 500 bytes); delete it"
    )


def test_a_sparse_tar_of_nothing(tmp_path):
    info = tarfile.TarInfo("hole")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as file:
        info.pax_headers = {
            "GNU.sparse.major": "0",
            "GNU.sparse.minor": "1",
            "GNU.sparse.name": "hole",
            "GNU.sparse.size": str(2**40),
            "GNU.sparse.map": f"{2**40 - 1},1",
        }
        info.size = 1
        file.addfile(info, io.BytesIO(b"1"))
    assert refused(tmp_path, "a.tar", packed.getvalue()) == MORE


def test_a_header_that_would_fill_the_memory(tmp_path):
    info = tarfile.TarInfo("x" * 2_000_000)
    assert refused(tmp_path, "a.tar.gz", tarred([(info, b"1")])).startswith(
        "damaged or cut short (a header of more than a MiB); delete it"
    )


def test_rubbish_without_end_after_the_end(tmp_path):
    data = gzip.compress(tarred({"a": b"1"}, "w") + bytes(70 * 2**20), 1)
    assert "more than 64 MiB after its end" in refused(tmp_path, "a.tgz", data)


def test_an_encrypted_zip(tmp_path):
    data = bytearray(zipped({"secret": b"1"}))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + flags] |= 1
    assert refused(tmp_path, "a.zip", bytes(data)) == ("'secret' is encrypted; unpack it by hand")


def test_a_compression_that_is_not_known(tmp_path):
    data = bytearray(zipped({"a": b"1"}))
    for magic, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(magic) + method] = 9
    assert refused(tmp_path, "a.zip", bytes(data)).endswith("supported; unpack it by hand")


FILES = {"a.txt": bytes(range(256)) * 8, "b.txt": b"", "c.txt": b"c" * 600}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_that_is_cut_anywhere(tmp_path, mode):
    whole = tarred(FILES, mode)
    # To the end of the last member at least; what comes after an uncompressed tar's is padding.
    end = 2560 + 512 + 1536 if mode == "w" else len(whole)
    for size in [*range(1, end, 97), *([512, 2560, 3072, 4608] if mode == "w" else [end - 1])]:
        assert refused(tmp_path, "a.tar", whole[:size]).startswith("damaged or cut short (")


def test_a_zip_that_is_cut_anywhere(tmp_path):
    whole = zipped(FILES)
    for size in range(0, len(whole), 37):
        assert refused(tmp_path, "a.zip", whole[:size]).startswith("damaged or cut short (")


def test_a_wrong_bit_in_a_compressed_tar(tmp_path):
    data = bytearray(gzip.compress(tarred(FILES, "w")))
    data[-6] ^= 1  # of the checksum at the end
    assert "CRC check failed" in refused(tmp_path, "a.tgz", bytes(data))


WHOLE = {
    "a.zip": zipped(FILES),
    "lzma.zip": zipped(FILES, zipfile.ZIP_LZMA),
    "a.tar": tarred(FILES, "w"),
    "a.tgz": tarred(FILES),
}


@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
@settings(max_examples=150)
def test_whatever_is_wrong_is_a_data_error_and_leaves_nothing(tmp_path_factory, name, at, rubbish):
    root = tmp_path_factory.mktemp("rubbish")
    data = bytearray(WHOLE[name])
    at %= len(data)
    data[at : at + len(rubbish)] = rubbish
    (root / name).write_bytes(data)
    try:
        unpack(root / name, Unpacked("out", 10_000), root)
    except DataError:
        assert not (root / "out").exists() and not (root / ".out.unpacking").exists()
    assert {path.name for path in root.iterdir()} <= {name, "out", "out.unpacked.json", ".out.lock"}
    shutil.rmtree(root)


def test_an_archive_that_is_not_there(tmp_path):
    with pytest.raises(DataError) as raised:
        unpack(tmp_path / "a.zip", Unpacked("out", 9), tmp_path)
    assert str(raised.value) == f"{tmp_path}/a.zip: no such archive; fetch it or put it there"


def test_a_file_where_the_folder_belongs(tmp_path):
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(DataError) as raised:
        unpack(tmp_path / "a.zip", Unpacked("out", 9), tmp_path)
    assert str(raised.value) == f"{tmp_path}/out: a file where a folder belongs; move it away"


def test_no_room_for_what_was_declared(tmp_path):
    text = refused(tmp_path, "a.zip", zipped(FILES), Unpacked("out", 10**18))
    assert text.startswith(f"a.zip: 1.0 EB are needed in {tmp_path}/in, ")
