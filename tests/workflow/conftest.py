"""A small checkout with a few real clips: the workflow under test runs there, and may be edited."""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PER_SPLIT = {"train": 28, "val": 10, "test": 12}

SIDE = {"rnn_size": 6, "channels": [4, 4], "kernels": [2, 3]}

CONFIG = {
    "data": {"name": "few", "source": "emoji", "root": "resources/few"},
    "alignment": {"width": [8], "shrinkage": [1.0], "root": [0.5]},
    "seeds": [0, 1],
    "device": "cpu",
    "teachers": {
        "fixed": {"source": "fixed", "n_pairs": 2000, "K": 3},
        "domain": {"source": "domain", "n_pairs": 2000, "K": 3},
        "trained": {"source": "pcme", "model": "pcme", "run_seed": 1, "n_pairs": 2000, "K": 3},
    },
    "teacher_comparison": {"n_pairs": 500, "K": 3, "degree": 3, "test_pairs": 50},
    "evaluation": {
        "metrics": ["mrr"],
        "asp": True,
        "pmrp": "groups",
        "folds": 2,
        "resamples": 100,
        "permutations": 200,
        "certificate_pairs": 50,
        "certificate_queries": 5,
    },
    "benchmark": {
        "warmup": 1,
        "runs": 3,
        "threads": 1,
        "gallery": [20, 200],
        "gallery_batch": 5,
    },
    "deployment": {
        "models": ["aligned", "pcme", "poly_domain"],
        "adc_bits": [8],
        "weight_noise": [0.05],
        "drift_seconds": [3600.0],
        "programming_seeds": 2,
        "runs": 2,
    },
    "pictures": {"models": ["aligned", "pcme"], "pairs": 10, "queries": 4},
    "models": {
        "aligned": {"family": "aligned"},
        "pcme": {
            "family": "probabilistic",
            "loss": "sampled",
            "similarities": ["mean", "mc", "closed"],
            "hidden": 16,
            "training": {"epochs": 2, "batch_size": 8},
        },
        "poly_{teacher}": {
            "family": "probabilistic",
            "loss": "poly",
            "similarities": ["poly"],
            "degree": 3,
            "hidden": 16,
            "training": {"epochs": 2, "batch_size": 8},
            "grid": {"teacher": ["domain", "trained"]},
        },
        "poly_fixed": {
            "family": "probabilistic",
            "loss": "poly",
            "similarities": ["poly"],
            "teacher": "fixed",
            "published": True,
            "degree": 3,
            "hidden": 16,
            "training": {"epochs": 2, "batch_size": 8},
        },
        "cross_modal": {
            "family": "projection",
            "head": {"type": "cross_modal", "output_dim": 8, "hidden_dim": 8, "num_heads": 2},
            "loss": {"type": "queue", "queue_size": 16, "learnable": True},
            "training": {"epochs": 2, "batch_size": 8, "patience": 1, "select": "val_r1"},
        },
        "align": {
            "family": "projection",
            "head": {"type": "align", "output_dim": 8, "hidden_dim": 16},
            "loss": {"type": "blip", "momentum": 0.9},
            "training": {"epochs": 2, "batch_size": 8},
        },
        "{module}": {
            "family": "alignment",
            "embed_dim": 16,
            "sim_dim": 8,
            "word_dim": 8,
            "loss": {"daa_weight": 2, "smooth_ap_weight": 1},
            "training": {
                "epochs": 2,
                "batch_size": 8,
                "schedule": "step",
                "step_epochs": 1,
                "tensorboard": True,
            },
            "grid": {"module": ["saf", "sgr"]},
        },
        "sgraf": {"family": "alignment", "module": "sgraf", "members": ["saf", "sgr"]},
        "dual": {
            "family": "dual_encoding",
            "similarities": ["hybrid", "latent"],
            "embed_dim": 8,
            "word_vectors": True,
            "items": SIDE,
            "captions": SIDE,
            "loss": {"reduction": "sum"},
            "training": {
                "epochs": 2,
                "batch_size": 8,
                "schedule": "plateau",
                "select": "val_t2v_rsum",
                "reload": True,
            },
        },
        "dual_pruned": {
            "family": "pruned",
            "of": "dual",
            "rate": 0.3,
            "fine_tune": True,
            "training": {"epochs": 1, "batch_size": 8},
        },
    },
    "words": {"min_count": 1, "vectors": "encoder"},
    "tags": {"size": 20, "min_count": 1, "min_item_count": 1, "untagged": "leave_out"},
}


