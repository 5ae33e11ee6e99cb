"""A config of the repository in small: the same models, losses and figures, for a few items."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]

# What sizes and times of a config become; every other key stays as it is.
SMALL: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 8,
    "step_epochs": 1,
    "hidden": 16,
    "hidden_dim": 16,
    "output_dim": 8,
    "num_heads": 2,
    "queue_size": 16,
    "embed_dim": 8,
    "sim_dim": 8,
    "word_dim": 8,
    "n_pairs": 500,
    "K": 3,
    "width": [4],
    "shrinkage": [1.0],
    "gallery": [20],
    "runs": 3,
    "warmup": 0,
    "min_count": 1,
    "min_item_count": 1,
}
SIDE = {"rnn_size": 4, "channels": [4], "kernels": [2]}


def shrunk(name: str, **data: Any) -> dict[str, Any]:
    """``config/<name>.yaml`` with small sizes, one seed, on the CPU; ``data`` goes into `data`."""
    config = _small(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text(encoding="utf-8")))
    config["data"] |= data
    config["device"], config["seeds"], config["download"] = "cpu", [0], False
    few = {"resamples": 100, "permutations": 100, "certificate_pairs": 20, "certificate_queries": 2}
    config["evaluation"] = config.get("evaluation", {}) | few
    config["teacher_comparison"] = {"n_pairs": 200, "K": 3, "degree": 3, "test_pairs": 20}
    config["deployment"] = {"models": []}
    config["pictures"] = {"models": ["aligned"], "pairs": 4, "queries": 4}
    for entry in config["models"].values():
        if entry["family"] == "dual_encoding":
            entry |= {"items": SIDE, "captions": SIDE}
    del config["sweeps" if "sweeps" in config else "download"]
    return config


def _small(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: copy.copy(SMALL[key]) if key in SMALL else _small(v) for key, v in value.items()
        }
    return value
