"""BigFile data sets: every fault of files, videos and captions, with the message people see."""

from __future__ import annotations

import numpy as np
import pytest

from polymatch.data import check_table, load_schema
from polymatch.errors import ConfigError, DataError
from polymatch.settings.config import load_config
from polymatch.sources import bigfile, read_source

from .bigfile_examples import FEATURES, VIDEOS, WIDTH, data, imported, prepared, write

FOLDER = f"ROOT/{FEATURES}"
TRAIN, TEST = (f"ROOT/TextData/msrvtt10k{split}.caption.txt" for split in ("train", "test"))
LAYOUT = (
    "Dual Encoding's layout is FeatureData/NAME with video2frames.txt beside feature.bin, and "
    "TextData/NAME.caption.txt"
)


def replaced(name, old, new):
    """Replace a piece of a text file, which must be there."""

    def spoil(root):
        path = root / name
        content = path.read_text(encoding="utf-8")
        assert old in content
        path.write_text(content.replace(old, new), encoding="utf-8")

    return spoil


def captions(split, old, new):
    return replaced(f"TextData/msrvtt10k{split}.caption.txt", old, new)


def frames(name, old, new):
    return replaced(f"{FEATURES}/{name}", old, new)


def removed(name):
    return lambda root: (root / name).unlink()


FILE_FAULTS = {
    "no mapping": (
        removed(f"{FEATURES}/video2frames.txt"),
        f"{FOLDER}/video2frames.txt: no such file (data.bigfile.features); {LAYOUT}",
    ),
    "no captions": (
        removed("TextData/msrvtt10ktest.caption.txt"),
        f"{TEST}: no such file (data.bigfile.test); {LAYOUT}",
    ),
    "no features": (
        removed(f"{FEATURES}/feature.bin"),
        f"{FOLDER}/feature.bin: no such file; a BigFile folder holds feature.bin, id.txt, "
        "shape.txt",
    ),
    "a truncated feature.bin": (
        lambda root: (root / FEATURES / "feature.bin").write_bytes(b"\0" * 419),
        f"{FOLDER}/feature.bin: 419 bytes, but shape.txt says 21 rows of 5 float32, which are 420; "
        "copy it again or correct shape.txt",
    ),
    "a shape that does not fit": (
        frames("shape.txt", "21 5", "20 5"),
        f"{FOLDER}/id.txt: 21 ids, but shape.txt says 20 rows; there must be one id for each row, "
        "in order",
    ),
    "a frame's id twice": (
        frames("id.txt", "video2_1\n", "video0_0\n"),
        f"{FOLDER}/id.txt: id 6 is 'video0_0', as id 1 is already; give every row an id of its own",
    ),
    "a video in two splits": (
        captions("test", "video5#", "video1#"),
        f"{TEST}: 1 of its 2 ids are in {TRAIN} too, e.g. 'video1'; what is tested must not be "
        "trained on, so take them out of one",
    ),
    "one id for two captions": (
        captions("train", "video1#0", "video0#0"),
        f"{TRAIN}: line 3: 'video0#0' is on line 1 already; give every caption an id of its own",
    ),
    "an empty line": (
        captions("train", "video1#0", "\nvideo1#0"),
        f"{TRAIN}: line 3 is empty; take it out or write a caption",
    ),
    "a line without an id": (
        captions("train", "video1#0", ""),
        f"{TRAIN}: line 3 begins with 'a', which is no caption's id; it begins with the video's, "
        "like video0#3",
    ),
    "an id without a video": (
        captions("train", "video1#0", "#0"),
        f"{TRAIN}: line 3 begins with '#0', which is no caption's id; it begins with the video's, "
        "like video0#3",
    ),
    "no captions in the file": (
        lambda root: (root / "TextData/msrvtt10ktest.caption.txt").write_text(""),
        f"{TEST}: is empty; every split needs captions",
    ),
    "another encoding": (
        lambda root: (root / "TextData/msrvtt10ktest.caption.txt").write_bytes(b"v#0 caf\xe9\n"),
        f"{TEST}: line 1 is not UTF-8 (unexpected end of data); save it as UTF-8",
    ),
    "a video twice": (
        frames("video2frames.txt", "'video2':", "'video0':"),
        f"{FOLDER}/video2frames.txt: video 'video0' is there twice, again from character 74 on; "
        "give every video all of its frames once",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), FILE_FAULTS.values(), ids=FILE_FAULTS)
@pytest.mark.parametrize("on_bad_item", ["stop", "skip"])
def test_a_fault_of_a_file_always_stops_with_one_line(tmp_path, spoil, message, on_bad_item):
    spoil(write(tmp_path))
    with pytest.raises(DataError) as caught:
        read_source(data(tmp_path, on_bad_item=on_bad_item))
    assert str(caught.value).replace(str(tmp_path), "ROOT") == message


BAD_VIDEOS = {
    "frames of no such video": (
        frames("video2frames.txt", "'video2':", "'other':"),
        f"items, row 3, 'video2': is in {TRAIN}, but not in {FOLDER}/video2frames.txt; add its "
        "frames or take its captions out",
    ),
    "an empty list": (
        frames("video2frames.txt", "'video2': [", "'video2': [], 'other': ["),
        f"items, row 3, 'video2': has no frames in {FOLDER}/video2frames.txt; add them or take its "
        "captions out",
    ),
    "a frame that is not there": (
        frames("video2frames.txt", "'video2_2'", "'video2_9'"),
        f"items, row 3, 'video2': 1 of its 4 frames in {FOLDER}/video2frames.txt are not in "
        "id.txt, e.g. 'video2_9'; add their rows or take them out",
    ),
    "a frame of a video in another split": (
        lambda root: (
            captions("train", "video2#", "video6#")(root),
            captions("test", "video6#", "video2#")(root),
            frames("video2frames.txt", "'video2_2'", "'video1_0', 'video2_2'")(root),
        ),
        f"items, row 7, 'video2': shares frame 'video1_0' with a video of train, so what is tested "
        f"would be trained on; correct {FOLDER}/video2frames.txt",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), BAD_VIDEOS.values(), ids=BAD_VIDEOS)
