"""Checkpoints of the published Dual Encoding++: what is read, and what is wrong with others."""

import numpy as np
import pytest
import torch
from torch import nn

from polymatch.errors import ConfigError, DataError
from polymatch.models import first_model, load_model, save_model
from polymatch.models.dual_encoding import load_published
from polymatch.settings.dual_encoding import DualEncodingModelSettings

from .twin import SIZES, WORD, C, E, F, Twin, V, example, written


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("older", [False, True])
def test_settings_are_those_of_the_checkpoint(tmp_path, prefix, older):
    content = Twin(both=(False, True)).checkpoint(prefix, vid_dp_rate_lat=0.1)
    if older:
        for side in SIZES:
            del content["args"][f"{side}_rnn_bidirectional"]
    path = written(tmp_path, content)
    model = load_published(path)
    found = model.settings
    assert model.widths == (F, (V, C)) and not model.training and not found.trained
    assert (found.alpha, found.embed_dim, found.word_dim) == (0.6, E, WORD)
    assert (found.items.bidirectional, found.captions.bidirectional) == (False, True)
    for side, of_side in zip(SIZES.values(), (found.items, found.captions), strict=True):
        assert side == (of_side.rnn_size, of_side.channels, of_side.kernels)
    assert (found.items.dropout_latent, found.items.dropout_concept) == (0.1, 0.3)
    assert found.published_checkpoint == str(path) and not found.pad_zero


def test_a_pruned_checkpoint_is_read_with_its_zeros(tmp_path):
    twin = Twin()
    gru = twin.video_encoder["rnn_embedding"]["rnn"]
    gru.weight_hh_l0.data[gru.weight_hh_l0.abs() < gru.weight_hh_l0.abs().median()] = 0
    twin.text_encoder["embedding"].weight.data[0] = 0
    model = load_published(written(tmp_path, twin.checkpoint(pretrained_weight=None)))
    assert torch.equal(model.items.levels.rnn.weight_hh_l0, gru.weight_hh_l0)
    assert model.settings.pad_zero
    frames, _ = example([4])
    found = model.encode_video_frames(frames[0][None], [4])[0][0]
    torch.testing.assert_close(found, twin.video(frames[0])[0], atol=1e-6, rtol=0)


def test_ours_keeps_it(tmp_path):
    model = load_published(written(tmp_path, Twin().checkpoint()))
    save_model(model, tmp_path / "run")
    again = load_model(tmp_path / "run")
    assert again.settings == model.settings
    for ours, theirs in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def without(*names):
    content = Twin().checkpoint()
    for name in names:
        del content["state_dict"][name]
    return content


def with_tensor(name, tensor):
    content = Twin().checkpoint()
    content["state_dict"][name] = tensor
    return content


def without_alpha():
    content = Twin().checkpoint()
    del content["args"]["alpha"]
    return content


