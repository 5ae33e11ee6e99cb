"""Heads against each other on every item: five folds by group, several seeds, paired tests.

The test split of the embedded data set is too small to tell heads apart. Here its groups are dealt
into five folds; each is the test split once (a tenth of the other items is val), the alignment and
every head are fitted anew, from embeddings or features as the head is, and the queries of all folds
are tested together: every item and every name is tested exactly once, with a head that has seen
none of its group.

Needs features: run ``make results`` once. Runs that are there with the same settings are not made
again (after a change of the library, delete the folder). Example:

    python benchmarks/heads.py --models aligned pcme poly_domain_5 poly_refreshed_5 --also mean
"""

import argparse
import dataclasses
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import product
from pathlib import Path

import library  # noqa: F401  (makes the library importable)
import numpy as np
import pandas as pd
import torch
import yaml

from polymatch.data.splits import RetrievalSet, SplitReader, TrainingSet
from polymatch.data.tables import read_table
from polymatch.evaluation import RetrievalRanks, holm, metrics_of, paired_test, retrieval_ranks
from polymatch.evaluation.ranks import DirectionRanks
from polymatch.models import build_model
from polymatch.models.cca import choose_alignment
from polymatch.provenance import settings_hash
from polymatch.settings.config import Config, load_config
from polymatch.surrogate import Teacher, configured_teacher
from polymatch.training.loop import train
from polymatch.training.scoring import score

ROOT = Path(__file__).resolve().parents[1]
FOLDS = range(5)


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--models", nargs="+", required=True, help="entries of the config")
    args.add_argument("--against", help="the model that the others are tested against (the first)")
    args.add_argument("--seeds", type=int, default=3)
    args.add_argument("--also", nargs="+", default=[], help="similarities of Gaussians to add")
    args.add_argument("--config", type=Path, default=ROOT / "config/config.yaml")
    args.add_argument("--results", type=Path, default=ROOT / "results")
    args.add_argument("--processes", type=int, default=2)
    args.add_argument("--out", type=Path, help="folder for every run's ranks, to go on from")
    given = args.parse_args()
    text = given.config.read_text()
    config = load_config(yaml.safe_load(text))
    out = given.out or given.results / "folds"
    jobs = [
        (text, given.results, out, fold, seed, given.models, given.also)
        for fold, seed in product(FOLDS, range(given.seeds))
    ]
    with ProcessPoolExecutor(given.processes) as pool:
        notes = pd.DataFrame(note for part in pool.map(_run, jobs) for note in part)
    pooled = {
        (name, kind): [
            _pool([_folder(config, out, name) / f"{kind}.{seed}.{fold}.parquet" for fold in FOLDS])
            for seed in seeds
        ]
        for (name, kind), seeds in _seeds(notes).items()
    }
    _report(pooled, notes, given.against or given.models[0])


def _run(job: tuple) -> list[dict]:
    """Train and score every model on one fold with one seed."""
    text, results, out, fold, seed, models, also = job
    config = load_config(yaml.safe_load(text))
    torch.set_num_threads(1)
    notes = []
    for name in models:
        entry = config.model_entry(name)
        if seed and not entry.trained:
            continue
        folder = _folder(config, out, name)
        kinds = dict.fromkeys(entry.scored_by + (also if entry.family == "probabilistic" else []))
        paths = {kind: folder / f"{kind}.{seed}.{fold}.parquet" for kind in kinds}
        note = paths[entry.scored_by[0]].with_suffix(".csv")
        if not (all(path.exists() for path in paths.values()) and note.exists()):
            data = (_aligned if entry.starts_from == "embeddings" else _fold)(text, results, fold)
            teacher = (
                _teacher(text, results, fold, entry.teacher) if entry.needs_surrogate else None
            )
            _train_and_score(name, entry, seed, data, teacher, paths, note)
        notes += pd.read_csv(note).to_dict("records")
    return notes


def _train_and_score(name, entry, seed, data, teacher, paths, note) -> None:
    training, val, test = data
    torch.manual_seed(seed)
    model = build_model(entry, training.items.shape[1], training.captions.shape[1])
    if teacher is not None:
        fitted = teacher.fit(entry.degree, entry.alpha, entry.published)
        model.attach({"surrogate": fitted.to_dict()})
    history = train(model, training, val, seed=seed, label=f"{name} seed {seed}")
    kept = history[history["kept"]].iloc[0].to_dict()
    rows = []
    for kind, path in paths.items():
        ranks = retrieval_ranks(score(model, test, kind), test.item_ids, test.positives)
        path.parent.mkdir(parents=True, exist_ok=True)
        ranks.save(path)
        rows.append({"model": name, "kind": kind, "seed": seed, **kept})
    pd.DataFrame(rows).to_csv(note, index=False)


