"""What encoders say of themselves, read without importing them, and what is asked of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from polymatch.encoders import encoder_info, encoder_names
from polymatch.errors import ConfigError
from polymatch.settings.config import load_config
from polymatch.settings.encoder import EncoderSettings
from polymatch.settings.offered import encoder_modules, offered
from polymatch.settings.starts import needed_features

WORKFLOW = Path(__file__).parents[2] / "workflow"


def config(models, **encoder):
    return {"models": {"aligned": {"family": "aligned"}} | models, "encoder": encoder}


def test_it_is_what_the_modules_themselves_say():
    assert encoder_modules() == encoder_names()
    for name in encoder_names():
        said, info = offered(name), encoder_info(name)
        assert {*info.item_features} <= {*said.features}
        assert {*said.features} - {*info.item_features} <= {"audio_all", "fused"}
        assert (said.joint_space, said.environment) == (info.joint_space, info.environment)
        assert said.reads_captions == info.reads_captions


def test_nothing_is_imported_for_it():
    asked = (
        "import sys; sys.path.insert(0, '.'); from polymatch.settings.offered import offered; "
        "offered('efficientnet_minilm'); print({'torch', 'transformers'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=WORKFLOW, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("models", "encoder", "message"),
    [
        (
            {},
            {"name": "efficientnet_minilmm"},
            r"encoder: unknown module 'efficientnet_minilmm'; did you mean 'efficientnet_minilm'\?",
        ),
        (
            {},
            {"name": "two", "items": {"module": "efficientnet_minilm"}},
            r"encoder: unknown module 'two'",
        ),
        (
            {"heard": {"family": "aligned", "modality": "audio"}},
            {},
            r"models\.heard: starts from audio, which encoder 'efficientnet_minilm' does not give; "
            r"it gives frames, pooled, regions; take the entry out or use another encoder",
        ),
        (
            {},
            {"given": True, "items": {"module": "efficientnet_minilm"}},
            r"encoder: .*`given` says that nothing is extracted, so `items` and `captions` have no",
        ),
    ],
)
def test_what_cannot_be_is_said_before_any_job(models, encoder, message):
    with pytest.raises(ConfigError, match=message):
        load_config(config(models, **encoder))


def test_features_are_those_that_models_start_from():
    models = {
        "head": {"family": "projection", "head": {"type": "mlp"}, "loss": {"type": "softmax"}}
    }
    assert needed_features(load_config(config(models))) == {"pooled": "aligned"}
    models["saf"] = {"family": "alignment", "module": "saf"}
    assert needed_features(load_config(config(models))) == {"pooled": "aligned", "regions": "saf"}


def test_features_depend_on_their_own_side_and_on_nothing_else():
    settings = EncoderSettings.model_validate(
        {
            "name": "pair",
            "items": {"module": "a", "model": "m", "python": "p", "memory_mb": 1},
            "captions": {"module": "b"},
            "shards": 3,
            "stored": "float16",
        }
    )
    plain = EncoderSettings.model_validate(
        {"name": "pair", "items": {"module": "a", "model": "m"}, "stored": "float16"}
    )
    assert settings.of("items") == plain
    assert settings.of("captions") == EncoderSettings.model_validate(
        {"name": "pair", "captions": {"module": "b"}}
    )
    assert settings.side("captions").module == "b" and plain.side("captions").module == "pair"


def test_data_root_stands_for_resources():
    raw = config({}) | {"data_root": "/disk/", "evaluation": {"pmrp": "resources/coco/x.json"}}
    moved = load_config(raw)
    assert moved.evaluation.pmrp == "/disk/coco/x.json"
    assert moved.data.root == "resources/emoji"  # a default is no path of the file
    raw["data"] = {"root": "resources/mine"}
    assert load_config(raw).data.root == "/disk/mine"
