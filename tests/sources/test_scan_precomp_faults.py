"""SCAN's precomputed sets: every fault of files and rows, with the message that people see."""

from __future__ import annotations

import os

import numpy as np
import pytest

from polymatch.data import check_table, load_schema
from polymatch.errors import ConfigError, DataError
from polymatch.sources import read_source

from .precomp_examples import SPLITS, data, imported, prepared, write_all

NEEDED = "SCAN's precomputed sets are NAME_ims.npy, NAME_caps.txt and perhaps NAME_ids.txt"


def lines(name, edit):
    """Replace the lines of a text file by what ``edit`` makes of them."""

    def spoil(root):
        path = root / name
        path.write_text("".join(f"{line}\n" for line in edit(path.read_text().splitlines())))

    return spoil


def array(name, edit):
    def spoil(root):
        np.save(root / name, edit(np.load(root / name)))

    return spoil


FAULTS = {
    "no regions": (
        lambda root: (root / "dev_ims.npy").unlink(),
        f"ROOT/dev_ims.npy: no such file (data.precomp.val); {NEEDED}",
    ),
    "no captions": (
        lambda root: (root / "test_caps.txt").unlink(),
        f"ROOT/test_caps.txt: no such file (data.precomp.test); {NEEDED}",
    ),
    "captions that are no multiple": (
        lines("train_caps.txt", lambda all: all[:-1]),
        "ROOT/train_caps.txt: 39 captions, which is no multiple of 5 captions an image "
        "(data.precomp.captions_per_image)",
    ),
    "an empty line at the end": (
        lines("train_caps.txt", lambda all: [*all, ""]),
        "ROOT/train_caps.txt: 41 captions, which is no multiple of 5 captions an image "
        "(data.precomp.captions_per_image); line 41 is empty",
    ),
    "no caption at all": (
        lines("dev_caps.txt", lambda all: []),
        "ROOT/dev_caps.txt: 0 captions, which is no multiple of 5 captions an image "
        "(data.precomp.captions_per_image)",
    ),
    "fewer images than captions": (
        array("test_ims.npy", lambda all: all[:-1]),
        "ROOT/test_ims.npy: 19 rows, but test_caps.txt has 20 captions; there must be 4 rows, one "
        "an image, or 20, one a caption",
    ),
    "axes in another order": (
        array("train_ims.npy", lambda all: all.transpose(1, 0, 2)),
        "ROOT/train_ims.npy: 3 rows, but train_caps.txt has 40 captions; there must be 8 rows, one "
        "an image, or 40, one a caption (shape (3, 8, 5): are its axes in another order?)",
    ),
    "regions and numbers swapped": (
        array("dev_ims.npy", lambda all: all.transpose(0, 2, 1)),
        "ROOT/dev_ims.npy: an image has (5, 3), but in ROOT/train_ims.npy it has (3, 5); all "
        "splits must have as many regions, of one width",
    ),
    "two dimensions": (
        array("train_ims.npy", lambda all: all[:, 0]),
        "ROOT/train_ims.npy: shape (8, 5); regions are [images, regions, width], three-dimensional",
    ),
    "no regions in it": (
        array("train_ims.npy", lambda all: all[:, :0]),
        "ROOT/train_ims.npy: shape (8, 0, 5) holds nothing; make the embeddings again",
    ),
    "whole numbers": (
        array("train_ims.npy", lambda all: all.astype(np.int64)),
        "ROOT/train_ims.npy: holds int64, not floating-point numbers",
    ),
    "too few ids": (
        lines("test_ids.txt", lambda all: all[:7]),
        "ROOT/test_ids.txt: 7 ids, but test_caps.txt has 20 captions of 4 images; there must be "
        "one id an image or one a caption",
    ),
    "an empty id": (
        lines("dev_ids.txt", lambda all: [*all[:10], " ", *all[11:]]),
        "ROOT/dev_ids.txt: line 11 is empty; every image needs its id",
    ),
    "ids of captions": (
        lines("dev_ids.txt", lambda all: [str(row) for row in range(15)]),
        "ROOT/dev_ids.txt: line 2 is '1', but line 1 is '0', and both are of one image; it has one "
        "id on 5 lines beside each other",
    ),
    "one id for two images": (
        lines("train_ids.txt", lambda all: all[:35] + all[:5]),
        "ROOT/train_ids.txt: line 36: '100' is on line 1 already, for another image; give every "
        "image an id of its own",
    ),
    "an image in two splits": (
        lines("test_ids.txt", lambda all: all[:15] + ["103"] * 5),
        "ROOT/test_ids.txt: 1 of its 4 ids are in ROOT/train_ids.txt too, e.g. '103'; what is "
        "tested must not be trained on, so take them out of one",
    ),
    "too many ids of captions": (
        lambda root: (root / "dev_capids.txt").write_text("\n".join(map(str, range(16)))),
        "ROOT/dev_capids.txt: 16 ids, but dev_caps.txt has 15 captions; there must be one for "
        "each, in order",
    ),
    "one id for two captions": (
        lambda root: (root / "dev_capids.txt").write_text("7\n8\n7\n"),
        "ROOT/dev_capids.txt: line 3: '7' is on line 1 already; give every caption an id of "
        "its own",
    ),
    "a caption without its id": (
        lambda root: (root / "dev_capids.txt").write_text("7\n\n8\n"),
        "ROOT/dev_capids.txt: line 2 is empty; every caption needs its id",
    ),
    "another encoding": (
        lambda root: (root / "dev_caps.txt").write_bytes(b"caf\xe9\n" * 15),
        "ROOT/dev_caps.txt: line 1 is not UTF-8 (unexpected end of data); save it as UTF-8",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("on_bad_item", ["stop", "skip"])
def test_a_fault_of_a_file_always_stops_with_one_line(tmp_path, spoil, message, on_bad_item):
    spoil(write_all(tmp_path))
    with pytest.raises(DataError) as caught:
        read_source(data(tmp_path, on_bad_item=on_bad_item))
    assert str(caught.value).replace(str(tmp_path), "ROOT") == message


def test_a_truncated_array_and_one_of_objects_are_named(tmp_path):
    path = write_all(tmp_path) / "test_ims.npy"
    os.truncate(path, 500)
    told = r"test_ims\.npy: not a whole \.npy array of numbers \(.*\); copy or save it again$"
    with pytest.raises(DataError, match=told):
        read_source(data(tmp_path))
    np.save(path, np.array([None] * 4), allow_pickle=True)
    with pytest.raises(DataError, match=told):
        read_source(data(tmp_path))


def numbers(name, where, value):
    def edit(all):
        all[where] = value
        return all

    return array(name, edit)


BAD_ROWS = {
    "NaN": (
        numbers("train_ims.npy", (2, 1, 4), np.nan),
        "items, row 3, '102': row 3 of ROOT/train_ims.npy holds NaN or infinity; make it again",
    ),
    "infinity in a repeated row": (
        numbers("test_ims.npy", (7, 0, 0), -np.inf),
        "items, row 13, '901': row 8 of ROOT/test_ims.npy holds NaN or infinity; make it again",
    ),
    "zero": (
        numbers("dev_ims.npy", slice(5, 10), 0),
        "items, row 10, '501': row 6 of ROOT/dev_ims.npy is zero, without a direction; make it "
        "again",
    ),
    "a repeated row that differs": (
        numbers("test_ims.npy", (18, 2, 2), 9.0),
        "items, row 15, '903': row 19 of ROOT/test_ims.npy differs from row 16, though both are "
        "image '903'; an image has its regions once, so make it again",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
@pytest.mark.parametrize("block_bytes", [1 << 26, 1])
def test_bad_regions_stop_or_are_left_out_and_listed(
    tmp_path, monkeypatch, spoil, message, block_bytes
):
    monkeypatch.setattr("polymatch.sources.given_arrays._BLOCK_BYTES", block_bytes)
    spoil(write_all(tmp_path / "in"))
    with pytest.raises(DataError) as caught:
        imported(data(tmp_path / "in"), tmp_path / "out")
    assert str(caught.value).replace(str(tmp_path / "in"), "ROOT") == message
    assert not list((tmp_path / "out").rglob("*.h5"))
    tables, store, problems = imported(data(tmp_path / "in", on_bad_item="skip"), tmp_path / "out")
    check_table(problems, load_schema("problems"), "problems")
    table, row, item_id, problem = problems.iloc[0]
    told = f"{table}, row {row}, {item_id!r}: {problem}".replace(str(tmp_path / "in"), "ROOT")
    assert told == message and len(problems) == 1
    assert store.ids == [one for one in tables.manifest["item_id"] if one != item_id]


def test_an_empty_caption_stops_or_is_left_out(tmp_path):
    lines("dev_caps.txt", lambda all: [*all[:6], " \t", *all[7:]])(write_all(tmp_path))
    with pytest.raises(DataError) as caught:
        prepared(data(tmp_path))
    assert str(caught.value) == (
        f"captions, row 47, '501.1': line 7 of {tmp_path}/dev_caps.txt is empty; write the caption"
    )
    tables = prepared(data(tmp_path, on_bad_item="skip"))
    assert tables.problems["id"].tolist() == ["501.1"]
    assert len(tables.manifest) == 15 and len(tables.captions) == 74


def test_without_ids_an_image_in_two_splits_is_known_by_its_regions(tmp_path):
    write_all(tmp_path, ids=None)
    test = np.load(tmp_path / "test_ims.npy")
    test[5:10] = np.load(tmp_path / "train_ims.npy")[6]
    np.save(tmp_path / "test_ims.npy", test)
    with pytest.raises(DataError) as caught:
        imported(data(tmp_path), tmp_path / "out")
    assert str(caught.value) == (
        f"items, row 13, 'test-0000001': row 6 of {tmp_path}/test_ims.npy equals row 7 of "
        f"{tmp_path}/train_ims.npy, so what is tested would be trained on; take it out of one"
    )


@pytest.mark.parametrize(
    ("precomp", "message"),
    [
        (
            None,
            "data.precomp: is missing; source 'scan_precomp' needs it, if only as `precomp: {}`",
        ),
        (
            {"val": "test"},
            "data.precomp.test: 'test' is that of val too; a head is never tested on what it was "
            "trained on",
        ),
    ],
)
def test_settings_that_cannot_be(tmp_path, precomp, message):
    settings = data(write_all(tmp_path), precomp)
    if precomp is None:
        settings = settings.model_copy(update={"precomp": None})
    with pytest.raises(ConfigError) as caught:
        read_source(settings)
    assert str(caught.value) == message
    assert set(SPLITS) == {"train", "dev", "test"}
