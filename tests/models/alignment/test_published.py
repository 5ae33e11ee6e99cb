"""Checkpoints of the published SAF and SGR: what is read, and what is wrong with others."""

import argparse

import pytest
import torch
from torch import nn

from polymatch.errors import ConfigError, DataError
from polymatch.models import first_model, load_model, save_model
from polymatch.models.alignment import load_published
from polymatch.settings.alignment import AlignmentModelSettings

from .twin import VOCABULARY, D, F, R, Twin, cut, example, written


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("module", ["saf", "sgr"])
def test_settings_are_those_of_the_checkpoint(tmp_path, module, prefix):
    twin = Twin(module, layers=2, both=False, steps=2, norms=(True, False))
    path = written(tmp_path, twin.checkpoint(prefix))
    model = load_published(path)
    found = model.settings
    assert model.widths == ((R, F), VOCABULARY) and not model.training
    assert (found.module, found.num_layers, found.bidirectional) == (module, 2, False)
    assert (found.normalise_items, found.normalise_words) == (True, False)
    assert found.steps == (2 if module == "sgr" else 3)
    assert (found.loss.daa_weight, found.loss.published) == (10, True)
    assert (found.training.epochs, found.training.lr, found.training.clip_norm) == (30, 6e-4, 2.0)
    assert found.published_checkpoint == [str(path)] and not found.trained


def test_an_older_command_line_is_enough(tmp_path):
    content = Twin("sgr").checkpoint("")
    for name in ("daa_weight", "vocab_size", "no_imgnorm", "no_txtnorm", "grad_clip"):
        delattr(content["opt"], name)
    found = load_published(written(tmp_path, content)).settings
    assert (found.loss.daa_weight, found.loss.published) == (0, False)
    assert found.normalise_items and found.normalise_words


@torch.inference_mode()
def test_two_checkpoints_are_sgraf(tmp_path):
    twins = [Twin("saf"), Twin("sgr", seed=1)]
    paths = [written(tmp_path, twin.checkpoint(), f"{twin.module}.pth.tar") for twin in twins]
    model = load_published(*paths)
    images, tokens, lengths = example()
    expected = sum(twin(images, cut(tokens, lengths)) for twin in twins) / 2
    found = model.similarity_from_inputs(images, tokens, lengths)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert model.settings.scored_by == ["sgraf"]
    save_model(model, tmp_path / "run")
    assert torch.equal(
        load_model(tmp_path / "run").similarity_from_inputs(images, tokens, lengths), found
    )
    with pytest.raises(DataError, match=r"\(sgr\), .*\(saf\): .* of SAF and of SGR, in this order"):
        load_published(*paths[::-1])
    with pytest.raises(DataError, match=r"\(saf\), .*\(saf\): SGRAF is read from checkpoints of S"):
        load_published(paths[0], paths[0])


def without(name, part=2):
    content = Twin("sgr").checkpoint()
    del content["model"][part]["module." + name]
    return content


def with_tensor(name, tensor, part=2):
    content = Twin("sgr").checkpoint()
    content["model"][part]["module." + name] = tensor
    return content


def changed(**changes):
    return {**Twin("sgr").checkpoint(), **changes}


