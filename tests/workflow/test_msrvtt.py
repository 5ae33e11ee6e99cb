"""MSR-VTT's official split, from its files to the published table, in small."""

import numpy as np
import pytest
import yaml

from polymatch.data.tables import read_table

from ..sources.bigfile_examples import write
from .conftest import ROOT, make_checkout

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("msrvtt")]

CONFIG = ("--configfile", "config/msrvtt_official.yaml", "config/small.yaml")
SIDE = {"rnn_size": 12, "channels": [8, 8], "kernels": [2, 3]}
# What makes the published configuration small enough for a few videos; all else is as it is there.
SMALL = {
    "device": "cpu",
    "words": {"min_count": 1},
    "tags": {"size": 20, "min_count": 1, "min_item_count": 1},
    "evaluation": {"resamples": 100, "permutations": 200},
    "benchmark": {"warmup": 0, "runs": 3, "gallery": []},
    "models": {
        "dual_encoding": {
            "embed_dim": 24,
            "items": SIDE,
            "captions": SIDE,
            "training": {"epochs": 2, "batch_size": 8},
        }
    },
}
# Fewer words and units than pruning is meant for: a third of them all may be all of one layer.
RATES = {"D": 0.1, "E": 0.1, "F": 0.1}


def word2vec(folder, words, width=7):
    folder.mkdir(parents=True)
    vectors = np.random.default_rng(0).standard_normal((len(words), width))
    (folder / "feature.bin").write_bytes(vectors.astype("<f4").tobytes())
    (folder / "id.txt").write_text(" ".join(words))
    (folder / "shape.txt").write_text(f"{len(words)} {width}\n")


@pytest.fixture(scope="module")
def msrvtt(tmp_path_factory):
    checkout = make_checkout(tmp_path_factory.mktemp("msrvtt"))
    published = ROOT / "config/msrvtt_official.yaml"
    (checkout.folder / "config/msrvtt_official.yaml").write_text(published.read_text())
    rows = yaml.safe_load(published.read_text())["tables"]["dual_encoding"]["rows"]
    small = SMALL | {
        "tables": {
            "dual_encoding": {
                "rows": {
                    label: row | {"pruned": row["pruned"] | {"rate": RATES[label]}}
                    for label, row in rows.items()
                    if label in RATES
                }
            }
        }
    }
    (checkout.folder / "config/small.yaml").write_text(yaml.safe_dump(small))
    counts = iter(np.random.default_rng(1).integers(1, 6, 60).tolist())
    videos = {
        split: {f"video{split}{number}": next(counts) for number in range(12)}
        for split in ("train", "val", "test")
    }
    write(checkout.folder / "resources/msrvtt10k", videos | {"": {}}, captions=3)
    word2vec(checkout.folder / "resources/word2vec", ["a", "man", "sings", "dog"])
    return checkout


def test_the_published_table_is_made_of_its_files(msrvtt):
    done = msrvtt.run("results/tables/dual_encoding.csv", "results/summary.csv", *CONFIG)
    assert done.returncode == 0, done.stdout[-4000:]
    table = read_table(msrvtt.folder / "results/tables/dual_encoding.csv", "size_table")
    labels = ["DE", "A", "B", "C", "D", "E", "F", "units", "units_tuned", "int8"]
    assert table["label"].tolist() == labels
    ratios, left = (table.set_index("label")[name] for name in ("size_ratio", "nonzero_parameters"))
    assert ratios["DE"] == pytest.approx(ratios["B"]) == pytest.approx(1)
    assert (ratios[["C", "units", "int8"]] < 1).all() and left["D"] < 0.92 * left["B"]
    assert left["E"] < 0.92 * left["C"] and ratios["units"] == ratios["units_tuned"]
    summary = read_table(msrvtt.folder / "results/summary.csv", "summary")
    assert summary["model"].tolist() == ["dual_encoding"]
    vectors = read_table(msrvtt.folder / "results/msrvtt/unknown_vectors.csv", "unknown_vectors")
    assert "about" in set(vectors["word"]) and not {"man", "sings"} & set(vectors["word"])
    assert msrvtt.planned("results/tables/dual_encoding.csv", *CONFIG) == {}
