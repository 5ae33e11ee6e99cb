"""Pre-encoded pairs down to a baseline's figures, and the plan of the COCO config.

One module with one checkout, so that its tests run one after the other.
"""

import json
import shutil

import pytest

from polymatch.data.tables import read_table

from ..sources.pair_examples import RAW, write
from .conftest import CONFIG, ROOT, make_checkout

SPACE = "results/pairs/siglip2_e5"
pytestmark = pytest.mark.xdist_group("pairs")

PAIRS = {
    **{key: CONFIG[key] for key in ("device", "benchmark")},
    "evaluation": CONFIG["evaluation"] | {"pmrp": None, "asp": False},  # without groups
    "data": {
        "name": "pairs",
        "source": "encoded_pairs",
        "root": "resources/pairs",
        "pairs": {"train": "train2017", "val": "val2017", "test_share": 0.2},
        "train_captions": ["sentence"],
        "test_captions": ["sentence"],
    },
    "encoder": {"name": "siglip2_e5", "given": True},
    "alignment": {"width": [2], "shrinkage": [1.0], "root": [1.0]},
    "seeds": [0],
    "models": {"aligned": {"family": "aligned"}},
}
FIGURES = f"{SPACE}/runs/aligned/0/cosine.metrics.json"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A checkout with such a data set, scored. Tests must leave it as they found it."""
    checkout = make_checkout(tmp_path_factory.mktemp("pairs"))
    root = checkout.folder / "resources/pairs"
    root.mkdir(parents=True)
    for name, sizes in RAW.items():
        write(root, name, *sizes)
    checkout.write_config(PAIRS)
    done = checkout.run(FIGURES)
    assert done.returncode == 0, done.stdout[-4000:]
    return checkout


def test_images_and_captions_reach_the_evaluation(pairs):
    manifest = read_table(pairs.folder / "results/pairs/manifest.parquet", "manifest")
    assert manifest["split"].value_counts().to_dict() == {"train": 16, "val": 5, "test": 4}
    figures = json.loads((pairs.folder / FIGURES).read_text())
    assert figures["metrics"]["t2v_r1"] >= 0
    candidates = read_table(pairs.folder / SPACE / "embeddings/candidates.csv", "candidates")
    assert candidates["chosen"].all()


def test_nothing_is_left_to_do_until_a_file_changes(pairs):
    assert pairs.planned(FIGURES) == {}
    path = pairs.folder / "resources/pairs/val2017_metadata.json"
    content = path.read_text()
    path.write_text(content.replace("a picture of 901", "a picture of something else"))
    planned = pairs.planned(FIGURES)
    path.write_text(content)
    assert set(planned) == {"prepare", "import_features", "align", "train", "score", "evaluate"}


def test_a_missing_file_is_said_before_any_job(pairs):
    path = pairs.folder / "resources/pairs/train2017_metadata.json"
    path.rename(path.with_suffix(".away"))
    try:
        done = pairs.run("-n", FIGURES)
    finally:
        path.with_suffix(".away").rename(path)
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert (
        "DataError: resources/pairs/train2017_metadata.json: no such file (data.pairs.train)"
        in (done.stdout)
    )


def test_the_config_of_coco_plans_every_job_where_its_files_lie(pairs):
    shutil.copy(ROOT / "config/coco_encoded.yaml", pairs.folder / "config/coco_encoded.yaml")
    done = pairs.run("-n", "--configfile", "config/coco_encoded.yaml")
    assert done.returncode != 0
    assert "resources/coco/train2017_image_embeddings.pt: no such file" in done.stdout
    shutil.copytree(pairs.folder / "resources/pairs", pairs.folder / "resources/coco")
    planned = pairs.planned("--configfile", "config/coco_encoded.yaml")
    assert planned["prepare"] == planned["import_features"] == planned["align"] == 1
    # aligned; 3 seeds of nine published heads and losses and of four tuned ones
    assert planned["train"] == planned["score"] == 1 + 3 * 13
    assert "extract_items" not in planned
