import json

import pytest
import torch

from polymatch.errors import ConfigError, DataError
from polymatch.models import build_model, load_model, save_model
from polymatch.settings.aligned import AlignedSettings
from polymatch.settings.probabilistic import ProbabilisticSettings
from polymatch.surrogate import PolynomialSurrogate

SETTINGS = ProbabilisticSettings(
    family="probabilistic", loss="poly", similarities=["poly"], teacher="t", hidden=8
)


@pytest.fixture
def saved(tmp_path):
    model = build_model(SETTINGS, 4, 4).eval()
    ed, vd = torch.rand(2, 100, dtype=torch.float64)
    model.surrogate = PolynomialSurrogate.fit(ed, vd, torch.sigmoid(ed - vd), degree=2)
    save_model(model, tmp_path)
    return model, tmp_path


def test_a_checkpoint_gives_the_same_scores_back(saved):
    model, folder = saved
    again = load_model(folder)
    items, captions = torch.randn(3, 4), torch.randn(5, 4)
    with torch.inference_mode():
        before = model.similarity(model.encode_items(items), model.encode_captions(captions))
        after = again.similarity(again.encode_items(items), again.encode_captions(captions))
    assert torch.equal(before, after)
    assert not again.training


def test_a_model_without_weights_is_saved_too(tmp_path):
    save_model(build_model(AlignedSettings(family="aligned"), 4, 4), tmp_path)
    model = load_model(tmp_path)
    assert torch.allclose(model.encode_items(torch.tensor([[3.0, 0, 4, 0]])).norm(), torch.ones(()))


def test_a_folder_without_checkpoint_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no checkpoint here \(.*settings\.json is missing\)"):
        load_model(tmp_path)


def test_a_truncated_checkpoint_is_refused(saved):
    _, folder = saved
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"broken checkpoint .*; delete it and train again"):
        load_model(folder)


def test_an_unknown_family_is_refused(saved):
    _, folder = saved
    path = folder / "settings.json"
    record = json.loads(path.read_text())
    record["settings"]["family"] = "later"
    path.write_text(json.dumps(record))
    with pytest.raises(ConfigError, match="family 'later' is unknown here"):
        load_model(folder)


def test_settings_of_another_version_are_named(saved):
    folder = saved[1]
    record = json.loads((folder / "settings.json").read_text())
    record["settings"]["training"]["select"] = "best"
    (folder / "settings.json").write_text(json.dumps(record))
    with pytest.raises(
        DataError, match=r"another version of Polymatch \(`training.select`\); train"
    ):
        load_model(folder)
