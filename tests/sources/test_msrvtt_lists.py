"""MSR-VTT's lists: which are the published ones, and what is said of those that are not."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from polymatch.errors import DataError
from polymatch.settings.msrvtt import MsrvttSettings
from polymatch.sources import read_source
from polymatch.sources.msrvtt_lists import PINS, refuse_other_clips, sha256_of

from .raw_examples import write_json, write_lines, write_msrvtt
from .test_msrvtt import data

TEST = "msrvtt_data/MSRVTT_JSFUSION_test.csv"
TRAIN = "msrvtt_data/MSRVTT_train.9k.csv"
HEADER = "key,vid_key,video_id,sentence"


def numbered(*parts):
    return [f"video{number}" for part in parts for number in part]


def test_the_official_splits_are_the_ranges_of_the_release():
    """The readme.txt of MSR-VTT's release says which ids are whose; 7k is train and val."""
    for name, numbers in {
        "official train": range(6513),
        "official val": range(6513, 7010),
        "official test": range(7010, 10000),
        "7k": range(7010),
    }.items():
        assert PINS[name].clips == len(numbers)
        assert PINS[name].sha256 == sha256_of(numbered(numbers))
    assert sha256_of(["b", "a"]) == sha256_of(iter(["a", "b"]))


def test_a_pinned_list_passes_and_another_is_told(tmp_path):
    path = tmp_path / "list.csv"
    refuse_other_clips(dict.fromkeys(numbered(range(7010)), "line"), path, PINS["7k"])
    swapped = numbered(range(7009), range(7010, 7011))
    with pytest.raises(
        DataError, match=r"list\.csv: 7,010 clips, but not those of 1K-A's train \(7"
    ):
        refuse_other_clips(dict.fromkeys(swapped, "line"), path, PINS["7k"])


def listed(clips):
    """Lines of a list of 1K-A's test."""
    return [HEADER, *(f"ret{n},msr{n},{clip},a dog" for n, clip in enumerate(clips))]


@pytest.fixture
def root(tmp_path):
    """The annotation of all 10,000 clips, a sentence each, and lists of a miniature."""
    write_msrvtt(tmp_path, videos=False)
    whole = {
        "videos": [{"video_id": clip, "split": "train"} for clip in numbered(range(10000))],
        "sentences": [
            {"video_id": clip, "sen_id": number, "caption": "a dog"}
            for number, clip in enumerate(numbered(range(10000)))
        ],
    }
    write_json(tmp_path / "msrvtt_data/MSRVTT_data.json", whole)
    return tmp_path


REMEDY = r"take the file from msrvtt_data\.zip, or set `data\.msrvtt\.lists` to 'own'$"
WRONG_TESTS = {
    "too few": (
        listed(numbered(range(7010, 8009))),
        rf"JSFUSION_test\.csv: 999 clips, but 1K-A's test has 1,000; {REMEDY}",
    ),
    "the official test": (
        listed(numbered(range(7010, 10000))),
        rf"JSFUSION_test\.csv: is the list of the official test, not of 1K-A's test; {REMEDY}",
    ),
    "1,000 others": (
        listed(numbered(range(7010, 8010))),
        r"JSFUSION_test\.csv: 1,000 clips, but not those of 1K-A's test, whose sorted ids have "
        rf"SHA-256 49a09fb68f7e\.\.\., not [0-9a-f]{{12}}\.\.\.; {REMEDY}",
    ),
    "ids that are none": (
        listed(["video7010", "video10000"]),
        r"JSFUSION_test\.csv, line 3: 'video10000' is no clip of MSR-VTT, which has video0 to "
        rf"video9999; {REMEDY}",
    ),
    "all 20 captions": (
        listed([clip for clip in numbered(range(7010, 8010)) for _ in range(20)]),
        r"JSFUSION_test\.csv, line 3: 'video7010' has a sentence already \(.*, line 2\); 1K-A asks "
        r"for one a clip, and more give figures that compare with nothing: take the file from "
        r"msrvtt_data\.zip, or set `data\.msrvtt\.split` to 'official'$",
    ),
}


@pytest.mark.parametrize(("lines", "message"), WRONG_TESTS.values(), ids=WRONG_TESTS)
def test_a_wrong_list_of_test_is_refused(root, lines, message):
    write_lines(root / TEST, lines)
    with pytest.raises(DataError, match=message) as caught:
        read_source(data(root, lists="pinned"))
    assert "\n" not in str(caught.value)


def test_all_20_captions_are_refused_of_own_lists_and_as_a_setting_too(root):
    write_lines(root / TEST, listed(["video20", "video21", "video20"]))
    with pytest.raises(DataError, match=r"line 4: 'video20' has a sentence already \(.*, line 2\)"):
        read_source(data(root))
    with pytest.raises(ValidationError, match=r"test_sentences: 1K-A asks for one sentence a clip"):
        MsrvttSettings(test_sentences="all")


def test_a_clip_of_test_in_the_list_of_train_is_refused(root):
    write_lines(root / TEST, listed(numbered(range(20, 24))))
    write_lines(root / TRAIN, ["video_id", *numbered(range(18), (22, 23))])
    message = (
        r"MSRVTT_train\.9k\.csv, line 20: 'video22' is in the list of test too \(.*_test\.csv, "
        r"line 4\), as 2 of 20 are; what is tested must not be trained on, so take the lists"
    )
    with pytest.raises(DataError, match=message):
        read_source(data(root))


WRONG_TRAINS = {
    "9k": (range(7010), r"is the list of 1K-A's train \(7k\), not of 1K-A's train \(9k\); take"),
    "7k": (range(9000), r"9,000 clips, but 1K-A's train \(7k\) has 7,010; take the file from msrv"),
}


@pytest.mark.parametrize("train", WRONG_TRAINS)
def test_a_wrong_list_of_train_is_refused(tmp_path, train):
    numbers, message = WRONG_TRAINS[train]
    places = dict.fromkeys(numbered(numbers), "line")
    with pytest.raises(DataError, match=rf"^{tmp_path}: {message}"):
        refuse_other_clips(places, tmp_path, PINS[train])


def test_an_annotation_with_other_splits_is_not_the_official_one(root):
    path = root / "msrvtt_data/MSRVTT_data.json"
    with pytest.raises(
        DataError, match=r"_data\.json: 10,000 clips, but the official train has 6,5"
    ):
        read_source(data(root, lists="pinned", split="official"))
    whole = json.loads(path.read_text())
    for number, video in enumerate(whole["videos"]):
        video["split"] = "train" if number < 6513 else "validate" if number < 7010 else "test"
    write_json(path, whole)
    items, _ = read_source(data(root, lists="pinned", split="official"))
    assert items["split"].value_counts().to_dict() == {"train": 6513, "test": 2990, "val": 497}
