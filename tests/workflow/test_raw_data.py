"""Raw data sets in small, by their own configs, from upstream's files to the tables."""

import pandas as pd
import pytest
import yaml

from polymatch.data.features import FeatureStore
from polymatch.settings.config import load_config

from ..encoders.tiny_models import tiny_clip, tiny_e5, tiny_siglip
from ..sources.raw_examples import write_coco, write_flickr30k
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


def test_flickr30k_from_its_pictures_to_the_tables(checkout):
    write_flickr30k(checkout.folder / "resources/flickr30k", 16, 6, 8)
    tiny_clip(checkout.folder / "resources/tiny_clip")
    config = shrunk("flickr30k")
    side = {"module": "clip", "model": "resources/tiny_clip"}
    config["encoder"] |= {"items": side, "captions": side, "shards": 2}
    config["scoring"]["shards"] = 2
    summary, board = finished(checkout, config)
    assert set(summary["protocol"]) == {"Karpathy, all captions"}
    assert {"aligned", "probabilistic", "projection", "alignment"} == set(summary["family"])
    assert (summary["n_items"] == 8).all() and (summary["n_captions"] > 8).all()
    assert board["t2v_asp"].notna().all()