@cache
def _teacher(text: str, results: Path, fold: int, name: str) -> Teacher:
    training, _, _ = _aligned(text, results, fold)
    settings = load_config(yaml.safe_load(text)).teacher_entry(name)
    return configured_teacher(settings, training.items, training.captions)


@cache
def _fold(text: str, results: Path, fold: int):
    """The three splits of a fold, as the encoders' features."""
    config = load_config(yaml.safe_load(text))
    tables = results / config.data.name
    features = tables / config.encoder.name / "features"
    manifest = read_table(tables / "manifest.parquet", "manifest")
    manifest = manifest.assign(split=_deal(manifest, fold))
    splits = SplitReader(
        config.data.name,
        manifest,
        read_table(tables / "captions.parquet", "captions"),
        features / "pooled.h5",
        features / "captions.h5",
    )
    training = splits.training_set("train", config.data.train_captions)
    val, test = (splits.retrieval_set(name, config.data.test_captions) for name in ("val", "test"))
    return training, val, test


@cache
def _aligned(text: str, results: Path, fold: int):
    """The same, in the space that is aligned on the training part."""
    training, val, test = _fold(text, results, fold)
    alignment, _ = choose_alignment(training, val, load_config(yaml.safe_load(text)).alignment)

    def embedded(part: TrainingSet | RetrievalSet):
        return dataclasses.replace(
            part,
            items=alignment.items(part.items).astype(np.float32),
            captions=alignment.captions(part.captions).astype(np.float32),
        )

    return embedded(training), embedded(val), embedded(test)


def _deal(manifest: pd.DataFrame, fold: int) -> np.ndarray:
    """Split of each item: groups in random order go to the fold with the fewest items."""
    sizes = manifest["group_id"].value_counts()
    order = np.random.default_rng(0).permutation(np.sort(sizes.index.to_numpy(str)))
    filled = np.zeros(2 * len(FOLDS))
    part_of = {}
    for group in sorted(order, key=lambda name: -sizes[name]):
        part = int(filled.argmin())
        part_of[group] = part
        filled[part] += sizes[group]
    # Ten parts: two are the test split, the one after them val.
    part = manifest["group_id"].map(part_of).to_numpy()
    test = np.isin(part, (2 * fold, 2 * fold + 1))
    val = part == (2 * fold + 2) % (2 * len(FOLDS))
    return np.select([test, val], ["test", "val"], "train")


def _folder(config: Config, out: Path, name: str) -> Path:
    """Where a model's ranks are; settings are in the name, the library's code is not."""
    entry = config.model_entry(name)
    teacher = config.teacher_entry(entry.teacher) if entry.needs_surrogate else None
    return out / name / settings_hash(config.data, config.encoder, config.alignment, entry, teacher)


def _seeds(notes: pd.DataFrame) -> dict[tuple[str, str], list[int]]:
    grouped = notes.groupby(["model", "kind"], sort=False)["seed"]
    return {key: sorted(set(seeds)) for key, seeds in grouped}


def _pool(paths: list[Path]) -> RetrievalRanks:
    """Put the queries of all folds together."""
    parts = [RetrievalRanks.load(path) for path in paths]
    pooled = []
    for direction in ("t2v", "v2t"):
        sides = [part.of(direction) for part in parts]
        columns = {
            field.name: np.concatenate([getattr(side, field.name) for side in sides])
            for field in dataclasses.fields(DirectionRanks)
        }
        columns["query_ids"] = np.arange(len(columns["better"]))
        pooled.append(DirectionRanks(**columns))
    return RetrievalRanks(*pooled)


def _report(pooled: dict, notes: pd.DataFrame, against: str) -> None:
    reference = next(key for key in pooled if key[0] == against)
    rows, tests = [], []
    for key, ranks in pooled.items():
        figures = pd.DataFrame([metrics_of(one) for one in ranks])
        rows.append(
            {"model": key[0], "similarity": key[1], "seeds": len(ranks)}
            | {name: figures[name].mean() for name in ("t2v_r1", "t2v_r5", "t2v_r10", "rsum")}
            | {"rsum_sd": figures["rsum"].std()}
        )
        tests.append(paired_test(ranks, pooled[reference], metric="rsum"))
    board = pd.DataFrame(rows)
    board["difference"] = [test.difference for test in tests]
    board["low"] = [test.low for test in tests]
    board["high"] = [test.high for test in tests]
    others = [row for row, key in enumerate(pooled) if key != reference]
    board.loc[others, "p_holm"] = holm([tests[row].p_value for row in others])
    where = [name for name in notes if name.startswith(("val_logvar", "val_outside"))]
    ends = notes.groupby(["model", "kind"], sort=False)[where].mean().reset_index()
    board = board.merge(
        ends, left_on=["model", "similarity"], right_on=["model", "kind"], how="left"
    ).drop(columns="kind")
    print(f"Differences in R-sum are from {' '.join(reference)}.")
    print(board.sort_values("rsum", ascending=False).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
