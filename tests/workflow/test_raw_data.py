"""Raw data sets in small, by their own configs, from upstream's files to the tables."""

import pandas as pd
import pytest
import yaml

from polymatch.data.features import FeatureStore
from polymatch.settings.config import load_config

from ..encoders.test_imagebind import PYTHON, REASON, run
from ..encoders.tiny_models import tiny_clip, tiny_e5, tiny_siglip
from ..sources.raw_examples import write_coco, write_flickr30k, write_msrvtt
from .conftest import make_checkout
from .shrunk_config import shrunk

pytestmark = [pytest.mark.xdist_group("raw"), pytest.mark.long]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return make_checkout(tmp_path_factory.mktemp("raw"))


def finished(checkout, config):
    """Run the main job of a configuration; its summary and leaderboard."""
    path = checkout.folder / "config" / f"{config['data']['name']}.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    done = checkout.run("--configfile", str(path))
    assert done.returncode == 0, done.stdout[-6000:]
    tables = [pd.read_csv(checkout.folder / f"results/{n}.csv") for n in ("summary", "leaderboard")]
    assert checkout.planned("--configfile", str(path)) == {}
    assert set(tables[0]["model"]) == set(load_config(config).models)
    return tables


def keep(config, *heads):
    """Leave these of the projection heads, which are many, and all models of other families."""
    config["models"] = {
        name: entry
        for name, entry in config["models"].items()
        if entry["family"] != "projection" or name in heads
    }


def test_flickr30k_from_its_pictures_to_the_tables(checkout):
    write_flickr30k(checkout.folder / "resources/flickr30k", 16, 6, 8)
    tiny_clip(checkout.folder / "resources/tiny_clip")
    config = shrunk("flickr30k")
    side = {"module": "clip", "model": "resources/tiny_clip"}
    config["encoder"] |= {"items": side, "captions": side, "shards": 2}
    config["scoring"]["shards"] = 2
    keep(config, "siglip", "blip")
    summary, board = finished(checkout, config)
    assert set(summary["protocol"]) == {"Karpathy, all captions"}
    assert {"aligned", "probabilistic", "projection", "alignment"} == set(summary["family"])
    assert (summary["n_items"] == 8).all() and (summary["n_captions"] > 8).all()
    assert board["t2v_asp"].notna().all()


def test_coco_from_its_pictures_to_the_tables(checkout):
    # Two models read the two sides, and share no space.
    write_coco(checkout.folder / "resources/coco", 14, 6, 5, 10)
    tiny_siglip(checkout.folder / "resources/tiny_siglip")
    tiny_e5(checkout.folder / "resources/tiny_e5")
    config = shrunk("coco")
    config["encoder"]["items"] |= {"model": "resources/tiny_siglip", "revision": None}
    config["encoder"]["captions"] |= {"model": "resources/tiny_e5", "revision": None}
    config["encoder"]["shards"] = 3
    config["scoring"]["shards"] = 2
    keep(config, "attention_queue", "cross_modal", "siglip_learnt")
    for name in ("poly_domain_6", "sgr", "sgraf"):  # as in Flickr30K's
        del config["models"][name]
    config["scoring"]["models"] = ["saf"]
    config["pictures"]["models"] = ["cross_modal"]
    summary, board = finished(checkout, config)
    assert set(summary["protocol"]) == {"Karpathy, first five captions"}
    assert {"aligned", "probabilistic", "projection", "alignment"} == set(summary["family"])
    assert (summary["n_items"] == 10).all()
    figures = ["t2v_pmrp", "t2v_asp", "fold_t2v_r1", "t2v_r50", "rsum"]
    assert summary[figures].notna().all(axis=None) and board["p_vs_best"].notna().all()
    features = checkout.folder / "results/coco/siglip2_e5mistral/features"
    regions, captions = (FeatureStore(features / f"{n}.h5") for n in ("regions", "captions"))
    # Shards put together hold the items in the order of the manifest.
    manifest = pd.read_parquet(checkout.folder / "results/coco/manifest.parquet")
    assert regions.ids == manifest["item_id"].tolist()
    assert regions.attributes["dtype"] == "float16" and captions.attributes["dtype"] == "float32"
    assert not (features / "shards").exists() or not list((features / "shards").rglob("*.h5"))


@pytest.mark.skipif(not PYTHON.is_file(), reason=REASON)
def test_msrvtt_from_its_clips_to_the_tables(checkout):
    # ImageBind's jobs run in an environment of their own; all others here.
    write_msrvtt(checkout.folder / "resources/msrvtt", clips=(20, 4, 12), test=10)
    done = run("tests/encoders/tiny_imagebind.py", checkout.folder / "resources")
    assert done.returncode == 0, done.stdout
    (checkout.folder / "resources/msrvtt/videos/all/video3.mp4").write_bytes(b"")
    config = shrunk("msrvtt", val_share=0.2)
    config["data"]["msrvtt"]["lists"] = "own"
    side = {"module": "imagebind", "model": "resources/tiny.pth", "python": str(PYTHON)}
    config["encoder"] |= {"items": side, "captions": side, "shards": 2}
    del config["models"]["poly_{degree}"]["grid"]
    keep(config, "mlp")
    config["models"]["poly_6"] = {**config["models"].pop("poly_{degree}"), "degree": 3}
    summary, board = finished(checkout, config)
    assert set(summary["protocol"]) == {"1K-A (7k), own lists, one sentence a clip, trained on one"}
    families = {"aligned", "probabilistic", "projection", "dual_encoding", "pruned"}
    assert families == set(summary["family"])
    problems = pd.read_csv(checkout.folder / "results/msrvtt_1k_a/problems.csv")
    assert problems["id"].tolist()[0] == "video3" and "empty" in problems["problem"].iloc[0]
    asked = summary.set_index("model")["n_items"]
    assert asked["aligned"] == asked["audio_all"] == asked["fused"] == 10
    assert 0 < asked["audio"] < 10
    heard = board.set_index("model")["vs_baseline"]
    assert heard["audio"] == "other queries" and heard["audio_all"] != "other queries"
