"""Entries of the alignment family: what contradicts itself or names what is not there."""

import pytest

from polymatch.errors import ConfigError
from polymatch.settings.config import load_config

SAF = {"family": "alignment", "module": "saf"}
SGR = {"family": "alignment", "module": "sgr"}
ENSEMBLE = {"family": "alignment", "module": "sgraf", "members": ["saf", "sgr"]}


def config(**changes):
    models = {"aligned": {"family": "aligned"}, "saf": SAF, "sgr": SGR, "sgraf": ENSEMBLE}
    return load_config({"models": models | changes.pop("models", {}), **changes})


def test_an_ensemble_has_a_run_for_each_seed_of_its_members():
    loaded = config(seeds=[3, 5])
    assert [run.seed for run in loaded.runs_of("sgraf")] == [3, 5]
    entry = loaded.models["sgraf"]
    assert not entry.trained and entry.members_of == ["saf", "sgr"] and entry.processes == 1
    assert entry.scored_by == ["sgraf"] and entry.starts_from == "regions"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"module": "sgraf"}, "module 'sgraf' needs `members`"),
        ({"module": "saf", "members": ["saf", "sgr"]}, "`members` is for module 'sgraf'"),
        ({"module": "sgraf", "published_checkpoint": ["a.pth"]}, "is read from 2 checkpoints"),
        ({"module": "saf", "published_checkpoint": ["a", "b"]}, "is read from 1 checkpoint,"),
        (
            {"module": "sgraf", "members": ["saf", "sgr"], "published_checkpoint": ["a", "b"]},
            "both say where weights are from",
        ),
        ({"module": "sgraf", "members": ["saf", "srg"]}, "unknown model 'srg'; did you mean 'sgr'"),
        ({"module": "sgraf", "members": ["saf", "aligned"]}, "'aligned' is no trained model of"),
        ({"module": "sgraf", "members": ["saf", "other"]}, "'other' is no trained model of family"),
    ],
)
def test_what_contradicts_itself_is_one_line(entry, message):
    with pytest.raises(ConfigError, match=message) as caught:
        config(models={"other": {"family": "alignment"} | entry})
    assert "\n" not in str(caught.value)


def test_it_is_not_simulated():
    assert not config().simulated("saf") and config().simulated("aligned")
    with pytest.raises(
        ConfigError, match=r"deployment.models.1: 'sgr' starts from words and regions"
    ):
        config(deployment={"models": ["aligned", "sgr"]})


def test_processes_are_those_of_the_training():
    shared = SAF | {"training": {"processes": 4}}
    assert config(models={"saf": shared}).models["saf"].processes == 4
