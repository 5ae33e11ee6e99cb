"""What jobs ask a cluster for, from the config."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.errors import ConfigError
from polymatch.settings.cluster import ClusterSettings, RuleSettings
from polymatch.settings.config import load_config

MODELS = {"aligned": {"family": "aligned"}}


def cluster(**settings):
    return load_config({"models": MODELS, "cluster": settings}).cluster


def test_without_a_section_nothing_but_memory_and_time_is_asked_for():
    assert load_config({"models": MODELS}).cluster.places("train") == {}


def test_partition_and_account_are_of_every_rule():
    places = cluster(partition="long", account="lab7").places("evaluate")
    assert places == {"slurm_partition": "long", "slurm_account": "lab7"}


@pytest.mark.parametrize(
    ("stage", "rule"),
    [
        ("extraction", "extract_items"),
        ("extraction", "extract_captions"),
        ("training", "train"),
        ("training", "tune"),
        ("scoring", "score"),
        ("scoring", "score_shard"),
        ("measuring", "measure"),
    ],
)
def test_a_stage_with_gpus_has_them_and_their_partition(stage, rule):
    asked = cluster(gpus=[stage], partition="cpus", gpu_partition="a100")
    assert asked.places(rule) == {"gpu": 1, "slurm_partition": "a100"}
    assert asked.places("evaluate") == {"slurm_partition": "cpus"}


def test_a_rule_of_its_own_comes_first():
    own = {"train": {"gpus": 4, "partition": "h200"}, "score": {"gpus": 0}}
    asked = cluster(gpus=["training", "scoring"], gpu_partition="a100", rules=own)
    assert asked.places("train") == {"gpu": 4, "slurm_partition": "h200"}
    assert asked.places("score") == {}


def test_gpus_without_a_partition_of_theirs_are_on_the_common_one():
    assert cluster(gpus=["training"], partition="all").places("train") == {
        "gpu": 1,
        "slurm_partition": "all",
    }


@given(
    amount=st.integers(1, 10**6),
    growth=st.floats(1, 8),
    attempts=st.integers(1, 5),
)
def test_amounts_grow_with_each_attempt(amount, growth, attempts):
    settings = ClusterSettings(growth=growth)
    grown = [settings.grown(amount, attempt) for attempt in range(1, attempts + 1)]
    assert grown[0] == amount
    slowly = float(amount)
    for one in grown:
        assert slowly <= one * (1 + 1e-9)
        assert one < slowly * (1 + 1e-9) + 1
        slowly *= growth


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"gpus": ["train"]},
            "cluster.gpus.0: 'train' is not allowed: input should be 'extraction', 'training', "
            "'scoring' or 'measuring'",
        ),
        (
            {"growth": 0.5},
            "cluster.growth: 0.5 is not allowed: input should be greater than or equal to 1",
        ),
        (
            {"partition": ""},
            "cluster.partition: '' is not allowed: string should have at least 1 character",
        ),
        (
            {"rules": {"train": {"runtime": 0}}},
            "cluster.rules.train.runtime: 0 is not allowed: input should be greater than or equal "
            "to 1",
        ),
        (
            {"rules": {"train": {"mem": 1}}},
            "cluster.rules.train.mem: unknown key 'mem'; did you mean 'mem_mb'? allowed: mem_mb, "
            "runtime, gpus, partition",
        ),
    ],
)
def test_impossible_settings_are_one_line(settings, message):
    with pytest.raises(ConfigError) as error:
        cluster(**settings)
    assert str(error.value) == f"config: {message}"


def test_a_rule_that_is_not_there_is_named():
    settings = ClusterSettings(rules={"trian": RuleSettings(runtime=10)})
    with pytest.raises(ConfigError) as error:
        settings.check_rules(["score", "train"])
    assert str(error.value) == (
        "cluster.rules: this workflow has no rule 'trian'; did you mean 'train'? allowed: score, "
        "train"
    )
