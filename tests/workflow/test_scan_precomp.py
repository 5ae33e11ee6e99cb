"""SCAN's precomputed sets: the import, down to the table with SAF, SGR and SGRAF, and the plans.

One module with one checkout, so that its tests run one after the other.
"""

import copy
import json
import shutil

import h5py
import numpy as np
import pytest
import yaml

from polymatch.data.features import FeatureStore
from polymatch.data.tables import read_table

from ..sources.precomp_examples import regions, write
from .conftest import CONFIG, ROOT, make_checkout

FEATURES = "results/scan/butd/features"
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("scan")]

# images, and whether the array has a row a caption
SPLITS = {"train": (16, False), "dev": (6, True), "test": (8, True)}

SIZES = {"family": "alignment", "embed_dim": 8, "sim_dim": 6, "word_dim": 4, "steps": 2}
TRAINING = {"epochs": 2, "batch_size": 16, "schedule": "step", "step_epochs": 1}
SCAN = {
    **{key: CONFIG[key] for key in ("device",)},
    "evaluation": {
        "resamples": 100,
        "permutations": 200,
        "asp": True,
        "pmrp": "resources/scan/instances.json",
        "folds": 2,
        "eccv": "resources/scan",
        "cxc": "resources/scan/sits_test.csv",
    },
    "data": {
        "name": "scan",
        "source": "scan_precomp",
        "root": "resources/scan",
        "precomp": {"train": "train", "val": "dev", "test": "test", "val_images": 5},
        "train_captions": ["sentence"],
        "test_captions": ["sentence"],
    },
    "encoder": {"name": "butd", "given": True},
    "words": {"min_count": 1},
    "benchmark": {"warmup": 1, "runs": 3, "threads": 1, "gallery": []},
    "deployment": {"models": []},
    "pictures": {"models": []},
    "baseline": "saf",
    "seeds": [0],
    "models": {
        "saf": {**SIZES, "module": "saf", "training": TRAINING},
        "sgr": {**SIZES, "module": "sgr", "training": TRAINING},
        "sgraf": {"family": "alignment", "module": "sgraf", "members": ["saf", "sgr"]},
    },
}


def write_data(root, names=("train", "dev", "test")):
    for name, (images, repeated) in zip(names, SPLITS.values(), strict=True):
        write(root, name, images, repeated)


