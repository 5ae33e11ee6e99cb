"""A few videos of a BigFile data set: the source reads them as it reads the whole."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from polymatch.errors import DataError
from polymatch.sources.bigfile_tiny import write_tiny

from .bigfile_examples import FEATURES, data, frame_names, imported, numbers_of, prepared, write


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_first_videos_of_each_split_keep_all_that_is_theirs(tmp_path, shuffled):
    whole = data(write(tmp_path / "large", shuffled=shuffled))
    counts = write_tiny(whole, tmp_path / "out/tiny", 2)
    assert counts == {"train": 2, "val": 2, "test": 2}
    tiny = data(tmp_path / "out/tiny")
    tables, store, _ = imported(tiny, tmp_path / "stores")
    assert store.ids == ["video0", "video1", "video3", "video4", "video5", "video6"]
    captions = prepared(whole).captions
    kept = captions[captions["item_id"].isin(store.ids)].reset_index(drop=True)
    assert tables.captions.equals(kept)
    rows, lengths = store.gather_ragged(["video4", "video0"])
    expected = numbers_of([*frame_names("video4", 5), *frame_names("video0", 3)])
    assert np.array_equal(rows, expected.astype(np.float32)) and lengths.tolist() == [5, 3]
    assert (tmp_path / "out/tiny" / FEATURES / "shape.txt").read_text() == "15 5\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tiny"]


def test_what_differs_in_the_configuration_lies_beside_it(tmp_path):
    write_tiny(data(write(tmp_path / "large")), tmp_path / "tiny", 1)
    differing = yaml.safe_load((tmp_path / "tiny/tiny.yaml").read_text())
    assert differing["data"] == {"name": "few_tiny", "root": str(tmp_path / "tiny")}
    assert differing["words"] == {"min_count": 1}


def test_videos_with_something_wrong_are_passed_over(tmp_path):
    root = write(tmp_path / "large")
    mapping = root / FEATURES / "video2frames.txt"
    mapping.write_text(mapping.read_text().replace("'video0_1'", "'nowhere'"))
    captions = root / "TextData/msrvtt10ktrain.caption.txt"
    captions.write_text(captions.read_text().replace(" a man sings about video1, 1", ""))
    counts = write_tiny(data(root), tmp_path / "tiny", 5)
    assert counts == {"train": 1, "val": 2, "test": 2}
    assert prepared(data(tmp_path / "tiny")).manifest["item_id"].tolist()[0] == "video2"


def test_frames_of_two_videos_are_there_once(tmp_path):
    root = write(tmp_path / "large")
    mapping = root / FEATURES / "video2frames.txt"
    mapping.write_text(mapping.read_text().replace("'video1_0'", "'video0_2', 'video0_2'"))
    write_tiny(data(root), tmp_path / "tiny", 2)
    _, store, _ = imported(data(tmp_path / "tiny"), tmp_path / "stores")
    rows, lengths = store.gather_ragged(["video0", "video1"])
    assert lengths.tolist() == [3, 2] and (rows[3:] == rows[2]).all()


def test_a_folder_that_is_there_and_a_split_without_frames_are_refused(tmp_path):
    root = write(tmp_path / "large")
    with pytest.raises(DataError) as caught:
        write_tiny(data(root), root, 1)
    assert str(caught.value) == f"{root}: is there already; delete it or take another name"
    mapping = root / FEATURES / "video2frames.txt"
    mapping.write_text(mapping.read_text().replace("'video5'", "'a'").replace("'video6'", "'b'"))
    with pytest.raises(DataError) as caught:
        write_tiny(data(root), tmp_path / "out/tiny", 1)
    assert str(caught.value) == (
        f"{root}/TextData/msrvtt10ktest.caption.txt: no video in it has frames and words in all "
        "of its captions; look at data.bigfile"
    )
    assert not (tmp_path / "out").exists()
