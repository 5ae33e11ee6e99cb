"""MSR-VTT: every fault of a file or a row, with the message that people see."""

from __future__ import annotations

import json
import os

import pytest

from polymatch.errors import DataError
from polymatch.sources import read_source

from .raw_examples import write_msrvtt
from .test_msrvtt import data, prepared

DATA = "msrvtt_data/MSRVTT_data.json"
TEST = "msrvtt_data/MSRVTT_JSFUSION_test.csv"
TRAIN = "msrvtt_data/MSRVTT_train.9k.csv"


@pytest.fixture
def root(tmp_path):
    write_msrvtt(tmp_path, videos=False)
    return tmp_path


def edit(key, entry, **changes):
    """Change keys of an entry (from 0) of a list; None takes a key away."""

    def spoil(root):
        whole = json.loads((root / DATA).read_text())
        changed = whole[key][entry] | changes
        whole[key][entry] = {k: v for k, v in changed.items() if v is not None}
        (root / DATA).write_text(json.dumps(whole))

    return spoil


def replaced(name, old, new):
    def spoil(root):
        content = (root / name).read_text()
        assert old in content
        (root / name).write_text(content.replace(old, new, 1))

    return spoil


def only_one_of_the_release(root):
    (root / DATA).unlink()
    (root / "test_videodatainfo.json").unlink()


FAULTS = {
    "no annotation": (
        lambda root: [path.unlink() for path in (root / DATA, *root.glob("*.json"))],
        r"/msrvtt_data/MSRVTT_data\.json: no such file \(nor MSRVTT_data\.json nor MSR_VTT\.json "
        r"nor train_val_videodatainfo\.json nor test_videodatainfo\.json there\); it is part of ms",
    ),
    "half of the release": (
        only_one_of_the_release,
        r"/test_videodatainfo\.json: no such file; it is part of the release of MSR-VTT, with the "
        r"other: set `download: true`, or put it there$",
    ),
    "no list": (
        lambda root: (root / TRAIN).unlink(),
        r"MSRVTT_train\.9k\.csv: no such file \(nor MSRVTT_train\.9k\.csv there\); it is part of m",
    ),
    "truncated": (
        lambda root: os.truncate(root / DATA, 900),
        r"MSRVTT_data\.json: not whole JSON in UTF-8 \(parse error: premature EOF\); copy it or",
    ),
    "no video_id": (edit("videos", 3, video_id=None), r"videos, entry 4: has no `video_id`; take"),
    "no sen_id": (edit("sentences", 9, sen_id=None), r"sentences, entry 10: has no `sen_id`; take"),
    "a caption that is none": (
        edit("sentences", 9, caption=["a"]),
        r"sentences, entry 10: `caption` is \['a'\], not a text; take the file as its authors ship",
    ),
    "a split that is none": (edit("videos", 0, split=1), r"entry 1: `split` is 1, not a text; tak"),
    "a clip twice": (
        edit("videos", 3, video_id="video0"),
        r"videos, entry 4: clip 'video0' is there already \(.*, videos, entry 1\); each has one of",
    ),
    "a sentence twice": (
        edit("sentences", 3, sen_id=0),
        r"sentences, entry 4: sen_id '0' is there already \(.*, sentences, entry 1\); each has one",
    ),
    "a file elsewhere": (
        edit("videos", 0, video_id="../video0"),
        r"videos, entry 1: video_id '\.\./video0' is not the name of a file; letters, digits, _ an",
    ),
    "a header only": (
        lambda root: (root / TEST).write_text("key,vid_key,video_id,sentence\n"),
        r"MSRVTT_JSFUSION_test\.csv: has a header and no rows; take the file as its authors ship i",
    ),
    "no header": (
        replaced(TRAIN, "video_id\n", ""),
        r"MSRVTT_train\.9k\.csv: line 1 has no column video_id; take the file as its authors ship ",
    ),
    "an empty id": (
        replaced(TEST, ",video21,", ",,"),
        r"MSRVTT_JSFUSION_test\.csv, line 3: `video_id` is empty; fill it in or take the row out$",
    ),
    "a key twice": (
        replaced(TEST, "ret2,", "ret0,"),
        r"_test\.csv, line 4: key 'ret0' is there already \(.*_test\.csv, line 2\); correct one$",
    ),
    "a clip twice in train": (
        replaced(TRAIN, "video1\n", "video0\n"),
        r"9k\.csv, line 3: 'video0' is there already \(.*9k\.csv, line 2\); take one of the two ou",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("on_bad_item", ["stop", "skip"])
def test_a_fault_of_a_file_always_stops_with_one_line(root, spoil, message, on_bad_item):
    spoil(root)
    with pytest.raises(DataError, match=message) as caught:
        read_source(data(root, on_bad_item=on_bad_item))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("split", [None, "public"])
def test_the_official_split_must_be_known_of_every_clip(root, split):
    edit("videos", 5, split=split)(root)
    message = (
        rf"videos, entry 6: split {split or ''!r} of 'video5' is unknown \(known: train, valid"
    )
    with pytest.raises(DataError, match=message):
        read_source(data(root, split="official"))


def test_lists_with_a_byte_order_mark_and_windows_line_ends_are_the_same(root):
    before = prepared(data(root))
    for name in (TEST, TRAIN):
        content = (root / name).read_bytes()
        (root / name).write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    after = prepared(data(root))
    assert before.manifest.equals(after.manifest) and before.captions.equals(after.captions)


def without_sentences(root):
    whole = json.loads((root / DATA).read_text())
    whole["sentences"] = [one for one in whole["sentences"] if one["video_id"] != "video2"]
    (root / DATA).write_text(json.dumps(whole))


BAD_ROWS = {
    "a sentence of no clip": (
        edit("sentences", 0, video_id="video99"),
        r"captions, row \d+, '0': .*_data\.json, sentences, entry 1: clip 'video99' is none of the "
        r"`videos`; take the sentence out$",
        ("captions", "0"),
    ),
    "a listed clip that is none": (
        replaced(TRAIN, "video3\n", "video99\n"),
        r"items, row 4, 'video99': .*9k\.csv, line 5: clip 'video99' is none of the annotation's; ",
        ("items", "video99"),
    ),
    "no words": (
        edit("sentences", 7, caption="  "),
        r"captions, row 8, '7': .*, sentences, entry 8: sentence '7' is empty; write it or take it",
        ("captions", "7"),
    ),
    "no words of test": (
        replaced(TEST, "a blue cross at the left of a grey ground", ""),
        r"items, row 21, 'video20': has no captions; .* \(and 1 other problems\)$",
        ("captions", "ret0"),
    ),
    "a clip without sentences": (
        without_sentences,
        r"items, row 3, 'video2': has no captions; add one or take out the item",
        ("items", "video2"),
    ),
}


@pytest.mark.parametrize(("spoil", "message", "listed"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_stops_or_is_listed_and_left_out(root, spoil, message, listed):
    spoil(root)
    with pytest.raises(DataError, match=message):
        prepared(data(root))
    tables = prepared(data(root, on_bad_item="skip"))
    assert listed in set(zip(tables.problems["table"], tables.problems["id"], strict=True))
    assert listed[1] not in set(tables.manifest["item_id"]) | set(tables.captions["caption_id"])
