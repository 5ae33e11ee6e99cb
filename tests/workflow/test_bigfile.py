"""BigFile data sets: from the files to frames and words, and a tiny one of a large one.

One module with one checkout, so that its tests run one after the other.
"""

import copy
import shutil

import numpy as np
import pytest
import yaml

from polymatch.data.features import FeatureStore
from polymatch.data.tables import read_table
from polymatch.data.words import WordStore

from ..sources.bigfile_examples import FEATURES, VIDEOS, frame_names, numbers_of, write
from .conftest import CONFIG, ROOT, make_checkout

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("bigfile")]

STORES = ["results/few/resnext/features/frames.h5", "results/few/words.h5"]
SIDE = {"rnn_size": 4, "channels": [4], "kernels": [2]}
FEW = {
    **{key: CONFIG[key] for key in ("device",)},
    "data": {
        "name": "few",
        "source": "bigfile",
        "root": "resources/few_videos",
        "bigfile": {"tiny": 1},
        "train_captions": ["sentence"],
        "test_captions": ["sentence"],
    },
    "encoder": {"name": "resnext", "given": True},
    "words": {"min_count": 1},
    "deployment": {"models": []},
    "pictures": {"models": []},
    "baseline": "dual_encoding",
    "seeds": [0],
    "models": {"dual_encoding": {"family": "dual_encoding", "items": SIDE, "captions": SIDE}},
}


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A checkout with such a data set, imported. Tests must leave it as they found it."""
    checkout = make_checkout(tmp_path_factory.mktemp("bigfile"))
    write(checkout.folder / "resources/few_videos")
    checkout.write_config(FEW)
    done = checkout.run(*STORES)
    assert done.returncode == 0, done.stdout[-4000:]
    return checkout


def configured(checkout, **data):
    """Write the configuration with another data section; returns the options that ask for it."""
    config = copy.deepcopy(FEW)
    config["data"] |= data
    (checkout.folder / "config/other.yaml").write_text(yaml.safe_dump(config))
    return "--configfile", "config/other.yaml"


def test_frames_and_words_are_of_the_videos_that_captions_name(few):
    manifest = read_table(few.folder / "results/few/manifest.parquet", "manifest")
    assert manifest["split"].value_counts().to_dict() == {"train": 3, "val": 2, "test": 2}
    store = FeatureStore(few.folder / STORES[0])
    assert store.ids == manifest["item_id"].tolist() and store.attributes["dataset"] == "few"
    for video, count in VIDEOS["val"].items():
        expected = numbers_of(frame_names(video, count)).astype(np.float32)
        assert np.array_equal(store.gather_ragged([video])[0], expected)
    words = WordStore(few.folder / STORES[1])
    assert words.ids[:2] == ["video0#0", "video0#enc#1"] and len(words) == 14
    assert not len(read_table(few.folder / "results/few/resnext/features/problems.csv", "problems"))


def test_what_is_made_again_is_what_depends_on_a_file(few):
    assert few.planned(*STORES) == {}
    assert few.planned(*STORES, *configured(few, bigfile={"tiny": 2})) == {}
    path = few.folder / "resources/few_videos/TextData/msrvtt10ktest.caption.txt"
    content = path.read_text()
    path.write_text(content.replace("sings about video6", "dances"))
    planned = few.planned(*STORES)
    path.write_text(content)
    assert planned == {"prepare": 1, "import_features": 1, "tokenise": 1}


def test_a_missing_file_is_said_before_any_job(few):
    path = few.folder / "resources/few_videos" / FEATURES / "video2frames.txt"
    path.rename(path.with_suffix(".away"))
    try:
        done = few.run("-n", *STORES)
    finally:
        path.with_suffix(".away").rename(path)
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert (
        f"DataError: resources/few_videos/{FEATURES}/video2frames.txt: no such file "
        "(data.bigfile.features); Dual Encoding's layout is"
    ) in done.stdout


def test_bad_videos_stop_the_import_or_are_listed(few):
    root = write(few.folder / "resources/spoilt")
    path = root / FEATURES / "feature.bin"
    array = np.fromfile(path, "<f4")
    array[7] = np.nan
    array.tofile(path)
    target = "results/spoilt/resnext/features/frames.h5"
    spoilt = {"name": "spoilt", "root": "resources/spoilt"}
    done = few.run(target, *configured(few, **spoilt))
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert (
        "DataError: items, row 1, 'video0': frame 'video0_1', row 2 of "
        f"resources/spoilt/{FEATURES}/feature.bin, holds NaN or infinity; make it again"
    ) in done.stdout
    assert not (few.folder / target).exists()
    done = few.run(target, *configured(few, **spoilt, on_bad_item="skip"))
    assert done.returncode == 0, done.stdout[-3000:]
    assert "video0" not in FeatureStore(few.folder / target).ids


def test_a_tiny_data_set_runs_through_the_same_workflow(few):
    done = few.run("tiny")
    assert done.returncode == 0, done.stdout[-3000:]
    made = few.folder / "results/few/tiny"
    tiny = ("--configfile", "config/config.yaml", str(made.relative_to(few.folder) / "tiny.yaml"))
    targets = [target.replace("/few/", "/few_tiny/") for target in STORES]
    done = few.run(*targets, *tiny)
    assert done.returncode == 0, done.stdout[-3000:]
    store = FeatureStore(few.folder / targets[0])
    assert store.ids == ["video0", "video3", "video5"]
    assert store.attributes["dataset"] == "few_tiny"
    assert len(WordStore(few.folder / targets[1])) == 6
    assert few.planned("tiny") == {} == few.planned(*targets, *tiny)
    asked = few.planned("tiny", "--config", "data={bigfile: {tiny: 2}}")
    assert asked == {"tiny": 1}


def test_the_published_config_plans_its_import_where_its_files_lie(few):
    shutil.copy(ROOT / "config/msrvtt_official.yaml", few.folder / "config")
    options = ("--configfile", "config/msrvtt_official.yaml")
    frames = "results/msrvtt/resnext101-resnet152/features/frames.h5"
    done = few.run("-n", frames, *options)
    assert done.returncode != 0
    assert f"resources/msrvtt10k/{FEATURES}/feature.bin: no such file" in done.stdout
    write(few.folder / "resources/msrvtt10k")
    assert few.planned(frames, "results/msrvtt/words.h5", *options) == {
        "prepare": 1,
        "import_features": 1,
        "tokenise": 1,
    }
    assert few.planned("tiny", *options) == {"tiny": 1}