GRU = "video_encoder.rnn_embedding.rnn"
CNN = "text_encoder.cnn_embedding.cnns"
LATENT = "space_lat.video_projection"
ARGS = {
    "embed_dim_lat": (9, r"embed_dim_lat = 9, but its weights are those of 7; one of them is of"),
    "tag_vocab_size": (512, r"tag_vocab_size = 512, but its weights are those of 5"),
    "frame_feature_dim": (2048, r"frame_feature_dim = 2048, but its weights are those of 6"),
    "vocab_size": (21, r"vocab_size = 21, but its weights are those of 20"),
    "vid_rnn_hidden_size": (4, r"vid_rnn_hidden_size = 4, but its weights are those of 3"),
    "text_rnn_bidirectional": (False, r"text_rnn_bidirectional = False, but .* those of True"),
    "vid_cnn_out_channels_list": ([4], r"vid_cnn_out_channels_list = \[4\], .* \[4, 5, 2\]"),
    "text_cnn_filter_size_list": ([2, 4], r"text_cnn_filter_size_list = \[2, 4\], .* \[2, 3\]"),
    "alpha": (6, r"its args say alpha = 6: Input should be less than or equal to 1"),
    "text_dp_rate_con": ("no", r"its args say captions\.dropout_concept = 'no': .*number"),
}
OWN = (
    r"not a checkpoint of the published Dual Encoding\+\+, a dict of the dicts 'args' and 'state_d"
)
WRONG = {
    "list": ([1], rf"{OWN}ict' \(it has: list\)"),
    "other dict": ({"model": {}}, rf"{OWN}ict' \(it has: model\)"),
    "no args": ({"args": None, "state_dict": {}}, rf"{OWN}ict' \(it has: args, state_dict\)"),
    "state alone": (Twin().state_dict(), rf"{OWN}ict' \(it has: video_encoder\.rnn_embedding\."),
    "empty": ({"args": {}, "state_dict": {}}, r"text_encoder\.embedding\.weight is missing"),
    "code": (
        {"args": {}, "state_dict": {}, "model": nn.Linear(1, 1)},
        r"holds torch\.nn\.modules\.linear\.Linear, more than tensors and plain values",
    ),
    "objects": (
        Twin().checkpoint(pretrained_weight=np.array([print], dtype=object)),
        r"holds numpy\.dtypes\.ObjectDType, more than tensors and plain values, and is not loaded",
    ),
    "no alpha": (without_alpha(), r"its args lack alpha, which no weight tells; save it again"),
    "lacks": (without(f"{GRU}.bias_hh_l0"), rf"lacks {GRU}\.bias_hh_l0, for a published Dual Enc"),
    "lacks one direction": (
        without(f"{GRU}.weight_hh_l0_reverse"),
        rf"lacks {GRU}\.weight_hh_l0_reverse, for",
    ),
    "lacks a convolution": (
        without(f"{CNN}.0.0.weight", f"{CNN}.0.0.bias"),
        r"text_cnn_out_channels_list = \[3, 4\], but its weights are those of \[4\]",
    ),
    "lacks a matrix": (without(f"{LATENT}.linear.weight"), rf"{LATENT}\.linear\.weight is missing"),
    "more": (
        with_tensor(f"{GRU}.weight_ih_l1", torch.ones(1)),
        rf"has also {GRU}\.weight_ih_l1, fo",
    ),
    "unknown": (
        with_tensor("resnet.conv1.weight", torch.ones(1)),
        r"has resnet\.conv1\.weight, which no published Dual Encoding\+\+ has",
    ),
    "number": (with_tensor(f"{GRU}.bias_hh_l0", 3), rf"{GRU}\.bias_hh_l0 is a int, not a tensor"),
    "vector": (
        with_tensor(f"{CNN}.1.0.weight", torch.ones(3)),
        rf"{CNN}\.1\.0\.weight is not of 3 dimensions",
    ),
    "shape": (
        with_tensor(f"{LATENT}.batch_norm.bias", torch.ones(8)),
        rf"{LATENT}\.batch_norm\.bias has shape \(8,\), not \(7,\), which its other weights ask",
    ),
    "nan": (
        with_tensor(f"{LATENT}.linear.bias", torch.full((E,), torch.nan)),
        rf"{LATENT}\.linear\.bias holds NaN or infinity; train it again",
    ),
    **{key: (Twin().checkpoint(**{key: value}), told) for key, (value, told) in ARGS.items()},
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_the_file(tmp_path, content, message):
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=message) as caught:
        load_published(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_and_a_truncated_file_are_named(tmp_path):
    with pytest.raises(DataError, match=r"model\.bin: no such file"):
        load_published(tmp_path / "model.bin")
    path = written(tmp_path, Twin().checkpoint())
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(DataError, match=r"model\.bin: not a whole file of torch\.save"):
        load_published(path)


def entry(path, **changes):
    told = load_published(path).settings.model_dump()
    for side in ("items", "captions"):
        told[side] |= changes.pop(side, {})
    return DualEncodingModelSettings.model_validate(told | changes)


@pytest.mark.parametrize("width", [V, (V, C)])
def test_an_entry_takes_its_place(tmp_path, width):
    path = written(tmp_path, Twin().checkpoint())
    settings = entry(path, similarities=["concept"], items={"dropout_latent": 0.5})
    model = first_model(settings, F, width)
    assert model.settings == settings and model.settings.scored_by == ["concept"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha": 0.2}, r"has alpha 0\.6, but the model's entry says 0\.2; set `alpha: 0\.6`"),
        ({"embed_dim": 9}, r"has embed_dim 7, but .* says 9; set `embed_dim: 7`"),
        ({"items": {"rnn_size": 9}}, r"has items\.rnn_size 3, .* set `items\.rnn_size: 3`"),
        (
            {"captions": {"bidirectional": False}},
            r"has captions\.bidirectional true, .* says false; set `captions\.bidirectional: true`",
        ),
    ],
)
def test_an_entry_that_says_otherwise_is_refused(tmp_path, changes, message):
    path = written(tmp_path, Twin().checkpoint())
    with pytest.raises(ConfigError, match=message):
        first_model(entry(path, **changes), F, (V, C))


@pytest.mark.parametrize(("items", "captions"), [(F + 1, V), (F, V + 1), (F, (V, C + 1))])
def test_data_of_other_widths_are_refused(tmp_path, items, captions):
    path = written(tmp_path, Twin().checkpoint())
    with pytest.raises(ConfigError, match=r"for inputs of width 6 \(items\) and \(20, 5\) \(capt"):
        first_model(entry(path), items, captions)
