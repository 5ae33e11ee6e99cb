"""A run is found by its name or its folder, and what is wrong with either is said."""

import shutil

import pytest

from polymatch.errors import ConfigError, DataError
from polymatch.search.run import TrainedRun
from polymatch.settings.config import load_config

from .small_runs import CONFIG


def test_names_and_folders(runs):
    first = runs("mlp")
    assert (first.model, first.seed, first.name) == ("mlp", 0, "mlp/0")
    assert runs("mlp/1").folder == runs.results / "few/efficientnet_minilm/runs/mlp/1"
    assert runs(str(runs("mlp/1").folder)).name == "mlp/1"
    assert runs(str(first.folder)).item_store == first.item_store.resolve()


def test_a_folder_needs_no_entry(runs):
    entries = {name: entry for name, entry in CONFIG["models"].items() if name == "aligned"}
    config = load_config(CONFIG | {"models": entries})
    run = TrainedRun.open(config, str(runs("mlp").folder), "elsewhere")
    assert run.kinds == ["cosine"] and run.item_store.is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pcm", "unknown run 'pcm'; did you mean 'pcme'? allowed: aligned, pcme, soft, "),
        ("mlp/7", "run 'mlp/7': 'mlp' has no seed '7'; it has 0, 1"),
        ("aligned/1", "run 'aligned/1': 'aligned' has no seed '1'; it has 0"),
    ],
)
def test_names_that_are_none(runs, name, message):
    with pytest.raises(ConfigError) as raised:
        runs(name)
    assert str(raised.value).startswith(message)


def test_a_run_without_a_checkpoint(runs):
    folder = runs.results / "few/efficientnet_minilm/runs/poly/1"
    with pytest.raises(DataError) as raised:
        runs("poly/1")
    assert str(raised.value) == (
        f"{folder}: no checkpoint here (model.safetensors is missing); train it first: "
        f"snakemake --cores 2 {folder}/model.safetensors"
    )


def test_a_folder_of_another_data_set(runs):
    config = load_config(CONFIG | {"data": CONFIG["data"] | {"name": "many"}})
    folder = runs("mlp").folder
    with pytest.raises(ConfigError) as raised:
        TrainedRun.open(config, str(folder))
    assert str(raised.value) == (
        f"{folder.resolve()}: a run on few/efficientnet_minilm, but the configuration is of "
        "many/efficientnet_minilm; name its own with --configfile"
    )


def test_a_folder_elsewhere(runs, tmp_path):
    folder = tmp_path / "best"
    shutil.copytree(runs("mlp").folder, folder)
    with pytest.raises(ConfigError) as raised:
        runs(str(folder))
    assert str(raised.value) == (
        f"{folder}: not the folder of a run, which is .../DATA/ENCODER/runs/MODEL/SEED"
    )


def test_a_broken_checkpoint(runs, tmp_path):
    folder = tmp_path / "few/efficientnet_minilm/runs/mlp/0"
    shutil.copytree(runs("mlp").folder, folder)
    (folder / "settings.json").write_text("{}")
    with pytest.raises(DataError) as raised:
        TrainedRun.open(runs.config, "mlp", tmp_path)
    assert str(raised.value) == (
        f"{folder}: broken settings.json ('settings'); delete the run and train it again"
    )
