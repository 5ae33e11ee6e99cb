"""Clips with and without sound: stores hold each as encoded alone, in shares too."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from polymatch.data import FeatureStore, load_schema, read_table
from polymatch.data.shards import gather_features, shard_of
from polymatch.data.sound import read_sound
from polymatch.data.videos import sample_frames
from polymatch.encoders import EncoderInfo, FeatureShape, extract_items
from polymatch.errors import ConfigError, DataError

from ..video_examples import write_sound, write_video

ABOUT = {"dataset": "clips", "command": "test"}
RATE = 8000
NAMES = ("frames", "pooled", "audio", "audio_all", "fused")
SOUND = {"codec": "aac", "rate": 44100}


class SeeingHearing:
    """Frames by their colours, sound by its length and loudness."""

    info = EncoderInfo(
        name="seeing",
        item_features={
            "frames": FeatureShape((3,), True, "mean colour of each frame"),
            "pooled": FeatureShape((3,), False, "mean of the frames"),
            "audio": FeatureShape((3,), False, "length and loudness"),
        },
        caption_width=3,
        joint_space=True,
        preprocessing="none",
        licence="none",
        citation="none",
        revision="1",
        sha256={},
        sound_rate=RATE,
    )

    def __init__(self):
        self.heard = []
        self.seen = 0

    def prepare(self, frames):
        assert frames.shape[0] == 1 and frames.dtype == np.uint8
        return frames[:, ::2, ::2]

    def encode_items(self, items):
        self.seen += len(items)
        frames = [item.mean(axis=(1, 2), dtype=np.float32) for item in items]
        pooled = np.stack([one.mean(axis=0) for one in frames])
        return {"frames": np.concatenate(frames), "pooled": pooled}

    def encode_sounds(self, waves):
        self.heard.append(len(waves))
        rows = [(len(w) / RATE, np.abs(w).max(), np.abs(w).mean()) for w in waves]
        return np.array(rows, dtype=np.float32).reshape(-1, 3)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    rows = []
    for number in range(7):
        sound = None if number in (1, 4) else {**SOUND, "seconds": 0.5 + number / 5}
        write_video(folder / f"{number}.mp4", 10 + 3 * number, options={"g": "6"}, sound=sound)
        rows.append((str(number), f"{number}.mp4", 2 + number % 3))
    Image.new("RGB", (8, 8), "red").save(folder / "7.png")
    rows.append(("7", "7.png", 1))
    return folder, pd.DataFrame(rows, columns=["item_id", "path", "n_frames"])


def stores(folder, names=NAMES):
    return {name: folder / f"{name}.h5" for name in names}


def expected(folder, manifest):
    """Each item alone, by the plain way."""
    encoder, made = SeeingHearing(), {name: [] for name in NAMES}
    for row in manifest.itertuples():
        if row.path.endswith("mp4"):
            frames = sample_frames(folder / row.path, row.n_frames)[:, ::2, ::2]
            wave = read_sound(folder / row.path, RATE)
        else:
            frames, wave = np.full((1, 4, 4, 3), (255, 0, 0), np.uint8), None
        alone = encoder.encode_items([frames])
        pooled = alone["pooled"][0]
        audio = np.zeros(3) if wave is None else encoder.encode_sounds([wave])[0]
        made["frames"].append(alone["frames"])
        made["pooled"].append(pooled)
        if wave is not None:
            made["audio"].append(audio)
        made["audio_all"].append(audio)
        one = pooled / np.linalg.norm(pooled)
        other = audio / (np.linalg.norm(audio) or 1)
        made["fused"].append((one + other) / np.linalg.norm(one + other))
    return {name: np.concatenate(f) if name == "frames" else f for name, f in made.items()}


@pytest.mark.parametrize(("batch_size", "readers"), [(1, 1), (5, 2), (100, 3)])
def test_stores_hold_each_item_as_encoded_alone(tmp_path, clips, batch_size, readers):
    folder, manifest = clips
    paths = stores(tmp_path)
    silent = tmp_path / "silent.csv"
    problems = extract_items(
        *(manifest, folder, SeeingHearing(), paths, ABOUT, batch_size),
        readers=readers,
        silent_path=silent,
    )
    assert problems.empty
    for name, rows in expected(folder, manifest).items():
        store = FeatureStore(paths[name])
        got = store.read_ragged()[0] if store.ragged else store.read()
        np.testing.assert_allclose(got, rows, rtol=1e-5, err_msg=name)
        ids = manifest["item_id"].tolist()
        assert store.ids == (["0", "2", "3", "5", "6"] if name == "audio" else ids)
    assert FeatureStore(paths["audio"]).attributes["leaves_out"] == "items without sound"
    assert FeatureStore(paths["audio_all"]).attributes["silent"] == 3
    listed = read_table(silent, "silent")
    assert listed["item_id"].tolist() == ["1", "4", "7"]
    assert listed["reason"].tolist() == ["no audio track", "no audio track", "a picture"]
    assert load_schema("silent")["additionalProperties"] is False


def contents(path):
    with h5py.File(path) as file:
        return {name: file[name][:].tolist() for name in file}, dict(file.attrs)


@pytest.mark.parametrize("shards", [2, 8])
def test_shares_put_together_are_the_whole(tmp_path, clips, shards):
    folder, manifest = clips
    whole, encoder = stores(tmp_path / "whole"), SeeingHearing()
    manifest = manifest.assign(path=manifest["path"].replace("3.mp4", "gone.mp4"))
    problems = extract_items(manifest, folder, encoder, whole, ABOUT, on_bad_item="skip")
    parts, of_parts = [], []
    for shard in range(shards):
        parts.append(stores(tmp_path / str(shard)))
        rows = shard_of(len(manifest), shard, shards, "encoder.shards", "items")
        of_parts.append(
            extract_items(
                *(manifest, folder, encoder, parts[-1], ABOUT), on_bad_item="skip", rows=rows
            )
        )
    pd.testing.assert_frame_equal(
        pd.concat([table for table in of_parts if len(table)], ignore_index=True), problems
    )
    assert problems["row"].tolist() == [4]
    for name in NAMES:
        gather_features([part[name] for part in parts], tmp_path / "all.h5")
        assert contents(tmp_path / "all.h5") == contents(whole[name]), name


def test_sound_alone_decodes_no_picture(tmp_path, clips):
    folder, manifest = clips
    encoder = SeeingHearing()
    write_sound(folder / "8.wav", codec="pcm_s16le")
    other = pd.DataFrame([("8", "8.wav", 1)], columns=manifest.columns)
    manifest = pd.concat([manifest, other], ignore_index=True)
    extract_items(manifest, folder, encoder, stores(tmp_path, ("audio",)), ABOUT)
    assert encoder.seen == 0 and sum(encoder.heard) == 6
    assert FeatureStore(tmp_path / "audio.h5").ids == ["0", "2", "3", "5", "6", "8"]


def test_bad_sound_is_a_bad_item(tmp_path, clips):
    folder, manifest = clips
    path = write_sound(tmp_path / "a.wav", codec="pcm_s16le")
    path.write_bytes(path.read_bytes()[:5000])
    manifest = pd.DataFrame([("x", str(path), 1), ("0", "0.mp4", 1)], columns=manifest.columns)
    out = stores(tmp_path, ("audio_all",))
    with pytest.raises(DataError, match=r"items, row 1, 'x': .*a.wav: .*cut off: 5,000 of"):
        extract_items(manifest, folder, SeeingHearing(), out, ABOUT)
    problems = extract_items(manifest, folder, SeeingHearing(), out, ABOUT, on_bad_item="skip")
    assert problems["id"].tolist() == ["x"] and FeatureStore(out["audio_all"]).ids == ["0"]


def test_a_data_set_without_sound_says_so(tmp_path, clips):
    folder, manifest = clips
    quiet = manifest.iloc[[1, 4]]
    for name in ("audio", "audio_all", "fused"):
        with pytest.raises(DataError, match=r"not one of 2 items has sound; leave out the feat"):
            extract_items(quiet, folder, SeeingHearing(), stores(tmp_path, (name,)), ABOUT)
        assert not (tmp_path / f"{name}.h5").exists()


def test_encoders_that_cannot_hear(tmp_path, clips):
    folder, manifest = clips
    out = stores(tmp_path, ("fused",))
    encoder = SeeingHearing()
    shapes = {name: encoder.info.item_features[name] for name in ("frames", "pooled")}
    encoder.info = replace(encoder.info, item_features=shapes)
    with pytest.raises(ConfigError, match="feature 'fused': encoder seeing gives only frames, po"):
        extract_items(manifest, folder, encoder, out, ABOUT)
    encoder = SeeingHearing()
    encoder.info = replace(encoder.info, sound_rate=None)
    with pytest.raises(ConfigError, match=r"seeing: gives `audio`, but has no .* `sound_rate`; a"):
        extract_items(manifest, folder, encoder, out, ABOUT)
    wider = {**encoder.info.item_features, "audio": FeatureShape((4,), False, "other space")}
    encoder.info = replace(encoder.info, sound_rate=RATE, item_features=wider)
    with pytest.raises(ConfigError, match="gives only frames, pooled, audio, audio_all"):
        extract_items(manifest, folder, encoder, out, ABOUT)