def write_annotations(root):
    """What is known of COCO's images beside their captions, in upstream's formats, in small."""
    images = range(900, 908)
    captions = {image: range(9000 + 5 * k, 9005 + 5 * k) for k, image in enumerate(images)}
    numbers = [number for own in captions.values() for number in own]
    (root / "test_capids.txt").write_text("".join(f"{number}\n" for number in numbers))
    things = [
        {"image_id": image, "category_id": category, "bbox": [0, 0, 1, 1]}
        for image in images[:-1]  # the last one shows nothing
        for category in {1 + image % 2, 3 + image % 3}
    ]
    (root / "instances.json").write_text(json.dumps({"annotations": things}))
    further = {image: [*own, 9000] for image, own in captions.items()}
    (root / "eccv_image_to_caption.json").write_text(json.dumps(further))
    back = {number: [image] for image, own in captions.items() for number in own}
    (root / "eccv_caption_to_image.json").write_text(json.dumps(back))
    rated = [(9000, 900, 5.0), (9000, 901, 3.5), (9005, 901, 4.0), (9005, 902, 1.0)]
    rows = [f"x:sentid:{c},COCO_val2014_{i:012}.jpg,{score}\n" for c, i, score in rated]
    (root / "sits_test.csv").write_text("caption,image,agg_score\n" + "".join(rows))


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A checkout with such a data set, imported. Tests must leave it as they found it."""
    checkout = make_checkout(tmp_path_factory.mktemp("scan"))
    write_data(checkout.folder / "resources/scan")
    write_annotations(checkout.folder / "resources/scan")
    checkout.write_config(SCAN)
    done = checkout.run(f"{FEATURES}/regions.h5")
    assert done.returncode == 0, done.stdout[-4000:]
    return checkout


def test_regions_are_stored_once_and_shown_as_published(scan):
    manifest = read_table(scan.folder / "results/scan/manifest.parquet", "manifest")
    assert manifest["split"].value_counts().to_dict() == {"train": 16, "val": 5, "test": 8}
    store = FeatureStore(scan.folder / FEATURES / "regions.h5")
    assert store.ids == manifest["item_id"].tolist() and store.shape == (3, 5)
    assert np.array_equal(store.gather(["907"])[0], regions("test", 8)[7])
    assert not len(read_table(scan.folder / FEATURES / "problems.csv", "problems"))
    for name, rows in (
        ("train", regions("train", 16)),
        ("dev", regions("dev", 6)[:5].repeat(5, 0)),
        ("test", regions("test", 8).repeat(5, 0)),
    ):
        with h5py.File(scan.folder / FEATURES / f"published/{name}.h5", "r") as file:
            assert np.array_equal(file["feat"][:], rows)


def test_nothing_is_planned_that_needs_embeddings(scan):
    planned = scan.planned()
    assert not {"prepare", "import_features", "align", "extract_items"} & set(planned)
    assert not {"build_teacher", "compare_teachers", "deploy", "plot_growth"} & set(planned)
    assert planned["train"] == planned["score"] == planned["evaluate"] == 3
    assert planned["tokenise"] == planned["summarise"] == planned["compare"] == 1


def test_a_change_of_a_file_imports_again(scan):
    assert scan.planned(f"{FEATURES}/regions.h5") == {}
    path = scan.folder / "resources/scan/dev_ids.txt"
    content = path.read_text()
    path.write_text(content.replace("501", "777"))
    planned = scan.planned(f"{FEATURES}/regions.h5")
    path.write_text(content)
    assert planned == {"prepare": 1, "import_features": 1}


def test_a_missing_file_is_said_before_any_job(scan):
    path = scan.folder / "resources/scan/test_caps.txt"
    path.rename(path.with_suffix(".away"))
    try:
        done = scan.run("-n")
    finally:
        path.with_suffix(".away").rename(path)
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert (
        "DataError: resources/scan/test_caps.txt: no such file (data.precomp.test); SCAN's"
        in done.stdout
    )


@pytest.mark.parametrize(
    ("entry", "start"),
    [
        ({"family": "aligned"}, "embeddings"),
        (
            {"family": "projection", "head": {"type": "mlp"}, "loss": {"type": "softmax"}},
            "features",
        ),
    ],
)
def test_a_model_that_needs_embeddings_is_refused_before_any_job(scan, entry, start):
    config = copy.deepcopy(SCAN)
    config["models"]["other"] = entry
    (scan.folder / "config/other.yaml").write_text(yaml.safe_dump(config))
    done = scan.run("-n", "--configfile", "config/other.yaml")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert (
        f"ConfigError: models.other: starts from {start}, which needs pooled and captions, but "
        "source 'scan_precomp' brings regions; take the entry out or use another source"
    ) in done.stdout


def test_bad_regions_stop_the_import_or_are_listed(scan):
    config = copy.deepcopy(SCAN)
    config["data"] |= {"name": "spoilt", "root": "resources/spoilt"}
    root = scan.folder / "resources/spoilt"
    write_data(root)
    array = np.load(root / "train_ims.npy")
    array[4, 1, 2] = np.nan
    np.save(root / "train_ims.npy", array)
    other, target = scan.folder / "config/other.yaml", FEATURES.replace("/scan/", "/spoilt/")
    other.write_text(yaml.safe_dump(config))
    done = scan.run(f"{target}/regions.h5", "--configfile", "config/other.yaml")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert (
        "DataError: items, row 5, '104': row 5 of resources/spoilt/train_ims.npy holds NaN or "
        "infinity; make it again"
    ) in done.stdout
    assert not list((scan.folder / target).rglob("*.h5"))
    config["data"]["on_bad_item"] = "skip"
    other.write_text(yaml.safe_dump(config))
    done = scan.run(f"{target}/regions.h5", "--configfile", "config/other.yaml")
    assert done.returncode == 0, done.stdout[-3000:]
    problems = read_table(scan.folder / target / "problems.csv", "problems")
    assert problems["id"].tolist() == ["104"]
    assert len(FeatureStore(scan.folder / target / "regions.h5")) == 28


@pytest.mark.parametrize(
    ("name", "folder", "test"),
    [("flickr30k_precomp", "f30k_precomp", "test"), ("coco_precomp", "coco_precomp", "testall")],
)
def test_the_published_configs_plan_every_job_where_their_files_lie(scan, name, folder, test):
    shutil.copy(ROOT / f"config/{name}.yaml", scan.folder / f"config/{name}.yaml")
    done = scan.run("-n", "--configfile", f"config/{name}.yaml")
    assert done.returncode != 0
    assert f"resources/{folder}/train_ims.npy: no such file" in done.stdout
    root = scan.folder / "resources" / folder
    write_data(root, ("train", "dev", test))
    (root / f"{folder}_vocab.json").write_text("{}")
    (root / "instances_val2014.json").write_text(json.dumps({"annotations": []}))
    planned = scan.planned("--configfile", f"config/{name}.yaml")
    assert planned["prepare"] == planned["import_features"] == planned["tokenise"] == 1
    assert planned["train"] == planned["evaluate"] == 3
    # COCO's 125 million pairs are scored in ten jobs a run.
    assert planned.get("score") == (3 if name == "flickr30k_precomp" else None)
    assert planned.get("score_shard") == (None if name == "flickr30k_precomp" else 30)
    assert not {"align", "extract_items", "deploy", "plot_space"} & set(planned)


def test_the_table_has_a_row_for_each_of_the_three_models(scan):
    done = scan.run("results/summary.csv", "results/leaderboard.csv")
    assert done.returncode == 0, done.stdout[-4000:]
    summary = read_table(scan.folder / "results/summary.csv", "summary").set_index("model")
    assert summary["similarity"].to_dict() == {"saf": "saf", "sgr": "sgr", "sgraf": "sgraf"}
    assert summary["n_items"].eq(8).all() and summary["n_captions"].eq(40).all()
    assert summary["encoder"].eq("butd").all() and summary["dataset"].eq("scan").all()
    runs = scan.folder / "results/scan/butd/runs"
    halves = [np.load(runs / f"{name}/0/{name}.npy") for name in ("saf", "sgr")]
    assert np.load(runs / "sgraf/0/sgraf.npy") == pytest.approx(np.mean(halves, 0), abs=1e-6)
    protocols = ["asp", "pmrp", "pmrp_0", "eccv_map_r", "eccv_rprecision", "eccv_r1", "cxc_r5"]
    for name in (*protocols, "r1"):
        for column in (f"t2v_{name}", f"v2t_{name}"):
            assert summary[column].between(0, 100).all()
            assert (summary[f"{column}_lo"] <= summary[f"{column}_hi"]).all()
    assert (summary["fold_t2v_meanr"] < summary["t2v_meanr"]).all()
    assert scan.planned("results/summary.csv", "results/leaderboard.csv") == {}
