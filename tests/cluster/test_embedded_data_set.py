"""The embedded data set, whole, down to the table: here and through SLURM, with the same numbers.

One model of each system, one seed and few epochs, so that both runs take minutes; `make results`
and `make results-slurm` are the same with all of them.
"""

import copy
import shutil

import pytest
import yaml

from tests.workflow.conftest import ROOT, Checkout, make_checkout

from .conftest import Submitting
from .test_same_numbers import same_table

pytestmark = pytest.mark.slurm

MODELS = ("aligned", "pcme", "poly_domain_5", "mlp", "cross_modal", "sgr", "dual_encoding")
TARGETS = ("results/summary.csv", "results/leaderboard.csv")


def checkout_of_all(folder):
    """A checkout with every clip, and the main configuration cut down to ``MODELS``."""
    folder.mkdir()
    made = make_checkout(folder)
    shutil.copytree(ROOT / "resources/emoji", folder / "resources/emoji")
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    models = {name: copy.deepcopy(config["models"][name]) for name in MODELS}
    for entry in models.values():
        if "training" in entry:
            entry["training"] |= {"epochs": 3}
    cut = {
        "seeds": [0],
        "models": models,
        # What is of this machine and moment is left short.
        "benchmark": {"runs": 3},
        "deployment": {"models": []},
        "pictures": {"models": []},
        "cluster": {"seeds_together": True},
    }
    made.write_config({**config, **cut, "tables": {}, "sweeps": {}})
    return folder


def test_the_table_is_the_same(cluster, tmp_path):
    here = Checkout(checkout_of_all(tmp_path / "here"))
    there = Submitting(checkout_of_all(tmp_path / "there"), cluster)
    # Side by side: a cluster's jobs leave a third of the cores' time to others.
    submitting = there.start(*TARGETS)
    done = here.run(*TARGETS)
    there.finish(submitting, seconds=1800)
    assert done.returncode == 0, done.stdout[-4000:]
    for table in TARGETS:
        same_table(here.folder / table, there.folder / table)
    assert not cluster.command("squeue", "--noheader")
