"""Work that is divided by its size, on a few real clips: the same to the bit, and no more of it."""

import copy
import json
import time

import h5py
import numpy as np
import pytest

from .conftest import CONFIG, make_checkout

SPACE = "results/few/efficientnet_minilm"
SCORED = {"pcme": ["mc"], "saf": ["saf"], "dual": ["hybrid"]}
RUNS = [f"{SPACE}/runs/{model}/0/{kind}" for model, kinds in SCORED.items() for kind in kinds]
TARGETS = [f"{run}.metrics.json" for run in RUNS]
FEATURES = ["pooled.h5", "regions.h5", "frames.h5", "captions.h5", "problems.csv"]
AUTO = {
    "encoder": {"shards": "auto", "shard_items": 20, "shard_captions": 100},
    "scoring": {"shards": "auto", "shard_pairs": 100, "keep": False},
}

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("shards")]


def config(**sections):
    small = copy.deepcopy(CONFIG)
    saf = {**small["models"].pop("{module}"), "module": "saf", "grid": {}}
    models = {**small["models"], "saf": saf}
    small["models"] = {name: models[name] for name in ("aligned", *SCORED)}
    small["deployment"], small["pictures"] = {"models": []}, {"models": []}
    small["teachers"], small["teacher_comparison"] = {}, {}
    small["seeds"] = [0]
    return {**small, **sections}


def results(checkout):
    """Features as they are read, figures and ranks as they are written."""
    features = {}
    for name in FEATURES:
        path = checkout.folder / SPACE / "features" / name
        if path.suffix == ".h5":
            with h5py.File(path) as file:
                features[name] = ({key: file[key][:].tolist() for key in file}, dict(file.attrs))
        else:
            features[name] = path.read_bytes()
    kinds = ("metrics.json", "ranks.parquet")
    return features, {
        f"{run}.{kind}": (checkout.folder / f"{run}.{kind}").read_bytes()
        for run in RUNS
        for kind in kinds
    }


def clear(checkout):
    """Delete the features and what was made of the scores; the trained models stay."""
    for pattern in (f"{SPACE}/features/*", *(f"{run}.*" for run in RUNS)):
        for path in checkout.folder.glob(pattern):
            if path.is_file():
                path.unlink()


@pytest.fixture(scope="module")
def divided(tmp_path_factory):
    """Everything by jobs that are not divided, then again by shards of a chosen size."""
    checkout = make_checkout(tmp_path_factory.mktemp("shards"))
    checkout.write_config(config())
    done = checkout.run(*TARGETS)
    assert done.returncode == 0, done.stdout[-4000:]
    checkout.whole = results(checkout)
    clear(checkout)
    checkout.write_config(config(**AUTO))
    checkout.planned_before = checkout.planned(*TARGETS)
    # Made anew, the features are newer than what was trained on them, and the same.
    done = checkout.run(*TARGETS, "--rerun-triggers", "code", "input", "params", "software-env")
    assert done.returncode == 0, done.stdout[-4000:]
    checkout.output = done.stdout
    return checkout


def test_shards_are_chosen_by_what_was_counted(divided):
    assert {"count_items", "gather_features"} <= {*divided.planned_before}
    assert "extract_items" not in divided.planned_before  # how many is not known yet
    counts = json.loads((divided.folder / "results/few/counts.json").read_text())
    assert counts["items"] == 50 and counts["captions"] > 100
    logs = divided.folder / "results/logs"
    assert len(list((logs / "extract_items").glob("*.3.?.log"))) == 3
    captions = -(-counts["captions"] // 100)
    assert len(list((logs / "extract_captions").glob(f"*.{captions}.*.log"))) == captions
    counts = json.loads((divided.folder / SPACE / "counts/embeddings.json").read_text())
    shards = -(-counts["items"] * counts["captions"] // 100)
    assert counts["items"] == 12 and 1 < shards < 12
    for stage in ("score_shard", "rank_shard"):
        assert len(list((logs / stage).glob(f"pcme.0.mc.{shards}.*.log"))) == shards
        assert not list((logs / stage).glob("dual.*"))  # scaled over the whole matrix


def test_features_and_figures_are_the_same_to_the_bit(divided):
    features, figures = results(divided)
    whole_features, whole_figures = divided.whole
    assert features == whole_features
    assert figures == whole_figures


def test_no_part_and_no_matrix_is_left(divided):
    assert not list(divided.folder.rglob("*of_*/*.npy"))
    assert not list(divided.folder.rglob("*of_*/*.parquet"))
    assert not list((divided.folder / SPACE / "features").rglob("of_*/**/*.h5"))
    kept = {path.name for path in divided.folder.rglob("runs/**/*.npy")}
    assert kept == {"hybrid.npy"}


def test_nothing_is_to_be_done_again_and_that_is_said_at_once(divided):
    start = time.monotonic()
    assert divided.planned(*TARGETS) == {}
    assert time.monotonic() - start < 20  # the aim is 5 s on a quiet machine


def test_another_size_that_gives_as_many_shards_makes_nothing_again(divided):
    encoder = {**AUTO["encoder"], "shard_items": 24}
    divided.write_config(config(**{**AUTO, "encoder": encoder}))
    assert divided.planned(*TARGETS) == {}
    divided.write_config(config(**AUTO))


def test_the_matrix_is_there_for_whoever_asks(divided):
    target = f"{SPACE}/runs/pcme/0/mc.npy"
    planned = divided.planned(target)
    assert set(planned) == {"score_shard", "gather_scores"} and planned["score_shard"] > 1


def test_a_word_that_is_no_number_is_refused(divided):
    divided.write_config(config(encoder={"shards": "some"}))
    done = divided.run("-n")
    divided.write_config(config(**AUTO))
    assert "encoder.shards: 'some' is not allowed: a number of jobs from 1 on, or" in done.stdout


def test_pictures_that_are_others_are_encoded_again(divided):
    target = f"{SPACE}/features/pooled.h5"
    pictures = sorted((divided.folder / "resources/few/images").iterdir())
    before = pictures[0].read_bytes()
    pictures[0].write_bytes(pictures[1].read_bytes())
    planned = divided.planned(target)
    done = divided.run(target)
    pictures[0].write_bytes(before)
    assert {"prepare", "count_items", "gather_features"} == {*planned}  # how many is not known yet
    assert done.returncode == 0, done.stdout[-3000:]
    whole = np.array(divided.whole[0]["pooled.h5"][0]["features"])
    with h5py.File(divided.folder / target) as file:
        changed = np.flatnonzero((file["features"][:] != whole).any(axis=1))
    assert len(changed) == 1