class Checkout:
    """A copy of the project in a folder of its own, with the command line that users type."""

    def __init__(self, folder):
        self.folder = folder

    def write_config(self, config):
        (self.folder / "config/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def command(self, *arguments):
        cores = [] if "--report" in arguments else ["--cores", "2"]  # as people type it
        return [sys.executable, "-m", "snakemake", *cores, "--nocolor", *arguments]

    def run(self, *arguments):
        """Run snakemake here; returns the finished process with all its output in ``stdout``."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def planned(self, *arguments):
        """Rule -> number of jobs that a run would do now."""
        done = self.run("-n", *arguments)
        assert done.returncode == 0, done.stdout
        if "Nothing to be done" in done.stdout:
            return {}
        table = done.stdout.split("Job stats:")[-1].split("total")[0].splitlines()[3:]
        counts = {
            name: int(count) for name, count in (line.split() for line in table if line.strip())
        }
        counts.pop("all", None)
        return counts


def make_checkout(folder):
    for name in ("Snakefile", "workflow", "envs"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    (folder / "config").mkdir()
    _few_clips(folder / "resources/few")
    checkout = Checkout(folder)
    checkout.write_config(CONFIG)
    return checkout


def _few_clips(target):
    """The first items of each split of the embedded data set: stills and animations."""
    root = ROOT / "resources/emoji"
    read = {"dtype": str, "keep_default_na": False}
    items = pd.read_csv(root / "items.csv", **read)
    captions = pd.read_csv(root / "captions.csv", **read)
    few = pd.concat(
        [items[items["split"] == split].iloc[5 : 5 + n] for split, n in PER_SPLIT.items()]
    )
    few = few[few["item_id"].isin(captions.loc[captions["kind"] == "name", "item_id"])]
    (target / "images").mkdir(parents=True)
    for path in few["path"]:
        shutil.copy(root / path, target / path)
    few.to_csv(target / "items.csv", index=False)
    kept = captions[captions["item_id"].isin(few["item_id"])]
    kept.to_csv(target / "captions.csv", index=False)


def made_of(folder):
    """A hash of every file of a checkout, and of the Python and packages that would run it."""
    found = [sys.version, *sorted(f"{one.name} {one.version}" for one in distributions())]
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found += [str(path.relative_to(folder)), sha256(path.read_bytes()).hexdigest()]
    return sha256("\n".join(found).encode()).hexdigest()


@pytest.fixture(scope="session")
def finished(tmp_path_factory, pytestconfig):
    """A checkout in which everything has run once. Tests must leave it as they found it.

    It is kept for the next run of the tests, as long as nothing changes that it is made of.
    """
    checkout = make_checkout(tmp_path_factory.mktemp("finished"))
    folder, output = checkout.folder, checkout.folder / "output.txt"
    kept = pytestconfig.cache.mkdir("finished") / made_of(folder)
    if kept.is_dir():
        shutil.rmtree(folder)
        shutil.copytree(kept, folder, symlinks=True)
    else:
        done = checkout.run()
        assert done.returncode == 0, done.stdout[-4000:]
        output.write_text(done.stdout)
        for old in kept.parent.iterdir():
            shutil.rmtree(old)
        shutil.copytree(folder, kept.with_suffix(".part"), symlinks=True)
        kept.with_suffix(".part").rename(kept)
    checkout.output = output.read_text()
    return checkout


@pytest.fixture
def fresh(tmp_path):
    """A checkout in which nothing has run."""
    return make_checkout(tmp_path)
