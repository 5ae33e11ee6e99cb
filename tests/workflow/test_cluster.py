"""What jobs ask a cluster for, as a plan shows it; jobs through SLURM itself: tests/cluster."""

import collections
import re

import pytest
import yaml

from .conftest import ROOT

PROFILE = ROOT / "workflow/profiles/slurm/config.yaml"

pytestmark = pytest.mark.xdist_group("finished")


def resources(checkout, rule, *arguments):
    """The resources of a rule's first job in the plan of a run that does everything."""
    done = checkout.run("-n", "--forceall", *arguments)
    assert done.returncode == 0, done.stdout
    line = re.search(rf"rule {rule}:\n(?:    .*\n)*?    resources: (.*)", done.stdout)[1]
    return dict(part.split("=", 1) for part in line.split(", ") if "=" in part)


def test_changing_what_is_asked_for_makes_nothing_run_again(finished):
    cluster = (
        "{gpus: [training, scoring], partition: long, growth: 3, rules: {align: {runtime: 5}}}"
    )
    assert finished.planned("--config", f"cluster={cluster}") == {}


def test_a_rule_has_what_the_config_says(finished):
    cluster = "{gpus: [training], gpu_partition: a100, account: lab, rules: {train: {runtime: 99}}}"
    asked = resources(finished, "train", "--config", f"cluster={cluster}")
    assert (
        asked.items()
        >= {
            "runtime": "99",
            "gpu": "1",
            "slurm_partition": "a100",
            "slurm_account": "lab",
        }.items()
    )


def test_memory_and_time_grow_with_the_attempt(finished):
    first = resources(finished, "align")
    third = resources(finished, "align", "--attempt", "3")
    for name in ("mem_mb", "runtime"):
        assert int(third[name]) == 4 * int(first[name])


def test_the_command_line_has_the_last_word(finished):
    words = ("--set-resources", "align:mem_mb=777", "align:runtime=7", "--")
    asked = resources(finished, "align", *words)
    assert (asked["mem_mb"], asked["runtime"]) == ("777", "7")


def test_a_misspelt_rule_is_one_line(finished):
    done = finished.run("-n", "--config", "cluster={rules: {extract_item: {runtime: 5}}}")
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("ConfigError")]
    assert line.startswith(
        "ConfigError: cluster.rules: this workflow has no rule 'extract_item'; "
        "did you mean 'extract_items'? allowed: "
    )


def test_the_profile_names_rules_that_are_there():
    profile = yaml.safe_load(PROFILE.read_text())
    files = [*(ROOT / "workflow/rules").glob("*.smk")]
    rules = {name for f in files for name in re.findall(r"(?m)^ *rule (\w+):", f.read_text())}
    grouped = dict(entry.split("=") for entry in profile["groups"])
    assert {*grouped, *profile["set-resources"]} <= rules
    sized = dict(entry.split("=") for entry in profile["group-components"])
    assert {*sized} <= {*grouped.values(), "train_{model}"}


@pytest.mark.parametrize("together", [False, True])
def test_jobs_of_seconds_are_few_submissions(fresh, together):
    cluster = f"cluster={{seeds_together: {str(together).lower()}}}"
    profile = ["--workflow-profile", str(PROFILE.parent)]
    done = fresh.run("-n", *profile, "--config", cluster)
    assert done.returncode == 0, done.stdout
    groups = collections.Counter(re.findall(r"Group job (\w+?)(?:_\w+)? \(", done.stdout))
    trained = groups.pop("train", 0)
    assert (trained > 0) == together
    assert groups == {
        "prepare": 1,
        "surrogate": 3,
        "judge": 5,
        "measure": 1,
        "deploy": 2,
        "curves": 1,
    }
