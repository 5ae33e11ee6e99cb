"""What may be said of a remote file, and the table for those who bring files by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.expected import expected_table, missing_files
from polymatch.data.remote import RemoteFile, Unpacked
from polymatch.errors import ConfigError

DIGEST = "0123456789abcdef" * 4
words = st.text("abcz._-é ", min_size=1).filter(lambda text: text.strip(". "))


def remote(name="a/b.csv", **fields):
    return RemoteFile(
        name,
        **{
            "urls": ("https://one.example/b.csv",),
            "bytes": None,
            "sha256": None,
            "about": "rows",
            "licence": "MIT",
        }
        | fields,
    )


@given(
    name=words,
    size=st.none() | st.integers(0, 2**60),
    sha256=st.sampled_from([None, DIGEST]),
    about=st.text(),
    unpacked=st.none()
    | st.builds(
        Unpacked, words.map("in/{}".format), st.integers(1, 2**60), words, st.none() | words
    ),
)
def test_json_there_and_back(name, size, sha256, about, unpacked):
    one = remote(name + ".zip", bytes=size, sha256=sha256, about=about, unpacked=unpacked)
    assert RemoteFile.from_json(one.to_json()) == one and "\n" not in one.to_json()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "/etc/x"}, "name: '/etc/x' is no path below data.root; give one without `..`"),
        ({"name": "a/../../x"}, "name: 'a/../../x' is no path below data.root; give one without"),
        ({"name": ""}, "name: '' is no path below data.root"),
        (
            {"urls": ("https://x.example/a", "ftp://x.example/a")},
            "a/b.csv: ftp://x.example/a is not downloaded, only http and https are; take it out of "
            "`urls` and put the file in place by hand",
        ),
        ({"urls": ("file:///etc/x",)}, "a/b.csv: file:///etc/x is not downloaded, only http and"),
        ({"urls": ("https:///x",)}, "a/b.csv: https:///x is not downloaded"),
        ({"bytes": -1}, "a/b.csv: bytes is -1; give its size, or null"),
        (
            {"sha256": "ABC"},
            "a/b.csv: sha256 is 'ABC'; give 64 digits of 0-9 and a-f, or null",
        ),
        (
            {"unpacked": Unpacked("x", 1)},
            "a/b.csv: not the name of an archive that can be unpacked; these are: .zip, .tar, ",
        ),
        (
            {"name": "clips/a.zip", "unpacked": Unpacked("clips", 1)},
            "clips/a.zip: lies in the folder that it becomes; give it another place",
        ),
    ],
)
def test_what_cannot_be(fields, message):
    with pytest.raises(ConfigError) as raised:
        remote(**fields)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("folder", "size", "message"),
    [
        ("../x", 1, "unpacked.folder: '../x' is no path below data.root; give one without `..`"),
        (".", 1, "unpacked.folder: '.' is no path below data.root"),
        ("x", 0, "x: max_bytes is 0; give the size in bytes"),
    ],
)
def test_what_no_archive_becomes(folder, size, message):
    with pytest.raises(ConfigError) as raised:
        Unpacked(folder, size)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "remote file: the JSON: Invalid JSON: EOF while parsing an object"),
        ('{"name": "a"}', "remote file: urls: Field required"),
        (
            '{"name": "a", "urls": [], "bytes": "x", "sha256": null, "about": "", "licence": ""}',
            "remote file: bytes: Input should be a valid integer",
        ),
        (
            '{"name": "..", "urls": [], "bytes": 1, "sha256": null, "about": "", "licence": ""}',
            "name: '..' is no path below data.root",
        ),
    ],
)
def test_json_that_says_no_file(text, message):
    with pytest.raises(ConfigError) as raised:
        RemoteFile.from_json(text)
    assert str(raised.value).startswith(message)


def test_what_is_missing(tmp_path):
    plain, other = remote("in/a.csv"), remote("in/b.csv")
    full, empty, packed = (
        remote(f"{name}.zip", unpacked=Unpacked(f"in/{name}", 9))
        for name in ("full", "empty", "packed")
    )
    for folder in ("in/full/deep", "in/empty"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "in/a.csv").write_bytes(b"")
    (tmp_path / "packed.zip").write_bytes(b"")
    files = [plain, other, full, empty, packed]
    assert missing_files(files, tmp_path) == [other, empty, packed]
    assert missing_files(files, tmp_path / "elsewhere") == files


def test_the_table_of_expected_files():
    files = [
        remote(
            bytes=6_123_456_789, sha256=DIGEST, urls=("https://a.example/b", "http://c.example")
        ),
        remote("clips.zip", urls=(), about="clips", unpacked=Unpacked("in/clips", 9)),
    ]
    assert expected_table(files, Path("/data")) == (
        "a/b.csv\n"
        "  what      rows\n"
        "  put it    /data/a/b.csv\n"
        "  size      6123456789 bytes (6.1 GB)\n"
        f"  sha256    {DIGEST}\n"
        "  from      https://a.example/b\n"
        "  from      http://c.example\n"
        "  licence   MIT\n"
        "clips.zip\n"
        "  what      clips\n"
        "  put it    /data/clips.zip\n"
        "  unpacked  /data/in/clips\n"
        "  size      -\n"
        "  sha256    -\n"
        "  from      -\n"
        "  licence   MIT"
    )
    assert (
        expected_table(files[:1], Path("x")).splitlines()[2]
        == f"  put it    {Path.cwd()}/x/a/b.csv"
    )
