"""A folder of pictures and clips with captions, down to the table, by `config/custom.yaml`."""

from fractions import Fraction

import numpy as np
import pytest
import yaml

from polymatch.data.tables import read_table

from ..sources.custom_examples import names, picture, write_folder
from .conftest import ROOT, make_checkout

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("custom")]

CONFIG = ("--configfile", "config/custom.yaml")
PICTURES, CLIPS = 24, 12

# What makes the configuration small enough for a few files; all else is as it is there.
SMALL = {
    "alignment": {"width": [8], "shrinkage": [1.0], "root": [0.5]},
    "seeds": [0],
    "device": "cpu",
    "evaluation": {"resamples": 100, "permutations": 200},
    "benchmark": {"warmup": 0, "runs": 3, "threads": 1, "gallery": []},
}


def write_clip(path, row):
    """Two seconds of a picture that grows darker."""
    import av

    pixels = np.asarray(picture(row, size=64))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(20):
            frame = av.VideoFrame.from_ndarray((pixels * (1 - number / 40)).astype(np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def custom(tmp_path_factory):
    checkout = make_checkout(tmp_path_factory.mktemp("custom"))
    config = yaml.safe_load((ROOT / "config/custom.yaml").read_text())
    config["data"]["custom"]["test_share"] = config["data"]["val_share"] = 0.25
    config["models"] = {name: config["models"][name] for name in ("aligned", "clip")}
    config["models"]["clip"]["training"]["epochs"] = 2
    config["pictures"]["models"] = ["aligned"]
    (checkout.folder / "config/custom.yaml").write_text(yaml.safe_dump(config | SMALL))
    return checkout


@pytest.fixture(scope="module")
def root(custom):
    root = custom.folder / "resources/mine"
    write_folder(root, PICTURES)
    for row in range(PICTURES, PICTURES + CLIPS):
        write_clip(root / f"clip{row}.mp4", row)
        (root / f"clip{row}.txt").write_text(f"Number {row} grows darker\n")
    return root


def test_without_the_folder_one_line_says_so_before_any_job(fresh):
    fresh.write_config(yaml.safe_load((ROOT / "config/custom.yaml").read_text()))
    done = fresh.run("results/summary.csv")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith("DataError: ")]
    assert len(lines) == 1
    assert lines[0].startswith("DataError: resources/mine: no such folder (data.root); put ")
    assert "looked for: a table of files and captions" in lines[0]
    assert not (fresh.folder / "results").exists()


def test_a_folder_of_ones_own_becomes_the_table(custom, root):
    done = custom.run("results/summary.csv", *CONFIG)
    assert done.returncode == 0, done.stdout[-4000:]
    manifest = read_table(custom.folder / "results/mine/manifest.parquet", "manifest")
    ids = names(PICTURES) + [f"clip{r}" for r in range(24, 36)]
    assert manifest["item_id"].tolist() == sorted(ids)
    clips = manifest["path"].str.endswith(".mp4")
    assert manifest["n_frames"][clips].eq(8).all() and manifest["n_frames"][~clips].eq(1).all()
    summary = read_table(custom.folder / "results/summary.csv", "summary")
    assert summary["model"].tolist() == ["aligned", "clip"]
    assert summary["dataset"].eq("mine").all()
    assert summary["n_items"].eq((manifest["split"] == "test").sum()).all()
    assert custom.planned("results/summary.csv", *CONFIG) == {}
    (root / f"{names(1)[0]}.txt").write_text("Another caption\n")
    assert "prepare" in custom.planned("results/summary.csv", *CONFIG)


def test_the_whole_configuration_can_be_planned(custom, root):
    whole = custom.folder / "config/whole.yaml"
    whole.write_text((ROOT / "config/custom.yaml").read_text())
    planned = custom.planned("all", "--configfile", "config/whole.yaml")
    assert planned["train"] == 1 + 5 * 3
