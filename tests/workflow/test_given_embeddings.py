"""Embeddings made elsewhere and a checkpoint of the published code, down to the table.

One module with one checkout, so that its tests run one after the other.
"""

import copy
import json
import shutil

import numpy as np
import pytest
import torch
import yaml

from polymatch.data.features import FeatureStore
from polymatch.data.tables import read_table

from .conftest import CONFIG, ROOT, make_checkout

WIDTH, HIDDEN = 12, 16
SPACE = "results/given/imagebind"
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("given")]

HEAD = {"family": "probabilistic", "hidden": HIDDEN}
TRAINING = {"epochs": 2, "batch_size": 8}
GIVEN = {
    **{key: CONFIG[key] for key in ("device", "benchmark")},
    "evaluation": CONFIG["evaluation"] | {"pmrp": None, "asp": False},  # without groups
    "data": {
        "name": "given",
        "source": "embeddings",
        "root": "resources/given",
        "folders": {"train": "train", "test": "test"},
        "val_share": 0.2,
        "train_captions": ["sentence"],
        "test_captions": ["sentence"],
    },
    "encoder": {"name": "imagebind", "given": True},
    "alignment": {"method": "identity"},
    "seeds": [0],
    "teachers": {"fixed": {"source": "fixed", "n_pairs": 1000, "K": 3}},
    "models": {
        "aligned": {"family": "aligned"},
        "pcme": {**HEAD, "loss": "sampled", "similarities": ["mean"], "training": TRAINING},
        "theirs": {
            **HEAD,
            "loss": "poly",
            "similarities": ["poly"],
            "teacher": "fixed",
            "published_checkpoint": "resources/given/best_projectors.pth",
            "published_poly": "resources/given/poly_coeffs_deg1.pt",
        },
    },
}


def write_data(root):
    """Correlated pairs: train with ids and two texts a video, test as the published code saves."""
    rng = np.random.default_rng(0)
    for split, videos, texts in (("train", 40, 80), ("test", 12, 12)):
        folder = root / split
        folder.mkdir(parents=True, exist_ok=True)
        video = rng.standard_normal((videos, WIDTH))
        text = video[np.arange(texts) % videos] + 0.7 * rng.standard_normal((texts, WIDTH))
        if split == "train":
            ids = [f"video{row}" for row in range(videos)]
            np.save(folder / "video_emb.npy", video.astype(np.float16))
            np.save(folder / "text_emb.npy", text)
            (folder / "video_ids.json").write_text(json.dumps(ids))
            (folder / "text_ids.json").write_text(json.dumps(ids * 2))
        else:
            torch.save(torch.from_numpy(video).float(), folder / "emb_video.pt")
            torch.save(torch.from_numpy(text).float(), folder / "emb_text.pt")


