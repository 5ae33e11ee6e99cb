"""`--sdm conda`: every job runs in its rule's environment, which has what the rule needs."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from ..environments.files import NAMES
from ..environments.rules import jobs
from .conftest import CONFIG, Checkout, make_checkout
from .stand_in_conda import install, lines

# A model of each family, once, by one similarity.
MODELS = {
    "aligned": {},
    "pcme": {"similarities": ["mean"]},
    "poly_fixed": {},
    "cross_modal": {},
    "dual": {"similarities": ["hybrid"]},
    "{module}": {"grid": {"module": ["saf"]}},
}
SETTINGS = {
    "seeds": [0],
    "scoring": {"shards": "auto", "shard_pairs": 100, "keep": False, "models": ["saf"]},
    "teachers": {"fixed": CONFIG["teachers"]["fixed"]},
    "deployment": CONFIG["deployment"] | {"models": ["pcme"], "runs": 1},
    "pictures": CONFIG["pictures"] | {"models": ["pcme", "cross_modal"]},
    "sweeps": {"tau": {"model": "pcme", "grid": {"tau": [0.07]}}},
    "tables": {"sizes": {"reference": "DE", "rows": {"DE": {"about": "DE", "model": "dual"}}}},
}
STUDY = {
    "base": {"family": "probabilistic", "loss": "mean", "similarities": ["mean"], "hidden": 16},
    "space": {"tau": {"low": 0.01, "high": 1.0}},
    "trials": 3,
    "pruner": {"type": "none"},
    "epochs": 1,
}
TARGETS = ["all", "sweeps", "tables", "results/tuning/small/history.pdf"]
# What only other configurations run, or encoders whose weights are not here.
NOT_RUN = {
    *("download", "gather_features", "import_features", "tiny", "score_external"),
    *("count_items", "score_shard", "gather_scores"),
}
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("conda")]


class Deployed(Checkout):
    """A checkout, and a conda on PATH whose own environment is active, as people have it."""

    def __init__(self, folder, base):
        super().__init__(make_checkout(folder).folder)
        self.base = base
        path = f"{os.environ['PATH']}{os.pathsep}{install(base)}"
        # Of an active environment the place in PATH is taken: here one behind Snakemake's.
        self.active = {"PATH": path, "CONDA_SHLVL": "1", "CONDA_PREFIX": str(base)}

    def run(self, *arguments):
        return subprocess.run(
            self.command("--sdm", "conda", *arguments),
            cwd=self.folder,
            env=os.environ | {"HF_HUB_OFFLINE": "1"} | self.active,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def created(self):
        """Prefix and environment of each that was made."""
        calls = [call for call in lines(self.base / "calls.jsonl") if call[:2] == ["env", "create"]]
        texts = {(self.folder / f"envs/{name}.yaml").read_text(): name for name in NAMES}
        return [(call[7], texts[Path(call[5]).read_text()]) for call in calls]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """A checkout in which everything has run once with `--sdm conda`."""
    deployed = Deployed(tmp_path_factory.mktemp("deployed"), tmp_path_factory.mktemp("conda"))
    models = {name: CONFIG["models"][name] | change for name, change in MODELS.items()}
    deployed.write_config({**CONFIG, **SETTINGS, "models": models})
    study = deployed.folder / "config/tuning/small.yaml"
    study.parent.mkdir()
    study.write_text(yaml.safe_dump(STUDY))
    # Twice: the page shows the sweeps, tables and studies that were there when a run began.
    for _ in range(2):
        done = deployed.run("--", *TARGETS)
        said = done.stdout.splitlines()
        assert done.returncode == 0, "\n".join(line[:300] for line in said[-80:])
    return deployed


def test_every_job_ran_in_the_environment_of_its_rule(deployed):
    named = {}
    for job in jobs():
        named.setdefault(job.script, set()).add(job.environment)
    prefixes = dict(deployed.created())
    ran = set()
    for start in lines(deployed.base / "starts.jsonl"):
        script = Path(start["script"]).name
        if script in named:
            assert prefixes[start["prefix"]] in named[script], script
            assert start["active"] == start["prefix"]
            ran.add(script)
    expected = {job.script for job in jobs() if job.rule not in NOT_RUN}
    assert ran == expected


def test_environments_are_made_once_and_only_those_that_are_needed(deployed):
    names = [name for _, name in deployed.created()]
    assert sorted(names) == sorted(set(NAMES) - {"imagebind", "transformers"})


def test_nothing_is_left_to_do_and_no_environment_to_make(deployed):
    before = len(deployed.created())
    done = deployed.run("--", *TARGETS)
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in done.stdout
    assert len(deployed.created()) == before


def test_a_changed_environment_is_made_again_and_its_rules_run_again(deployed):
    file = deployed.folder / "envs/report.yaml"
    text = file.read_text()
    try:
        file.write_text(text + "# a comment counts too\n")
        planned = deployed.planned()
        done = deployed.run("-n")
    finally:
        file.write_text(text)
    own = {job.rule for job in jobs() if job.environment == "report"}
    assert set(planned) - own == {"compare", "report_page"}  # which read tables of theirs
    assert {"summarise", "plot_curves", "plot_growth"} < set(planned)
    assert "Conda environment envs/report.yaml will be created." in done.stdout
    assert done.stdout.count("will be created") == 1


def test_another_way_of_deployment_reruns_everything_unless_told_not_to(deployed):
    plain = Checkout(deployed.folder)
    assert {"prepare", "train", "summarise"} < set(plain.planned())
    assert plain.planned("--rerun-triggers", "code", "input", "mtime", "params") == {}
