"""Runs of a small data set, with ranks made by hand, in a folder as the workflow leaves it."""

import json

import numpy as np
import pandas as pd
import yaml

from polymatch.data.tables import write_table
from polymatch.evaluation import retrieval_ranks

N = 40
CONFIG = {
    "data": {"name": "toy", "source": "emoji", "root": "nowhere"},
    "seeds": [0, 1],
    "evaluation": {"resamples": 100, "permutations": 400},
    "models": {
        "aligned": {"family": "aligned"},
        "strong": {"family": "probabilistic", "loss": "sampled", "similarities": ["mean", "mc"]},
        "weak": {"family": "probabilistic", "loss": "sampled", "similarities": ["mean"]},
    },
}
STRENGTH = {"aligned": 1.0, "strong": 3.0, "weak": 0.5}
KINDS = {"aligned": ["cosine"], "strong": ["mean", "mc"], "weak": ["mean"]}


def captions_of(items, first="text"):
    """Two texts an item; one more is said of the first two items."""
    rows = [(f"{item}.{n}", item, f"{first} {n} of {item}") for item in items for n in range(2)]
    rows += [("both.0", items[0], "both of them"), ("both.1", items[1], "Both  of them")]
    table = pd.DataFrame(rows, columns=["caption_id", "item_id", "text"])
    return table.assign(kind="name", language="en")


def write_runs(root, items=None, first="text", seeds=(0, 1)):
    """``root/results`` and ``root/config.yaml``; returns the item ids and what each query names."""
    items = items or [f"item{row}" for row in range(N)]
    data = root / "results/toy"
    data.mkdir(parents=True)
    manifest = pd.DataFrame({"item_id": items, "path": None, "n_frames": None})
    manifest = manifest.assign(group_id=items, split="test")
    manifest = manifest.astype({"n_frames": "Int64"})
    write_table(manifest, data / "manifest.parquet", "manifest")
    captions = captions_of(items, first)
    write_table(captions, data / "captions.parquet", "captions")
    (root / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"seeds": list(seeds)}))
    named = [(item,) for item in items for _ in range(2)] + [(items[0], items[1])]
    for model, kinds in KINDS.items():
        for seed in seeds if model != "aligned" else (0,):
            folder = data / f"efficientnet_minilm/runs/{model}/{seed}"
            folder.mkdir(parents=True)
            (folder / "model.safetensors").touch()
            settings = {"settings": CONFIG["models"][model]}
            (folder / "settings.json").write_text(json.dumps(settings))
            for place, kind in enumerate(kinds):
                random = np.random.default_rng([seed, place, len(model)])
                scores = random.normal(size=(len(items), len(named)))
                for query, names in enumerate(named):
                    for item in names:
                        scores[items.index(item), query] += STRENGTH[model]
                retrieval_ranks(scores, items, named).save(folder / f"{kind}.ranks.parquet")
    return items, named
