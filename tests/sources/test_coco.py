"""COCO and Flickr30K: splits, ids and captions from files in upstream's formats."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data import build_manifest, check_table, load_schema
from polymatch.data.annotations import annotation_files
from polymatch.data.categories import category_codes, category_table
from polymatch.settings.judged import JudgedSettings
from polymatch.settings.stages import DataSettings
from polymatch.sources import coco, flickr30k, read_source

from .raw_examples import write_coco, write_flickr30k


def data(root, source="coco", **changes):
    raw = {"name": "few", "source": source, "root": str(root)}
    return DataSettings.model_validate(raw | changes)


def prepared(settings):
    return build_manifest(*read_source(settings), settings.root, settings.on_bad_item)


def asked(tables):
    """Split -> how many captions its items have, by how many items."""
    split_of = tables.manifest.set_index("item_id")["split"]
    of_items = Counter(tables.captions["item_id"])
    found: dict[str, Counter] = {}
    for item_id, count in of_items.items():
        found.setdefault(split_of[item_id], Counter())[count] += 1
    return found


def splits(tables):
    return tables.manifest["split"].value_counts().to_dict()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("coco")
    write_coco(root)
    return root


def test_karpathys_split_has_restval_in_train_and_five_captions_on_test(root):
    tables = prepared(data(root))
    check_table(tables.manifest, load_schema("manifest"), "manifest")
    check_table(tables.captions, load_schema("captions"), "captions")
    assert splits(tables) == {"train": 14, "val": 4, "test": 6} and not len(tables.problems)
    assert asked(tables)["test"] == {5: 6} and asked(tables)["val"] == {5: 4}
    assert asked(tables)["train"] == {5: 9, 6: 3, 7: 2}
    whole = json.loads((root / "caption_datasets/dataset_coco.json").read_text())["images"]
    texts = tables.captions.set_index("caption_id")["text"]
    for image in whole:
        row = tables.manifest[tables.manifest["item_id"] == str(image["cocoid"])].iloc[0]
        assert row["path"] == f"{image['filepath']}/{image['filename']}"
        assert row["n_frames"] == 1 and row["group_id"] == row["item_id"]
        for sentence in image["sentences"][:5]:
            assert texts[str(sentence["sentid"])] == sentence["raw"]
    assert coco.protocol(data(root)) == "Karpathy, first five captions"


def test_other_protocols_have_other_names(root):
    everything = data(root, coco={"test_sentences": "all"})
    assert asked(prepared(everything))["test"][7] == 1
    assert coco.protocol(everything) == "Karpathy, all captions"
    less = data(root, coco={"restval": False})
    assert splits(prepared(less)) == {"train": 10, "val": 4, "test": 6}
    assert coco.protocol(less) == "Karpathy without restval, first five captions"
    assert coco.protocol(data(root, coco={"split": "2017"})) == "2017, first five captions"
    assert flickr30k.protocol(data(root, "flickr30k")) == "Karpathy, all captions"


def test_of_2017_val_is_test_and_val_is_cut_from_train(root):
    settings = data(root, coco={"split": "2017"}, val_share=0.25)
    tables = prepared(settings)
    ids = [str(1000 + 37 * number) for number in range(24)]
    low = sorted(ids[:18], key=lambda one: hashlib.sha256(one.encode()).digest())[:4]
    split_of = tables.manifest.set_index("item_id")["split"].to_dict()
    assert split_of == {
        one: "test" if one in ids[18:] else "val" if one in low else "train" for one in ids
    }
    assert set(asked(tables)["test"]) == set(asked(tables)["val"]) == {5}
    whole = prepared(data(root, coco={"split": "2017", "test_sentences": "all"}))
    karpathy = prepared(data(root, coco={"test_sentences": "all"}))
    same = [t.captions.sort_values("caption_id")["text"].tolist() for t in (whole, karpathy)]
    assert same[0] == same[1]


def test_cocos_instances_name_the_same_pictures(root):
    manifest = prepared(data(root)).manifest
    path = str(root / "annotations_trainval2014/instances_val2014.json")
    assert annotation_files(JudgedSettings(pmrp=path))["pmrp"] == [path]
    table = category_table(path, manifest)
    test = manifest[manifest["split"] == "test"]["item_id"].tolist()
    assert category_codes(table, test).sum(axis=1).tolist() == [2] * 6
    ids = [path.name for path in coco.input_files(data(root))]
    assert ids == ["dataset_coco.json"]
    ids = [path.name for path in coco.input_files(data(root, coco={"split": "2017"}))]
    assert ids == ["captions_train2017.json", "captions_val2017.json"]


def test_flickr30k_is_karpathys_split_of_five_sentences_each(tmp_path):
    write_flickr30k(tmp_path)
    tables = prepared(data(tmp_path, "flickr30k"))
    assert splits(tables) == {"train": 10, "val": 4, "test": 6}
    assert asked(tables) == {"train": {5: 10}, "val": {5: 4}, "test": {5: 6}}
    first = tables.manifest.iloc[0]
    assert first["item_id"] == "1000092795"
    assert first["path"] == "flickr30k-images/1000092795.jpg"
    assert tables.captions["caption_id"].tolist() == [str(number) for number in range(100)]
    assert flickr30k.input_files(data(tmp_path)) == [
        tmp_path / "caption_datasets/dataset_flickr30k.json"
    ]


sizes = st.integers(1, 6)


@given(sizes, sizes, sizes, sizes, st.lists(st.integers(1, 8), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None)
def test_every_picture_is_in_one_split_whatever_the_sizes(
    tmp_path_factory, train, restval, val, test, captions
):
    root = tmp_path_factory.mktemp("sizes")
    write_coco(root, train, restval, val, test, captions, pictures=False)
    for split, expected in (
        ("karpathy", {"train": train + restval, "val": val, "test": test}),
        ("2017", None),
    ):
        items, said = read_source(data(root, coco={"split": split, "test_sentences": "all"}))
        assert items["item_id"].is_unique and said["caption_id"].is_unique
        found = items["split"].value_counts().to_dict()
        assert found["test"] == test and found["val"] >= 1
        assert expected is None or found == expected
        everything = sum(captions[n % len(captions)] for n in range(train + restval + val + test))
        assert len(said) == everything
