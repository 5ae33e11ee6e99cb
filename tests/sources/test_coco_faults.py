"""COCO and Flickr30K: every fault of a file or a row, with the message that people see."""

from __future__ import annotations

import json
import os

import pytest

from polymatch.errors import DataError
from polymatch.sources import read_source

from .raw_examples import write_coco, write_flickr30k
from .test_coco import data, prepared

KARPATHY = "caption_datasets/dataset_coco.json"
TRAIN, VAL = (f"annotations_trainval2017/captions_{name}.json" for name in ("train2017", "val2017"))
INSTANCES = "annotations_trainval2014/instances_val2014.json"
OF_2017 = {"coco": {"split": "2017"}}


@pytest.fixture
def root(tmp_path):
    write_coco(tmp_path)
    return tmp_path


def edit(name, key, entry, **changes):
    """Change keys of an entry (from 0) of a list; None takes a key away."""

    def spoil(root):
        whole = json.loads((root / name).read_text())
        changed = whole[key][entry] | changes
        whole[key][entry] = {k: v for k, v in changed.items() if v is not None}
        (root / name).write_text(json.dumps(whole))

    return spoil


def said(entry, sentence, **changes):
    def spoil(root):
        whole = json.loads((root / KARPATHY).read_text())
        whole["images"][entry]["sentences"][sentence] |= changes
        (root / KARPATHY).write_text(json.dumps(whole))

    return spoil


KARPATHY_FAULTS = {
    "no file": (
        lambda root: (root / KARPATHY).unlink(),
        r"/caption_datasets/dataset_coco\.json: no such file \(nor dataset_coco\.json there\); it "
        r"is part of caption_datasets\.zip: set `download: true`, or put it there$",
    ),
    "truncated": (
        lambda root: os.truncate(root / KARPATHY, 900),
        r"dataset_coco\.json: not whole JSON in UTF-8 \(parse error: premature EOF\); copy it or",
    ),
    "an unknown split": (
        edit(KARPATHY, "images", 2, split="dev"),
        r"dataset_coco\.json, images, entry 3: split 'dev' is unknown \(known: train, restval, val",
    ),
    "no split": (edit(KARPATHY, "images", 2, split=None), r"images, entry 3: has no `split`; take"),
    "no cocoid": (edit(KARPATHY, "images", 0, cocoid=None), r"entry 1: has no `cocoid`; take the"),
    "no sentences": (edit(KARPATHY, "images", 4, sentences=None), r"entry 5: has no `sentences`;"),
    "a name that is none": (
        edit(KARPATHY, "images", 1, filename=17),
        r"images, entry 2: `filename` is 17, not a text; take the file",
    ),
    "sentences that are none": (
        edit(KARPATHY, "images", 1, sentences=["a dog"]),
        r"images, entry 2: `sentences` is no list of objects; take the file",
    ),
    "a text that is none": (said(3, 1, raw=["a"]), r"images, entry 4: `raw` is \['a'\], not a te"),
    "a picture twice": (
        edit(KARPATHY, "images", 23, cocoid=1000),
        r"images, entry 24: picture '1000' is there already \(.*, images, entry 1\); each has one",
    ),
    "a sentence twice": (
        said(5, 0, sentid=2),
        r"images, entry 6: sentid '2' is there already \(.*, images, entry 1\); each has one of",
    ),
    "a file elsewhere": (
        edit(KARPATHY, "images", 0, filepath="../.."),
        r"images, entry 1: its file would be '\.\./\.\./COCO_.*', outside of `data\.root`; correct",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), KARPATHY_FAULTS.values(), ids=KARPATHY_FAULTS)
@pytest.mark.parametrize("on_bad_item", ["stop", "skip"])
def test_a_fault_of_karpathys_file_always_stops_with_one_line(root, spoil, message, on_bad_item):
    spoil(root)
    with pytest.raises(DataError, match=message) as caught:
        read_source(data(root, on_bad_item=on_bad_item))
    assert "\n" not in str(caught.value)


FAULTS_OF_2017 = {
    "no file": (
        lambda root: (root / VAL).unlink(),
        r"captions_val2017\.json: no such file \(nor annotations/captions_val2017\.json there\); "
        r"it is part of annotations_trainval2017\.zip",
    ),
    "instances": (
        lambda root: (root / INSTANCES).replace(root / TRAIN),
        r"captions_train2017\.json, annotations, entry 1: has no `caption`; take the file as its",
    ),
    "no name": (edit(TRAIN, "images", 0, file_name=None), r"images, entry 1: has no `file_name`;"),
    "an id that is none": (
        edit(TRAIN, "annotations", 6, image_id=1.5),
        r"annotations, entry 7: `image_id` is 1\.5, not an id; take the file as its authors ship",
    ),
    "a picture in both": (
        edit(VAL, "images", 1, id=1000),
        r"captions_val2017\.json, images, entry 2: picture '1000' is there already \(.*captions",
    ),
    "a caption twice": (
        edit(TRAIN, "annotations", 6, id=1),
        r"annotations, entry 7: caption '1' is there already \(.*, annotations, entry 1\); each",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), FAULTS_OF_2017.values(), ids=FAULTS_OF_2017)
def test_a_fault_of_a_file_of_2017_stops_with_one_line(root, spoil, message):
    spoil(root)
    with pytest.raises(DataError, match=message) as caught:
        read_source(data(root, **OF_2017))
    assert "\n" not in str(caught.value)


BAD_ROWS = {
    "no picture": (
        {},
        lambda root: (root / "train2014/COCO_train2014_000000001037.jpg").unlink(),
        r"items, row 2, '1037': .*1037\.jpg: no such picture; put the file there or take out its r",
        ("items", "1037"),
    ),
    "a broken picture": (
        {},
        lambda root: (root / "val2014/COCO_val2014_000000001851.jpg").write_bytes(b"no"),
        r"items, row 24, '1851': .*1851\.jpg: not a readable picture",
        ("items", "1851"),
    ),
    "no words": (
        {},
        said(0, 1, raw=" "),
        r"captions, row 2, '2': .*dataset_coco\.json, images, entry 1: sentence '2' is empty; w",
        ("captions", "2"),
    ),
    "a picture without sentences": (
        {},
        edit(KARPATHY, "images", 0, sentences=[]),
        r"items, row 1, '1000': has no captions; add one or take out the item",
        ("items", "1000"),
    ),
    "a caption of no picture": (
        OF_2017,
        edit(TRAIN, "annotations", 0, image_id=77),
        r"captions, row 1, '1': .*captions_train2017\.json, annotations, entry 1: picture '77' is "
        r"none of its `images`; take it out",
        ("captions", "1"),
    ),
}


@pytest.mark.parametrize(("changes", "spoil", "message", "listed"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_stops_or_is_listed_and_left_out(root, changes, spoil, message, listed):
    spoil(root)
    with pytest.raises(DataError, match=message):
        prepared(data(root, **changes))
    tables = prepared(data(root, on_bad_item="skip", **changes))
    assert listed in set(zip(tables.problems["table"], tables.problems["id"], strict=True))
    assert listed[1] not in set(tables.manifest["item_id"]) | set(tables.captions["caption_id"])


def test_flickr30ks_file_is_not_cocos(tmp_path):
    write_flickr30k(tmp_path)
    (tmp_path / "caption_datasets/dataset_flickr30k.json").replace(tmp_path / KARPATHY)
    with pytest.raises(DataError, match=r"images, entry 1: has no `filepath`; take the file as it"):
        read_source(data(tmp_path))