OPT = {
    "module": (
        {"module_name": "SAF"},
        r"opt says module_name = 'SAF', but its weights are .*'SGR'",
    ),
    "img_dim": ({"img_dim": 2048}, r"opt says img_dim = 2048, but its weights are those of 6; one"),
    "embed_size": ({"embed_size": 9}, r"opt says embed_size = 9, .* those of 8"),
    "word_dim": ({"word_dim": 300}, r"opt says word_dim = 300, .* those of 7"),
    "sim_dim": ({"sim_dim": 256}, r"opt says sim_dim = 256, .* those of 5"),
    "vocabulary": ({"vocab_size": 31}, r"opt says vocab_size = 31, .* those of 30"),
    "layers": ({"num_layers": 2}, r"opt says num_layers = 2, .* those of 1"),
    "bi_gru": ({"bi_gru": False}, r"opt says bi_gru = False, .* those of True"),
    "steps": ({"sgr_step": 4}, r"opt says sgr_step = 4, .* those of 3"),
    "value": ({"margin": "wide"}, r"its opt says loss\.margin = 'wide': .*number"),
}
LINEAR = "sim_tranloc_w.weight"
WRONG = {
    "list": ([1], r"not a checkpoint of the published SAF or SGR, .*\(it has: list\)"),
    "other dict": ({"text": {}}, r"a dict with 'model' \(it has: text\)"),
    "model": (changed(model={}), r"'model': a dict, not the list of three state dicts"),
    "two": (changed(model=[{}, {}]), r"'model': a list, not the list of three state dicts"),
    "state": (changed(model=[3, {}, {}]), r"image: a int, not a state dict"),
    "no opt": (changed(opt=None), r"'opt': a NoneType, not the command line of a training"),
    "code": (changed(opt=nn.Linear(1, 1)), r"holds torch\.nn\.modules\.linear\.Linear, more than"),
    "lacks": (without("SGR_module.1.sim_graph_w.bias"), r"lacks SGR_module\.1\.sim_graph_w\.bias"),
    "lacks matrix": (without("fc.weight", 0), r"fc\.weight is missing"),
    "lacks norm": (
        without("v_global_w.embedding_local.1.weight"),
        r"lacks v_global_w\.embedding_l",
    ),
    "more": (with_tensor("fc.scale", torch.ones(1), 0), r"has also fc\.scale, for a published SGR"),
    "unknown": (
        with_tensor("cnn.weight", torch.ones(1), 0),
        r"image: has cnn\.weight, which no pub",
    ),
    "both": (
        with_tensor("SAF_module.bn.weight", torch.ones(1)),
        r"has both SAF_module and SGR_mod",
    ),
    "vector": (with_tensor(LINEAR, torch.ones(3)), r"sim_tranloc_w\.weight is not a matrix"),
    "number": (with_tensor(LINEAR, 3), r"similarity: sim_tranloc_w\.weight is a int, not a tensor"),
    "shape": (
        with_tensor("sim_tranglo_w.weight", torch.ones(4, D)),
        r"sim_tranglo_w\.weight has shape \(4, 8\), not \(5, 8\), which its other weights ask for",
    ),
    "nan": (
        with_tensor("sim_eval_w.bias", torch.tensor([torch.nan])),
        r"sim_eval_w\.bias holds NaN or infinity; train it again",
    ),
    **{key: (Twin("sgr").checkpoint(**opt), message) for key, (opt, message) in OPT.items()},
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_the_file(tmp_path, content, message):
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=message) as caught:
        load_published(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_neither_module_is_named(tmp_path):
    content = Twin("sgr").checkpoint()
    content["model"][2] = {n: t for n, t in content["model"][2].items() if "SGR" not in n}
    with pytest.raises(DataError, match=r"has neither SAF_module nor SGR_module; a published"):
        load_published(written(tmp_path, content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"model_best\.pth\.tar: no such file"):
        load_published(tmp_path / "model_best.pth.tar")


def entry(*paths, **changes):
    sizes = {"embed_dim": D, "word_dim": 7, "sim_dim": 5}
    raw = {"family": "alignment", "module": "saf", **sizes, **changes}
    return AlignmentModelSettings(published_checkpoint=[str(path) for path in paths], **raw)


def test_an_entry_takes_the_checkpoint_as_it_is(tmp_path):
    path = written(tmp_path, Twin("saf").checkpoint())
    settings = entry(path, dropout=0.1, steps=5)  # of which SAF's scoring has no use
    model = first_model(settings, (R, F), VOCABULARY)
    assert model.settings == settings
    save_model(model, tmp_path / "run")
    assert load_model(tmp_path / "run").settings == settings


def test_an_entry_of_both_needs_no_sizes(tmp_path):
    paths = [written(tmp_path, Twin(m).checkpoint(), f"{m}.pth.tar") for m in ("saf", "sgr")]
    settings = AlignmentModelSettings(
        family="alignment", module="sgraf", published_checkpoint=[str(path) for path in paths]
    )
    model = first_model(settings, (R, F), VOCABULARY)
    assert model.settings == settings and model.parts[0].settings.embed_dim == D


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"module": "sgr"}, r"has module saf, but the model's entry says sgr; set `module: saf`"),
        ({"embed_dim": 1024}, r"has embed_dim 8, .* entry says 1024; set `embed_dim: 8`"),
        ({"bidirectional": False}, r"has bidirectional true, .* says false; set `bidirectional: t"),
        ({"normalise_items": False}, r"has normalise_items true, but the model's entry says false"),
        ({"smoothing": 4.0}, r"has smoothing 9\.0, but the model's entry says 4\.0"),
    ],
)
def test_an_entry_that_says_otherwise_is_told_so(tmp_path, changes, message):
    path = written(tmp_path, Twin("saf").checkpoint())
    with pytest.raises(ConfigError, match=message) as caught:
        first_model(entry(path, **changes), (R, F), VOCABULARY)
    assert str(path) in str(caught.value)


def test_a_dict_is_a_command_line_too(tmp_path):
    content = Twin("saf").checkpoint()
    assert isinstance(content["opt"], argparse.Namespace)
    model = load_published(written(tmp_path, {**content, "opt": vars(content["opt"])}))
    assert model.settings.module == "saf"
