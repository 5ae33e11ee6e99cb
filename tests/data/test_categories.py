"""Categories of items: from subgroups, from COCO's instances, and files that are neither."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from polymatch.data.categories import category_codes, category_table
from polymatch.data.tables import check_table, load_schema
from polymatch.errors import ConfigError, DataError

MANIFEST = pd.DataFrame(
    {
        "item_id": ["1", "2", "3", "4", "5"],
        "subgroup": ["animal-bug", "animal-bird", "lock", "animal", "animal-bug"],
    }
)


def distances(codes):
    return np.abs(codes[:, None].astype(int) - codes).sum(axis=2).tolist()


def test_subgroups_match_at_0_and_their_coarser_kind_at_2():
    table = category_table("groups", MANIFEST)
    check_table(table, load_schema("categories"), "categories")
    codes = category_codes(table, ["1", "2", "3", "4", "5"])
    assert codes.sum(axis=1).tolist() == [2] * 5
    assert distances(codes)[0] == [0, 2, 4, 2, 0]
    assert distances(codes)[2] == [4, 4, 0, 4, 4]


def instances(tmp_path, annotations):
    path = tmp_path / "instances.json"
    path.write_text(json.dumps({"info": {"year": 2014}, "annotations": annotations}))
    return str(path)


def test_instances_give_each_image_the_categories_it_shows(tmp_path):
    outline = {"segmentation": [[0.5, 1.5]], "bbox": [1, 2, 3, 4], "iscrowd": 0}
    pairs = [(1, 18), (1, 18), (1, 90), (3, 18), (77, 5)]
    annotations = [outline | {"image_id": i, "category_id": c, "id": 0} for i, c in pairs]
    table = category_table(instances(tmp_path, annotations), MANIFEST)
    assert table.to_numpy().tolist() == [["1", "18"], ["1", "90"], ["3", "18"]]
    assert category_codes(table, ["3", "2", "1"]).tolist() == [[1, 0], [0, 0], [1, 1]]


def test_a_data_set_without_subgroups_is_told_what_to_do():
    message = (
        "'groups' needs the column `subgroup` of the manifest, which this data set lacks; name"
    )
    with pytest.raises(ConfigError, match=message):
        category_table("groups", MANIFEST[["item_id"]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"instances\.json: not JSON \(Expecting property name"),
        ("[1]", r"instances\.json: has no list `annotations`, as COCO's instances files have"),
        ('{"annotations": 1}', r"has no list `annotations`"),
        ('{"annotations": [{"image_id": 1}]}', r"annotation 0 lacks `image_id` or `category_id`"),
        (
            '{"annotations": [{"image_id": 9, "category_id": 2}]}',
            r"none of its 1 images \(the first is '9'\) is an item .*, whose ids look like '1'",
        ),
        ('{"annotations": []}', r"none of its 0 images \(the first is None\) is an item"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "instances.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        category_table(str(path), MANIFEST)


def test_a_missing_file_is_named():
    with pytest.raises(DataError, match=r"^gone\.json: no such file; `evaluation\.pmrp` names it$"):
        category_table("gone.json", MANIFEST)
