"""Results of a made-up configuration on disk, as large and as odd as a test wants them."""

import json

import numpy as np
import pandas as pd
from PIL import Image

from polymatch.data.tables import load_schema, write_table
from polymatch.evaluation.query_ranks import DirectionRanks, RetrievalRanks, object_array
from polymatch.settings.config import load_config

TRAINED = {"family": "probabilistic", "loss": "mean", "similarities": ["mean"]}


def config_of(models, **others):
    """A configuration with the baseline and so many trained models, one seed each."""
    names = [f"model_{number}" for number in range(models)]
    return load_config(
        {
            "data": {"name": "few", "source": "emoji", "root": str(others.pop("root"))},
            "encoder": {"name": "efficientnet_minilm"},
            "models": {"aligned": {"family": "aligned"}} | dict.fromkeys(names, TRAINED),
            "seeds": [0],
            "evaluation": {"permutations": 100, "resamples": 100},
            **others,
        }
    )


def fitting(schema, **values):
    """A row that fits a schema, with these values."""
    rules = load_schema(schema)
    row = {}
    for name in rules["required"]:
        rule = rules["properties"][name]
        kinds = [rule["type"]] if isinstance(rule["type"], str) else rule["type"]
        made = {"string": rule.get("enum", ["text"])[0], "boolean": False, "integer": 1}
        row[name] = made.get(kinds[0], 1.0)
    return row | values


def write_results(folder, config, texts, items, pictures=0, seed=0):
    """Write what a finished main job leaves that the page reads.

    texts: caption texts, as many for each item; items: their ids; pictures: side of the items'
    pictures, of noise, in pixels, or 0 for items without
    """
    random = np.random.default_rng(seed)
    root, results = folder / "data", folder / "results"
    space = results / "few" / "efficientnet_minilm"
    space.mkdir(parents=True)
    root.mkdir(parents=True)
    paths = [f"{number}.png" if pictures else None for number in range(len(items))]
    for path in filter(None, paths):
        pixels = random.integers(0, 256, (pictures, pictures, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / path, compress_level=0)
    manifest = pd.DataFrame(
        {
            "item_id": items,
            "path": pd.Series(paths, dtype=object),
            "n_frames": pd.Series([1 if pictures else None] * len(items), dtype="Int64"),
            "group_id": items,
            "split": "test",
            "subgroup": "all",
        }
    )
    each = len(texts) // len(items)
    owners = np.repeat(np.arange(len(items)), each)
    captions = pd.DataFrame(
        {
            "caption_id": [f"caption {number}" for number in range(len(texts))],
            "item_id": [items[row] for row in owners],
            "text": texts,
            "kind": "name",
            "language": "en",
        }
    )
    write_table(manifest, space.parent / "manifest.parquet", "manifest")
    write_table(captions, space.parent / "captions.parquet", "captions")
    board, summary = [], []
    # Zeros that take no room on the disk.
    similarity = space / "zeros.npy"
    matrix = np.lib.format.open_memmap(similarity, "w+", np.float32, (len(items), len(texts)))
    matrix.flush()
    for place, name in enumerate(config.models):
        kind = config.models[name].scored_by[0]
        run = space / "runs" / name / "0"
        run.mkdir(parents=True)
        (run / f"{kind}.npy").symlink_to(similarity)
        _ranks(items, len(texts), owners, random).save(run / f"{kind}.ranks.parquet")
        history = [fitting("history", epoch=epoch, kept=epoch == 60) for epoch in range(200)]
        write_table(pd.DataFrame(history), run / "history.csv", "history")
        named = {"model": name, "similarity": kind, "family": config.models[name].family}
        board.append(fitting("leaderboard", **named, rsum=300.0 - place, vs_baseline="better"))
        summary.append(fitting("summary", **named, dataset="few", seed=0))
    write_table(pd.DataFrame(board), results / "leaderboard.csv", "leaderboard")
    write_table(pd.DataFrame(summary), results / "summary.csv", "summary")
    return results, space


def _ranks(items, captions, owners, random):
    def direction(ids, clusters, candidates, positives):
        number = len(ids)
        return DirectionRanks(
            query_ids=object_array(ids),
            clusters=object_array(clusters),
            better=np.minimum(random.geometric(0.05, number) - 1, candidates - 1),
            tied_negatives=np.zeros(number, np.int64),
            tied_positives=np.ones(number, np.int64),
            n_positives=np.full(number, positives),
            n_candidates=np.full(number, candidates),
            average_precision=np.full(number, 0.5),
        )

    named = [items[row] for row in owners]
    return RetrievalRanks(
        t2v=direction(list(range(captions)), named, len(items), 1),
        v2t=direction(items, items, captions, captions // len(items)),
    )


def shown(page):
    """The contents of a page's file."""
    text = page.split('<script type="application/json" id="contents">')[1].split("</script>")[0]
    return json.loads(text)