def test_a_video_without_frames_stops_or_is_left_out(tmp_path, spoil, message):
    spoil(write(tmp_path))
    with pytest.raises(DataError) as caught:
        prepared(data(tmp_path))
    told = f"{message} (and 2 other problems)"
    assert str(caught.value).replace(str(tmp_path), "ROOT") == told
    tables, store, problems = imported(data(tmp_path, on_bad_item="skip"), tmp_path / "out")
    assert tables.problems["id"].tolist() == ["video2", "video2#0", "video2#enc#1"]
    assert tables.problems["problem"][1] == "its item 'video2' has a problem of its own"
    assert sorted(store.ids) == ["video0", "video1", "video3", "video4", "video5", "video6"]
    assert not len(problems)


def test_captions_without_words_stop_or_are_left_out_with_a_video_that_has_no_others(tmp_path):
    path = write(tmp_path) / "TextData/msrvtt10ktrain.caption.txt"
    lines = path.read_text().splitlines()
    lines[1], lines[2], lines[3] = "video0#enc#1", "video1#0 ", "video1#enc#1\t"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError) as caught:
        prepared(data(tmp_path))
    assert str(caught.value) == (
        "items, row 2, 'video1': has no captions; add one or take out the item (and 3 other "
        "problems)"
    )
    tables = prepared(data(tmp_path, on_bad_item="skip"))
    assert tables.problems["id"].tolist() == ["video1", "video0#enc#1", "video1#0", "video1#enc#1"]
    assert tables.problems["problem"][1] == (
        f"line 2 of {path} has no words behind the id; write them"
    )
    assert "video0" in set(tables.manifest["item_id"])


def numbers(rows, value):
    def spoil(root):
        path = root / FEATURES / "feature.bin"
        array = np.fromfile(path, "<f4").reshape(-1, WIDTH)
        array[rows] = value
        array.tofile(path)

    return spoil


BAD_FRAMES = {
    "NaN": (
        numbers((5, 2), np.nan),
        f"items, row 3, 'video2': frame 'video2_1', row 6 of {FOLDER}/feature.bin, holds NaN or "
        "infinity; make it again",
    ),
    "infinity": (
        numbers((7, 4), -np.inf),
        f"items, row 3, 'video2': frame 'video2_3', row 8 of {FOLDER}/feature.bin, holds NaN or "
        "infinity; make it again",
    ),
    "nothing but zeros": (
        numbers(slice(4, 8), 0),
        f"items, row 3, 'video2': its 4 frames in {FOLDER}/feature.bin are all zero; make them "
        "again",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), BAD_FRAMES.values(), ids=BAD_FRAMES)
@pytest.mark.parametrize("block_bytes", [1 << 26, 60, 1])
def test_bad_frames_stop_or_are_left_out_and_listed(
    tmp_path, monkeypatch, spoil, message, block_bytes
):
    monkeypatch.setattr("polymatch.sources.bigfile._BLOCK_BYTES", block_bytes)
    spoil(write(tmp_path))
    with pytest.raises(DataError) as caught:
        imported(data(tmp_path), tmp_path / "out")
    assert str(caught.value).replace(str(tmp_path), "ROOT") == message
    assert not list((tmp_path / "out").iterdir())
    _, store, problems = imported(data(tmp_path, on_bad_item="skip"), tmp_path / "out")
    check_table(problems, load_schema("problems"), "problems")
    table, row, item_id, problem = problems.iloc[0]
    told = f"{table}, row {row}, {item_id!r}: {problem}".replace(str(tmp_path), "ROOT")
    assert told == message and len(problems) == 1
    assert store.ids == [v for s in ("train", "val", "test") for v in VIDEOS[s] if v != "video2"]


def test_frames_of_videos_without_captions_are_never_looked_at(tmp_path):
    numbers(slice(19, 21), np.nan)(write(tmp_path))
    frames("video2frames.txt", "'video9_1'", "'nowhere'")(tmp_path)
    tables, store, problems = imported(data(tmp_path), tmp_path / "out")
    assert len(store) == len(tables.manifest) == 7 and not len(problems)


def test_settings_that_cannot_be(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_source(data(tmp_path).model_copy(update={"bigfile": None}))
    assert str(caught.value) == (
        "data.bigfile: is missing; source 'bigfile' needs it, if only as `bigfile: {}`"
    )
    with pytest.raises(ConfigError) as caught:
        bigfile.input_files(data(tmp_path, {"val": "msrvtt10ktest"}))
    assert str(caught.value) == (
        "data.bigfile.test: 'msrvtt10ktest' is that of val too; a head is never tested on what it "
        "was trained on"
    )
    raw = {
        "data": {"source": "bigfile", "bigfile": {}},
        "models": {"aligned": {"family": "aligned"}},
    }
    with pytest.raises(ConfigError) as caught:
        load_config(raw)
    assert str(caught.value) == (
        "encoder.given: false does not go with `data.bigfile`, whose frames are features already; "
        "set it to true"
    )
