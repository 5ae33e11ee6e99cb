"""Matrices made elsewhere and divided scoring, in the workflow, on a few real clips."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from polymatch.data.tables import read_table

from .conftest import CONFIG, Checkout

SPACE = "results/few/efficientnet_minilm"
PCME = f"{SPACE}/runs/pcme/0/mean"
EXTERNAL = {
    "shuffled": {
        "similarity": ["given/shuffled.npy"],
        "items": "given/items.txt",
        "captions": "given/captions.txt",
        "against": "pcme",
    },
    "one": {"similarity": [f"{SPACE}/runs/aligned/0/cosine.npy"], "against": "aligned"},
    "two": {
        "similarity": [f"{SPACE}/runs/pcme/{seed}/mc.npy" for seed in (0, 1)],
        "against": "pcme",
        "kind": "mc",
    },
    "elsewhere": {"similarity": ["given/elsewhere.npy"], "caption_items": "given/owners.txt"},
}
SHARDED = {"pcme": "mc", "poly_domain": "poly", "cross_modal": "pairwise"}
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("finished")]


@pytest.fixture(scope="module")
def given(finished, tmp_path_factory):
    """A copy of the finished checkout with foreign matrices beside it, all of them scored."""
    folder = tmp_path_factory.mktemp("external") / "checkout"
    shutil.copytree(finished.folder, folder)
    checkout = Checkout(folder)
    write_matrices(folder)
    checkout.write_config({**CONFIG, "external": EXTERNAL})
    checkout.planned_all = checkout.planned()
    checkout.planned_external = checkout.planned("external")
    done = checkout.run("external")
    assert done.returncode == 0, done.stdout[-4000:]
    return checkout


def write_matrices(folder):
    """A run's own matrix in another order, both ways named by ids; and one of other things."""
    random = np.random.default_rng(0)
    (folder / "given").mkdir()
    manifest = read_table(folder / "results/few/manifest.parquet", "manifest")
    captions = read_table(folder / "results/few/captions.parquet", "captions")
    items = manifest.loc[manifest["split"] == "test", "item_id"]
    names = captions[(captions["kind"] == "name") & captions["item_id"].isin(items)]
    first = names.groupby(names["text"].str.casefold(), sort=False)["caption_id"].first().tolist()
    own = np.load(folder / f"{PCME}.npy")
    rows, columns = random.permutation(len(items)), random.permutation(len(first))
    np.save(folder / "given/shuffled.npy", own[rows][:, columns])
    listed(folder / "given/items.txt", items.to_numpy()[rows])
    listed(folder / "given/captions.txt", np.array(first)[columns])
    np.save(folder / "given/elsewhere.npy", random.normal(size=(20, 100)).astype(np.float16))
    listed(folder / "given/owners.txt", np.repeat([f"{n}.jpg" for n in range(20)], 5))


def listed(path, ids):
    path.write_text("".join(f"{each}\n" for each in ids))


def row(checkout, name):
    table = read_table(checkout.folder / f"results/external/{name}.csv", "external")
    assert len(table) == 1
    return table.iloc[0]


def test_the_main_job_scores_them_and_makes_nothing_else_again(given):
    four = {"score_external": 4}
    # They are in the graph of rules, and so on the page.
    assert given.planned_all == four | {"plot_rules": 1, "report_page": 1}
    assert given.planned_external == {**four, "external": 1}
    assert given.planned("external") == {}


@pytest.mark.parametrize(
    ("name", "run"), [("shuffled", PCME), ("one", f"{SPACE}/runs/aligned/0/cosine")]
)
def test_a_runs_own_matrix_gets_the_runs_figures(given, name, run):
    found = row(given, name)
    record = json.loads((given.folder / f"{run}.metrics.json").read_text())
    assert len(record["metrics"]) > 10
    for metric, value in record["metrics"].items():
        assert found[metric] == value
        assert [found[f"{metric}_lo"], found[f"{metric}_hi"]] == record["intervals"][metric]
    assert found["n_items"] == record["n_items"] and found["n_captions"] == record["n_captions"]
    ranks = [
        pd.read_parquet(given.folder / path)
        for path in (f"results/external/{name}.ranks.parquet", f"{run}.ranks.parquet")
    ]
    pd.testing.assert_frame_equal(*ranks)


