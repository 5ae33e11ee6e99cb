"""video2frames.txt: what Python would read as a dict of lists is read, and nothing else."""

from __future__ import annotations

import ast
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.errors import DataError
from polymatch.sources.video_frames import read_video_frames

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(mapping=st.dictionaries(TEXTS, st.lists(TEXTS, max_size=4), min_size=1, max_size=5))
def test_it_reads_what_python_writes(tmp_path_factory, mapping):
    path = tmp_path_factory.mktemp("mapping") / "video2frames.txt"
    path.write_text(str(mapping), encoding="utf-8")
    assert dict(read_video_frames(path)) == mapping


@pytest.mark.parametrize(
    "text",
    [
        "{'a':['b','c'],'d':[]}",
        "\n{ 'a' : [ 'b' , 'c', ] ,\n \"d\": [], }\n\n",
        "{u'a': [u'\\x62', \"c\"], 'd': [\t]}",
    ],
)
def test_it_reads_other_spellings_as_python_does(tmp_path, text):
    path = tmp_path / "video2frames.txt"
    path.write_text(text)
    read = list(read_video_frames(path))
    assert read == [("a", ["b", "c"]), ("d", [])] == list(ast.literal_eval(text.strip()).items())


FAULTS = {
    "empty": ("", 1, "the end of the file"),
    "a list": ("['a']", 1, repr("['a']")),
    "cut short": ("{'a': ['b'], 'c': ['d'", 14, repr("'c': ['d'")),
    "not closed": ("{'a': ['b']", 12, "the end of the file"),
    "more behind it": ("{'a': ['b']}; import os", 12, repr("}; import os")),
    "a call": ("{'a': __import__('os').listdir()}", 2, repr("'a': __import__('os').listdir()}")),
    "a call in the list": ("{'a': [exit()]}", 2, repr("'a': [exit()]}")),
    "one text": ("{'a': 'b'}", 2, repr("'a': 'b'}")),
    "numbers": ("{'a': [1, 2]}", 2, repr("'a': [1, 2]}")),
    "a number for a video": ("{1: ['a']}", 2, repr("1: ['a']}")),
    "no comma": ("{'a': ['b'] 'c': ['d']}", 13, repr("'c': ['d']}")),
    "an escape that is none": ("{'a': ['\\x']}", 2, repr("'a': ['\\x']}")),
    "nested": ("{'a': " + "[" * 100_000, 2, repr("'a': " + "[" * 35)),
}


@pytest.mark.parametrize(("text", "place", "shown"), FAULTS.values(), ids=FAULTS)
def test_what_is_no_such_dict_is_refused_where_it_begins(tmp_path, text, place, shown):
    path = tmp_path / "video2frames.txt"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        list(read_video_frames(path))
    assert str(caught.value) == (
        f"{path}: not a Python dict of videos, each with the list of its frames; at character "
        f"{place} is {shown}; write it as {{'video0': ['video0_0', 'video0_1'], ...}}"
    )


def test_a_dict_of_nothing_another_encoding_and_too_many_bytes_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "video2frames.txt"
    path.write_text("{ }")
    with pytest.raises(DataError, match=r"video2frames\.txt: holds no video; make it again$"):
        list(read_video_frames(path))
    path.write_bytes(b"{'caf\xe9': []}")
    with pytest.raises(DataError, match=r"not UTF-8 \(invalid continuation byte\); save it as"):
        list(read_video_frames(path))
    monkeypatch.setattr("polymatch.sources.video_frames._MOST_BYTES", 10)
    with pytest.raises(DataError) as caught:
        list(read_video_frames(path))
    assert str(caught.value) == (
        f"{path}: 12 bytes, more than the 10 that are read of such a file; is it the right one?"
    )


@pytest.mark.parametrize("hostile", [" " * 200_000, "'" * 200_001, "'a'," * 50_000, "\\" * 200_000])
def test_no_file_takes_longer_than_its_length(tmp_path, hostile):
    """Patterns that try things twice would take hours."""
    path = tmp_path / "video2frames.txt"
    path.write_text("{'a': [" + hostile)
    start = time.perf_counter()
    with pytest.raises(DataError, match="not a Python dict"):
        list(read_video_frames(path))
    assert time.perf_counter() - start < 2
