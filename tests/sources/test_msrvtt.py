"""MSR-VTT: splits, groups, ids and sentences from files in upstream's formats."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data import build_manifest, check_table, load_schema
from polymatch.errors import ConfigError
from polymatch.settings.stages import DataSettings
from polymatch.sources import msrvtt, read_source

from .raw_examples import write_msrvtt


def data(root, **changes):
    """Settings of a miniature, whose lists are its own unless ``lists`` says otherwise."""
    raw = {"name": "few", "source": "msrvtt", "root": str(root)}
    raw |= {key: changes.pop(key) for key in ("val_share", "on_bad_item") if key in changes}
    return DataSettings.model_validate(raw | {"msrvtt": {"lists": "own"} | changes})


def prepared(settings):
    return build_manifest(
        *read_source(settings), settings.root, settings.on_bad_item, pictures=False
    )


def asked(tables):
    """Split -> how many sentences its clips have, by how many clips."""
    split_of = tables.manifest.set_index("item_id")["split"]
    found: dict[str, Counter] = {}
    for clip, count in Counter(tables.captions["item_id"]).items():
        found.setdefault(split_of[clip], Counter())[count] += 1
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("msrvtt")
    write_msrvtt(root, videos=False)
    return root


def test_1k_a_asks_for_the_sentence_of_its_list(root):
    tables = prepared(data(root))
    check_table(tables.manifest, load_schema("manifest"), "manifest")
    check_table(tables.captions, load_schema("captions"), "captions")
    assert not len(tables.problems)
    assert asked(tables) == {"train": {20: 18}, "val": {1: 2}, "test": {1: 4}}
    rows = pd.read_csv(root / "msrvtt_data/MSRVTT_JSFUSION_test.csv")
    said = tables.captions.set_index("caption_id")
    for row in rows.itertuples():
        assert said.loc[row.key, ["item_id", "text"]].tolist() == [row.video_id, row.sentence]
    of_train = said[~said.index.isin(rows["key"])]
    for one in json.loads((root / "msrvtt_data/MSRVTT_data.json").read_text())["sentences"]:
        if str(one["sen_id"]) in of_train.index:
            row = of_train.loc[str(one["sen_id"])]
            assert (row["item_id"], row["text"]) == (one["video_id"], one["caption"])
    assert set(tables.captions["kind"]) == {"sentence"}
    first = tables.manifest.iloc[0]
    assert (first["path"], first["n_frames"]) == ("videos/all/video0.mp4", 16)


def test_the_other_list_of_train_is_the_official_train_and_val(root):
    tables = prepared(data(root, train="7k", val_share=0.25))
    names = [f"video{number}" for number in (*range(16), *range(20, 24))]
    assert tables.manifest["item_id"].tolist() == names
    assert asked(tables) == {"train": {20: 12}, "val": {1: 4}, "test": {1: 4}}


def test_the_official_split_is_that_of_the_annotation(root):
    tables = prepared(data(root, split="official"))
    assert asked(tables) == {"train": {20: 12}, "val": {20: 4}, "test": {20: 8}}
    one = prepared(data(root, split="official", test_sentences="one", train_sentences="one"))
    assert asked(one) == {"train": {1: 12}, "val": {1: 4}, "test": {1: 8}}
    assert one.captions["caption_id"].tolist() == [str(20 * number) for number in range(24)]
    assert (tables.manifest["group_id"].str.contains("watch?v=", regex=False)).all()


def test_the_two_files_of_the_release_are_the_one_file(root, tmp_path):
    write_msrvtt(tmp_path, videos=False)
    (tmp_path / "msrvtt_data/MSRVTT_data.json").unlink()
    for changes in ({}, {"split": "official"}):
        for one, two in zip(
            read_source(data(root, **changes)), read_source(data(tmp_path, **changes)), strict=True
        ):
            pd.testing.assert_frame_equal(one, two)
    names = [path.name for path in msrvtt.input_files(data(tmp_path))]
    assert names == [
        "train_val_videodatainfo.json",
        "test_videodatainfo.json",
        "MSRVTT_JSFUSION_test.csv",
        "MSRVTT_train.9k.csv",
    ]


def test_without_urls_every_clip_is_a_group(tmp_path):
    write_msrvtt(tmp_path, videos=False)
    path = tmp_path / "msrvtt_data/MSRVTT_data.json"
    whole = json.loads(path.read_text())
    for video in whole["videos"]:
        del video["url"]
    path.write_text(json.dumps(whole))
    manifest = prepared(data(tmp_path)).manifest
    assert (manifest["group_id"] == manifest["item_id"]).all()


PROTOCOLS = {
    "1K-A (9k), one sentence a clip": {},
    "1K-A (7k), one sentence a clip": {"train": "7k", "test_sentences": "one"},
    "1K-A (9k), one sentence a clip, trained on one": {"train_sentences": "one"},
    "1K-A (9k), own lists, one sentence a clip": {"lists": "own"},
    "official, all sentences": {"split": "official"},
    "official, one sentence a clip": {"split": "official", "test_sentences": "one"},
    "official, own lists, all sentences": {"split": "official", "lists": "own"},
}


@pytest.mark.parametrize(("name", "changes"), PROTOCOLS.items(), ids=PROTOCOLS)
def test_every_protocol_has_its_name(root, name, changes):
    assert msrvtt.protocol(data(root, **{"lists": "pinned"} | changes)) == name


def test_a_val_that_leaves_no_train_or_no_val_is_refused(tmp_path):
    write_msrvtt(tmp_path, (2, 0, 2), 2, videos=False)
    with pytest.raises(
        ConfigError, match=r"^data\.val_share: 0\.1 of the 1 videos of .*9k\.csv tha"
    ):
        read_source(data(tmp_path))
    write_msrvtt(tmp_path, (2, 0, 2), 2, videos=False, clips_a_source=4)
    with pytest.raises(ConfigError, match=r"that test has no clip of leaves no val; change it or"):
        read_source(data(tmp_path))


@given(
    st.tuples(st.integers(3, 9), st.integers(1, 3), st.integers(2, 8)),
    st.integers(1, 8),
    st.integers(1, 4),
    st.sampled_from(["9k", "7k"]),
    st.floats(0.05, 0.6),
)
@settings(max_examples=40, deadline=None)
def test_no_clip_or_video_is_in_two_splits_but_where_the_lists_part_it(
    tmp_path_factory, clips, test, clips_a_source, train, share
):
    root = tmp_path_factory.mktemp("sizes")
    write_msrvtt(root, clips, min(test, clips[2]), 2, clips_a_source, videos=False)
    listed = pd.read_csv(root / f"msrvtt_data/MSRVTT_train.{train}.csv")["video_id"].tolist()
    tested = pd.read_csv(root / "msrvtt_data/MSRVTT_JSFUSION_test.csv")["video_id"].tolist()
    whole = json.loads((root / "msrvtt_data/MSRVTT_data.json").read_text())["videos"]
    url = {video["video_id"]: video["url"] for video in whole}
    free = {url[clip] for clip in listed} - {url[clip] for clip in tested}
    low = sorted(free, key=lambda one: hashlib.sha256(one.encode()).digest())
    val = set(low[: max(1, round(share * len(free)))])
    settings = data(root, train=train, val_share=share)
    if not free or all(url[clip] in val for clip in listed):
        with pytest.raises(ConfigError, match=r"^data\.val_share: "):
            read_source(settings)
        return
    tables = prepared(settings)  # refuses a group in two splits
    split_of = tables.manifest.set_index("item_id")["split"].to_dict()
    assert split_of == {
        **{clip: "val" if url[clip] in val else "train" for clip in listed},
        **dict.fromkeys(tested, "test"),
    }
    assert not len(tables.problems)
    of_val = {url[clip] for clip, split in split_of.items() if split == "val"}
    others = {url[clip] for clip, split in split_of.items() if split != "val"}
    assert of_val and not of_val & others
    group_of = tables.manifest.set_index("item_id")["group_id"]
    for one in listed:
        for other in listed:
            together = url[one] == url[other]
            assert (group_of[one] == group_of[other]) == together