def write_checkpoint(root):
    """Projectors that add nothing: their means are the embeddings, their variances are one."""
    sizes = {"0.weight": (HIDDEN, WIDTH), "0.bias": (HIDDEN,)}
    sizes |= {"3.weight": (WIDTH, HIDDEN), "3.bias": (WIDTH,)}
    names = [f"{side}_proj.{name}" for side in ("mu", "logvar") for name in sizes]
    state = {name: torch.zeros(sizes[name.partition(".")[2]]) for name in names}
    torch.save(
        {"text": state, "video": state, "config": {"epochs": 9}}, root / "best_projectors.pth"
    )
    poly = {"degree": 1, "coeff": torch.tensor([-3.0, 0.0]), "bias": 1.0, "fit_logit": True}
    poly["teacher_meta"] = {"K": 3, "a": 0.1, "b": 0.0}
    torch.save(poly, root / "poly_coeffs_deg1.pt")


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A checkout with such a data set, finished. Tests must leave it as they found it."""
    checkout = make_checkout(tmp_path_factory.mktemp("given"))
    write_data(checkout.folder / "resources/given")
    write_checkpoint(checkout.folder / "resources/given")
    checkout.write_config(GIVEN)
    done = checkout.run("results/summary.csv")
    assert done.returncode == 0, done.stdout[-4000:]
    return checkout


def test_the_table_has_a_row_for_each_and_the_pairs_are_found(given):
    summary = read_table(given.folder / "results/summary.csv", "summary").set_index("model")
    assert summary["similarity"].to_dict() == {
        "aligned": "cosine",
        "pcme": "mean",
        "theirs": "poly",
    }
    assert summary["n_items"].eq(12).all() and summary["n_captions"].eq(12).all()
    assert summary["encoder"].eq("imagebind").all()
    assert summary.loc["aligned", "t2v_r1"] > 60
    # Means are the embeddings and variances are equal: the polynomial ranks as the cosine does.
    for metric in ("t2v_r1", "t2v_meanr", "v2t_r5", "rsum"):
        assert summary.loc["theirs", metric] == pytest.approx(summary.loc["aligned", metric])
    assert summary.loc["theirs", "epochs_kept"] == 0
    assert np.isnan(summary.loc["theirs", "surrogate_outside_share"])
    assert summary.loc["theirs", "surrogate_max_error"] > 0


def test_embeddings_pass_through_and_val_is_cut_off_train(given):
    manifest = read_table(given.folder / "results/given/manifest.parquet", "manifest")
    assert manifest["split"].value_counts().to_dict() == {"train": 32, "val": 8, "test": 12}
    root = given.folder / "resources/given"
    store = FeatureStore(given.folder / SPACE / "features/pooled.h5")
    video = np.load(root / "train/video_emb.npy")
    assert store.gather(["video7"])[0] == pytest.approx(video[7].astype(np.float32))
    theirs = torch.load(root / "test/emb_video.pt")
    assert store.gather(["test-0000003"])[0] == pytest.approx(theirs[3].numpy())
    embedded = FeatureStore(given.folder / SPACE / "embeddings/items.h5").gather(["test-0000003"])
    assert embedded[0] == pytest.approx((theirs[3] / theirs[3].norm()).numpy(), abs=1e-6)
    assert not (given.folder / SPACE / "features/frames.h5").exists()


def test_nothing_is_left_to_do_until_a_file_changes(given):
    assert given.planned("results/summary.csv") == {}
    path = given.folder / "resources/given/best_projectors.pth"
    content = path.read_bytes()
    checkpoint = torch.load(path)
    checkpoint["text"]["mu_proj.3.bias"][0] = 1.0
    torch.save(checkpoint, path)
    planned = given.planned("results/summary.csv")
    path.write_bytes(content)
    names = ("train", "score", "evaluate", "measure", "deploy", "certify", "summarise")
    assert planned == dict.fromkeys(names, 1)


def test_a_data_set_without_pictures_has_sheets_and_spaces_all_the_same(given):
    run = f"{SPACE}/runs/theirs/0/poly"
    done = given.run(f"{run}.retrieved.pdf", f"{run}.space.pdf")
    assert done.returncode == 0, done.stdout[-3000:]
    for name in ("retrieved", "space"):
        assert (given.folder / f"{run}.{name}.pdf").read_bytes()[:4] == b"%PDF"


FAULTS = {
    "a folder": (
        lambda root: shutil.rmtree(root / "test"),
        "DataError: resources/given/test: no such folder (data.folders.test); a folder of",
    ),
    "a file": (
        lambda root: (root / "train/text_emb.npy").unlink(),
        "DataError: resources/given/train/text_emb.npy: no such file (data.folders.train)",
    ),
    "a checkpoint": (
        lambda root: (root / "best_projectors.pth").unlink(),
        "resources/given/best_projectors.pth",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), FAULTS.values(), ids=FAULTS)
def test_what_is_missing_is_said_before_any_job(given, tmp_path, spoil, message):
    root = given.folder / "resources/given"
    shutil.copytree(root, tmp_path / "kept")
    try:
        spoil(root)
        done = given.run("-n", f"{SPACE}/runs/theirs/1/mean.npy")  # not made yet
    finally:
        shutil.rmtree(root)
        shutil.copytree(tmp_path / "kept", root)
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert message in done.stdout


def test_a_source_of_pictures_brings_no_features(given):
    config = copy.deepcopy(GIVEN)
    config["data"]["source"] = "emoji"
    (given.folder / "config/other.yaml").write_text(yaml.safe_dump(config))
    done = given.run("-n", "--configfile", "config/other.yaml")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert "encoder.given: source 'emoji' has pictures but no features" in done.stdout


def test_the_config_of_msr_vtt_plans_every_job_where_its_files_lie(given):
    shutil.copy(
        ROOT / "config/msrvtt_embeddings.yaml", given.folder / "config/msrvtt_embeddings.yaml"
    )
    done = given.run("-n", "--configfile", "config/msrvtt_embeddings.yaml")
    assert done.returncode != 0
    assert "resources/msrvtt/msrvtt_train_embeddings: no such folder" in done.stdout
    write_data(given.folder / "resources/msrvtt")
    for split in ("train", "test"):
        folder = given.folder / "resources/msrvtt"
        (folder / split).rename(folder / f"msrvtt_{split}_embeddings")
    planned = given.planned("--configfile", "config/msrvtt_embeddings.yaml")
    # aligned; 3 seeds of PCME (2 similarities), of 4 published degrees and of 2 corrected ones
    assert planned["prepare"] == planned["import_features"] == planned["align"] == 1
    assert planned["train"] == 1 + 3 * 7 and planned["score"] == 1 + 3 * 8
    assert planned["build_teacher"] == 2 and planned["fit_surrogate"] == 5
    assert planned["certify"] == 3 * 6 and planned["summarise"] == planned["compare"] == 1
    assert "extract_items" not in planned