def test_it_differs_in_nothing_from_the_run_that_it_is_of(given):
    found = row(given, "one")
    assert found["against"] == "aligned" and found["against_similarity"] == "cosine"
    assert found["against_runs"] == 1
    for metric in ("rsum", "t2v_r1", "v2t_r1"):
        assert found[f"{metric}_difference"] == 0 and found[f"{metric}_p"] == 1
        assert found[f"{metric}_difference_lo"] == found[f"{metric}_difference_hi"] == 0
    shuffled = row(given, "shuffled")
    runs = [given.folder / f"{SPACE}/runs/pcme/{seed}/mean.metrics.json" for seed in (0, 1)]
    ours = np.mean([json.loads(path.read_text())["metrics"]["rsum"] for path in runs])
    assert shuffled["against_runs"] == 2
    assert shuffled["rsum_difference"] == pytest.approx(shuffled["rsum"] - ours)


def test_the_mean_of_two_runs_matrices_is_scored(given):
    found = row(given, "two")
    assert found["matrices"] == 2 and found["against_similarity"] == "mc"
    both = [np.load(given.folder / f"{SPACE}/runs/pcme/{seed}/mc.npy") for seed in (0, 1)]
    np.save(given.folder / "given/mean.npy", np.mean(both, axis=0, dtype=np.float64))
    entry = {"similarity": ["given/mean.npy"], "against": "pcme", "kind": "mc"}
    given.write_config({**CONFIG, "external": {**EXTERNAL, "by_hand": entry}})
    done = given.run("results/external/by_hand.csv")
    assert done.returncode == 0, done.stdout[-3000:]
    by_hand = row(given, "by_hand")
    for column in by_hand.index.drop(["name", "matrices"]):
        assert found[column] == by_hand[column]


def test_a_matrix_of_another_data_set_is_scored_alone(given):
    found = row(given, "elsewhere")
    assert found["n_items"] == 20 and found["n_captions"] == 100
    assert pd.isna(found["against"]) and pd.isna(found["rsum_p"])
    assert found["t2v_r5"] == pytest.approx(25, abs=20)  # chance


def test_what_is_wrong_is_one_line(given):
    folder = given.folder / "given"
    bad = np.load(folder / "shuffled.npy")
    item, caption = (
        (folder / name).read_text().splitlines()[0] for name in ("items.txt", "captions.txt")
    )
    np.save(folder / "turned.npy", bad.T)
    bad[0, 0] = np.nan
    np.save(folder / "bad.npy", bad)
    named = {key: EXTERNAL["shuffled"][key] for key in ("items", "captions")}
    faults = {
        "nan": ({"similarity": ["given/bad.npy"], **named}, f"{item!r}, caption {caption!r}"),
        "turned": ({"similarity": ["given/turned.npy"], **named}, "is captions x items; expected"),
        "gone": ({"similarity": ["given/gone.npy"]}, "external.gone: given/gone.npy: no such file"),
    }
    entries = {name: entry for name, (entry, _) in faults.items()}
    given.write_config({**CONFIG, "external": {**EXTERNAL, **entries}})
    for name, (_, message) in faults.items():
        done = given.run(f"results/external/{name}.csv")
        assert done.returncode != 0
        assert "Traceback" not in done.stdout
        assert [line for line in done.stdout.splitlines() if message in line], done.stdout[-3000:]
        assert not list((given.folder / "results/external").glob(f"*{name}*"))
    done = given.run("-n", "results/external/shufled.csv")
    assert "unknown external matrix 'shufled'; did you mean 'shuffled'?" in done.stdout
    assert "Traceback" not in done.stdout


def test_three_shards_give_the_scores_of_one_to_the_bit(given):
    given.write_config({**CONFIG, "scoring": {"shards": 3, "models": list(SHARDED)}})
    targets = [f"{SPACE}/runs/{model}/0/{kind}.npy" for model, kind in SHARDED.items()]
    whole = {target: (given.folder / target).read_bytes() for target in targets}
    for target in targets:
        (given.folder / target).unlink()
    assert given.planned(*targets) == {"score_shard": 9, "gather_scores": 3}
    done = given.run(*targets)
    assert done.returncode == 0, done.stdout[-4000:]
    assert {target: (given.folder / target).read_bytes() for target in targets} == whole
    assert not list(given.folder.rglob("*.shards/*"))
    assert "score_shard" not in given.planned(f"{SPACE}/runs/align/0/cosine.npy")


def test_more_shards_than_items_are_refused(given):
    given.write_config({**CONFIG, "scoring": {"shards": 1000, "models": ["align"]}})
    done = given.run(f"{SPACE}/runs/align/0/cosine.shards/of_1000/0.npy")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert "ConfigError: scoring.shards: 1000 shards of 12 test items; allowed: 1 to" in done.stdout
