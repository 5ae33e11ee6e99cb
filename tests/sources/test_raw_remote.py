"""What the raw data sets' files are said to be: only what is read, at the places that are read."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from polymatch.settings.stages import DataSettings
from polymatch.sources import load, read_source

from .raw_examples import write_coco, write_flickr30k, write_msrvtt

LABELS = "annotations_trainval2014.zip"
SETS = {
    "msrvtt": ("msrvtt", write_msrvtt, {"msrvtt": {"lists": "own"}}),
    "msrvtt official": ("msrvtt", write_msrvtt, {"msrvtt": {"lists": "own", "split": "official"}}),
    "coco": ("coco", write_coco, {}),
    "coco 2017": ("coco", write_coco, {"coco": {"split": "2017"}}),
    "flickr30k": ("flickr30k", write_flickr30k, {}),
}


@pytest.mark.parametrize(("name", "write", "changes"), SETS.values(), ids=SETS)
def test_all_that_is_read_is_in_a_folder_that_an_archive_becomes(tmp_path, name, write, changes):
    write(tmp_path)
    settings = DataSettings.model_validate({"source": name, "root": str(tmp_path)} | changes)
    source = load(name)
    folders = {PurePath(file.place).parts[0] for file in source.remote_files(settings)}
    items, _ = read_source(settings)
    assert all((tmp_path / path).is_file() for path in items["path"])
    assert {PurePath(path).parts[0] for path in items["path"]} <= folders
    read = {path.relative_to(tmp_path).parts[0] for path in source.input_files(settings)}
    assert read <= folders


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        (
            {},
            ["caption_datasets/dataset_coco.json", "train2014.zip", "val2014.zip", LABELS],
        ),
        (
            {"coco": {"split": "2017"}},
            ["train2017.zip", "val2017.zip", "annotations_trainval2017.zip"],
        ),
    ],
)
def test_only_the_configured_split_of_coco_is_asked_for(changes, names):
    settings = DataSettings.model_validate({"source": "coco"} | changes)
    files = load("coco").remote_files(settings)
    assert [file.name for file in files] == names
    # the sizes that the authors of TensorFlow Datasets measured
    assert sum(file.bytes or 0 for file in files) == (
        408_860_810 + 20_408_459_804 if LABELS in names else 20_405_354_669
    )


@pytest.mark.parametrize("name", ["msrvtt", "coco", "flickr30k"])
def test_every_file_says_what_it_is_and_where_it_is_from_or_how_to_get_it(name):
    for file in load(name).remote_files(DataSettings(source=name)):
        assert file.about and file.licence
        assert file.urls or "https://" in file.about
