"""Extraction: streamed stores equal encoding each item alone; bad pictures stop or are listed.

A small encoder stands beside the real one, so that the streaming is tested for many batch sizes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from polymatch.data import FeatureStore, check_table, load_schema, read_frames
from polymatch.encoders import EncoderInfo, FeatureShape, extract_captions, extract_items
from polymatch.errors import ConfigError, DataError

ABOUT = {"dataset": "colours", "command": "test"}
FRAMES = [1, 3, 2, 1, 5, 1, 4]


class ColourEncoder:
    """Frames by their mean colour, texts by their lengths."""

    info = EncoderInfo(
        name="colour",
        item_features={
            "frames": FeatureShape((3,), True, "mean colour of each frame"),
            "pooled": FeatureShape((3,), False, "mean of the frames"),
            "regions": FeatureShape((2, 3), False, "upper and lower half of the first frame"),
        },
        caption_width=2,
        joint_space=False,
        preprocessing="none",
        licence="none",
        citation="none",
        revision="1",
        sha256={},
    )

    def __init__(self):
        self.encoded = []
        self.largest = 0

    def prepare(self, frames):
        return frames

    def encode_items(self, items):
        self.largest = max(self.largest, sum(map(len, items)))
        frames = [item.mean(axis=(1, 2), dtype=np.float32) for item in items]
        halves = [np.stack([i[0, :2].mean((0, 1)), i[0, 2:].mean((0, 1))]) for i in items]
        return {
            "frames": np.concatenate(frames),
            "pooled": np.stack([one.mean(axis=0) for one in frames]),
            "regions": np.stack(halves).astype(np.float32),
        }

    def encode_captions(self, texts):
        self.encoded.extend(texts)
        rows = [(len(text), len(text.split())) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, 2)


@pytest.fixture
def manifest(tmp_path):
    rng = np.random.default_rng(0)
    for name, n in enumerate(FRAMES):
        frames = [Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8)) for _ in range(n)]
        path = tmp_path / f"{name}.webp"
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    names = [str(i) for i in range(len(FRAMES))]
    return pd.DataFrame(
        {"item_id": names, "path": [f"{n}.webp" for n in names], "n_frames": FRAMES}
    )


def stores(folder):
    return {name: folder / "out" / f"{name}.h5" for name in ("frames", "pooled", "regions")}


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_the_stores_hold_each_item_as_encoded_alone(tmp_path, manifest, batch_size):
    paths, encoder = stores(tmp_path), ColourEncoder()
    problems = extract_items(manifest, tmp_path, encoder, paths, ABOUT, batch_size)
    assert problems.empty and encoder.largest <= max(batch_size, max(FRAMES))
    check_table(problems, load_schema("problems"), "problems")
    for name, path in paths.items():
        store = FeatureStore(path)
        store.check("colours", manifest["item_id"].tolist())
        assert store.ids == manifest["item_id"].tolist()
        assert store.attributes["encoder"] == "colour" and store.attributes["command"] == "test"
        for item_id in store.ids:
            alone = encoder.encode_items([read_frames(tmp_path / f"{item_id}.webp")])[name]
            got = store.gather_ragged([item_id])[0] if store.ragged else store.gather([item_id])
            np.testing.assert_allclose(got, alone, rtol=1e-6)
    assert FeatureStore(paths["frames"]).ragged and not FeatureStore(paths["pooled"]).ragged


def test_only_the_features_asked_for(tmp_path, manifest):
    extract_items(manifest, tmp_path, ColourEncoder(), {"pooled": tmp_path / "p.h5"}, ABOUT)
    assert len(FeatureStore(tmp_path / "p.h5")) == len(FRAMES)
    with pytest.raises(ConfigError, match="feature 'audio': encoder colour gives only frames, po"):
        extract_items(manifest, tmp_path, ColourEncoder(), {"audio": tmp_path / "a.h5"}, ABOUT)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "2.webp: no such picture"),
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "2.webp: not a readable picture"),
        (lambda path: Image.new("RGB", (4, 4)).save(path), "2.webp has 1 frames, n_frames says 2"),
    ],
    ids=["missing", "truncated", "other frames"],
)
def test_a_bad_picture_stops_or_is_listed(tmp_path, manifest, spoil, message):
    spoil(tmp_path / "2.webp")
    paths = stores(tmp_path)
    with pytest.raises(DataError, match=f"items, row 3, '2': .*{message}"):
        extract_items(manifest, tmp_path, ColourEncoder(), paths, ABOUT, 4)
    assert not any((tmp_path / "out").iterdir())
    problems = extract_items(manifest, tmp_path, ColourEncoder(), paths, ABOUT, 4, "skip")
    assert problems.iloc[0, :3].tolist() == ["items", 3, "2"] and len(problems) == 1
    assert message in problems["problem"][0]
    check_table(problems, load_schema("problems"), "problems")
    for path in paths.values():
        assert FeatureStore(path).ids == ["0", "1", "3", "4", "5", "6"]
    with pytest.raises(DataError, match=r"1 of 7 ids have no features, e.g. '2'"):
        FeatureStore(paths["pooled"]).check(ids=manifest["item_id"].tolist())


def test_a_data_set_without_pictures_is_pointed_to_its_own_features(tmp_path, manifest):
    manifest.loc[2, "path"] = None
    with pytest.raises(ConfigError, match=r"1 of 7 items have no picture .*`encoder\.given` to"):
        extract_items(manifest, tmp_path, ColourEncoder(), stores(tmp_path), ABOUT)


def test_no_good_picture_at_all(tmp_path, manifest):
    manifest["path"] = "gone.webp"
    with pytest.raises(DataError, match="not one of 7 pictures could be encoded"):
        extract_items(
            manifest, tmp_path, ColourEncoder(), stores(tmp_path), ABOUT, on_bad_item="skip"
        )


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_each_text_is_encoded_once_and_each_caption_has_a_row(tmp_path, batch_size):
    texts = ["red heart", "moon", "red heart", "sun", "moon", "red heart"]
    captions = pd.DataFrame({"caption_id": list("abcdef"), "text": texts})
    encoder = ColourEncoder()
    extract_captions(captions, encoder, tmp_path / "c.h5", ABOUT, batch_size)
    store = FeatureStore(tmp_path / "c.h5")
    store.check("colours", list("abcdef"))
    assert store.read().tolist() == [[len(t), len(t.split())] for t in texts]
    assert encoder.encoded == ["red heart", "moon", "sun"]


def test_progress_is_labelled(tmp_path, manifest, capfd):
    extract_items(manifest, tmp_path, ColourEncoder(), stores(tmp_path), ABOUT)
    printed = capfd.readouterr()
    assert "encode pictures: 100%" in printed.err and "17/17" in printed.err and not printed.out
