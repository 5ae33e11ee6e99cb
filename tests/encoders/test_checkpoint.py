"""Where models lie, and each way in which they are not what they should be, as a user sees it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from polymatch.encoders import LoadOptions, load_encoder
from polymatch.encoders.networks.checkpoint import weight_files
from polymatch.encoders.networks.precision import computing_dtype
from polymatch.errors import ConfigError, DataError

from . import tiny_models

LIBRARY = Path(__file__).parents[2] / "workflow"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def clip(tmp_path, built):
    """A folder of a small CLIP that a test may break."""
    return Path(shutil.copytree(built, tmp_path / "tiny-clip"))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return tiny_models.tiny_clip(tmp_path_factory.mktemp("built") / "clip")


def load(model, **options):
    return load_encoder("clip", "cpu", LoadOptions(model=str(model), **options))


def refused(kind, said, model, **options):
    with pytest.raises(kind, match=said) as raised:
        load(model, **options)
    assert "\n" not in str(raised.value)


def test_a_local_folder_is_named_with_its_weights_sum(clip, capsys):
    info = load(clip).info
    digest = hashlib.sha256((clip / "model.safetensors").read_bytes()).hexdigest()
    assert info.revision == f"tiny-clip, SHA-256 {digest}"
    assert info.sha256 == {"model.safetensors": digest}
    (line,) = capsys.readouterr().out.splitlines()
    unstated = "licence: not stated beside the weights; ask where they came from"
    assert line == f"clip: {info.revision}; {unstated}; float32 on cpu"


def test_the_model_cards_licence_is_shown(clip):
    (clip / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# A model\n")
    assert load(clip).info.licence == "cc-by-nc-4.0 (its model card)"
    (clip / "README.md").write_text("---\n: [broken\n---\n")
    assert load(clip).info.licence.startswith("not stated")


def test_weights_in_several_files(clip):
    whole = load(clip)
    AutoModel.from_pretrained(clip).save_pretrained(clip, max_shard_size="40KB")
    (clip / "model.safetensors").unlink(missing_ok=True)
    files = weight_files(clip)
    assert len(files) > 1
    parts = load(clip)
    assert set(parts.info.sha256) == {path.name for path in files}
    lines = "".join(
        f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in sorted(files)
    )
    assert parts.info.revision.endswith(hashlib.sha256(lines.encode()).hexdigest())
    found = (encoder.encode_captions(["a cat"]) for encoder in (parts, whole))
    np.testing.assert_allclose(*found, atol=1e-6)
    files[0].unlink()
    refused(DataError, rf"1 of {len(files)} files of weights are missing \({files[0].name}", clip)
    (clip / "model.safetensors.index.json").write_text("{}")
    refused(DataError, r"index.json: no index of weights \('weight_map'\); fetch it again", clip)


def test_pickled_weights_are_never_read(clip):
    weights = load_file(clip / "model.safetensors")
    torch.save(weights, clip / "pytorch_model.bin")
    (clip / "model.safetensors").unlink()
    refused(DataError, r"tiny-clip: the weights are pickled \(pytorch_model.bin\), which can", clip)
    (clip / "pytorch_model.bin").unlink()
    refused(DataError, r"tiny-clip: no model.safetensors and no index of several$", clip)


def test_weights_that_are_not_whole(clip):
    weights = load_file(clip / "model.safetensors")
    name = "visual_projection.weight"
    kept = {key: value for key, value in weights.items() if key != name}
    save_file(kept, clip / "model.safetensors", metadata={"format": "pt"})
    refused(
        DataError,
        r"1 weights of CLIPModel are missing \(visual_projection.weight, ...\); the files are not",
        clip,
    )
    save_file({**weights, name: weights[name][:5]}, clip / "model.safetensors", {"format": "pt"})
    refused(DataError, r"tiny-clip: the network cannot be read \(", clip)
    whole = (clip / "model.safetensors").read_bytes()
    (clip / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    refused(DataError, r"tiny-clip: the network cannot be read \(.*", clip)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("config.json", r"config.json: no such file; is .*tiny-clip a model of transformers\?"),
        ("tokenizer.json", r"tiny-clip: no tokenizer.json nor another vocabulary of a tokeniser"),
        ("preprocessor_config.json", r"preprocessor_config.json: no such file$"),
    ],
)
def test_files_that_are_missing(clip, name, said):
    (clip / name).unlink()
    refused(DataError, said, clip)


def test_files_that_are_broken(clip):
    (clip / "tokenizer.json").write_text("{")
    refused(DataError, r"tiny-clip: the tokeniser cannot be read \(", clip)
    (clip / "config.json").write_text("{}")
    refused(DataError, r"config.json: no config of a model \(KeyError\('model_type'\)\); fet", clip)


def test_a_network_and_a_processor_that_do_not_fit(clip):
    path = clip / "preprocessor_config.json"
    changed = json.loads(path.read_text()) | {"crop_size": {"height": 40, "width": 40}}
    path.write_text(json.dumps(changed))
    refused(DataError, r"the networks do not take what their processor or tokeniser gives", clip)


def test_code_of_a_model_is_not_run(clip):
    """A folder that brings its own code is read as the plain model that it says it is."""
    path = clip / "config.json"
    named = {"AutoModel": "evil.Evil", "AutoConfig": "evil.EvilConfig"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"auto_map": named}))
    (clip / "evil.py").write_text("raise SystemExit('ran')")
    assert load(clip).info.caption_width == 24
    path.write_text(json.dumps({"model_type": "evil", "auto_map": named}))
    refused(ConfigError, r"is a model of kind 'evil', not one of", clip)


def test_names_that_stand_for_nothing(tmp_path, clip):
    refused(
        ConfigError,
        r"'laion/x' is no folder here, and as a name on the model hub it needs `revision`: the "
        r"commit that `git ls-remote https://huggingface.co/laion/x HEAD` prints$",
        "laion/x",
    )
    refused(
        ConfigError,
        r"revision 'main' of laion/x is no commit \(40 digits 0-9a-f\); `git ls-remote "
        r"https://huggingface.co/laion/x main` prints it$",
        "laion/x",
        revision="main",
    )
    refused(DataError, rf"{tmp_path}/gone: no such folder$", tmp_path / "gone")
    refused(
        ConfigError, r"config.json is a file; name the folder that holds it$", clip / "config.json"
    )
    refused(
        ConfigError,
        r"tiny-clip is a local folder, which has no `revision`; take it out$",
        clip,
        revision=COMMIT,
    )


def test_weights_that_are_not_here(tmp_path):
    """Nothing is fetched unasked, and the message says how to place the files by hand."""
    refused(
        DataError,
        r"^encoder clip: the weights of polymatch/none \(revision 0123.*\) are not on this machine;"
        r" set `download: true`, or run `hf download polymatch/none --revision 0123\w+ --local-dir "
        r"FOLDER` where there is a network and name that folder as `model`$",
        "polymatch/none",
        revision=COMMIT,
    )


def test_offline_is_honoured():
    """The variable is read when the hub's client is imported, so it needs a process of its own."""
    program = (
        "from polymatch.encoders import LoadOptions, load_encoder\n"
        "from polymatch.errors import one_line_errors\n"
        "with one_line_errors():\n"
        "    load_encoder('e5', 'cpu', LoadOptions(download=True))\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(LIBRARY)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.strip().startswith(
        "DataError: encoder e5: the weights of intfloat/e5-mistral-7b-instruct (revision "
        "07163b72af1488142a360786df853f237b1a3ca1, 14.2 GB) are not on this machine, and "
        "HF_HUB_OFFLINE forbids to fetch them; unset it, or run `hf download "
    )


def test_numbers_to_compute_with():
    cpu, mps = torch.device("cpu"), torch.device("mps")
    assert computing_dtype("auto", cpu) == torch.float32
    assert computing_dtype("auto", mps) == torch.float16
    assert computing_dtype("bfloat16", cpu) == torch.bfloat16
    assert computing_dtype("float32", mps) == torch.float32
