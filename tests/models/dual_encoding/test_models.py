"""Checkpoints of ours, word vectors, the parts that are pruned, and what training changes."""

from typing import get_args

import pytest
import torch
from torch import nn

from polymatch.errors import ConfigError
from polymatch.models import build_model, load_model, save_model
from polymatch.settings.pruned import Part

from .test_encoding import small
from .twin import F, V, example, padded

LENGTHS = [3, 1, 2]


def inputs():
    frames, words = example(LENGTHS)
    return padded(frames, torch.nan), padded(words)


@torch.inference_mode()
def test_a_checkpoint_gives_the_same_embeddings_back(tmp_path):
    model = small()
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    assert again.widths == model.widths == (F, (V, 4)) and again.settings == model.settings
    items, captions = inputs()
    assert torch.equal(again.encode_items(items).latent, model.encode_items(items).latent)
    found, expected = (m.encode_captions(captions).concept for m in (again, model))
    assert torch.equal(found, expected)


@torch.inference_mode()
def test_vectors_are_those_of_the_latent_space():
    model = small()
    items, captions = model.encode_items(inputs()[0]), model.encode_captions(inputs()[1])
    drawn = model.vectors(items, captions)
    assert drawn[0] is items.latent and drawn[1] is captions.latent
    assert torch.allclose(torch.cat(drawn).norm(dim=1), torch.ones(6))
    assert torch.equal(items.concept, items.logits.sigmoid())


@pytest.mark.parametrize("pad_zero", [False, True])
def test_word_vectors_give_the_width_and_the_start(tmp_path, pad_zero):
    model = small(pad_zero=pad_zero)
    vectors = torch.randn(V, 9)
    model.take_word_vectors(vectors)
    weight = model.captions.embedding.weight
    assert torch.equal(weight[1:], vectors[1:]) and weight.requires_grad
    assert torch.equal(weight[0], torch.zeros(9) if pad_zero else vectors[0])
    assert model.settings.word_dim == model.captions.levels.rnn.input_size == 9
    save_model(model, tmp_path)
    assert torch.equal(load_model(tmp_path).captions.embedding.weight, weight)


def test_word_vectors_of_the_same_width_leave_all_else_as_it_was():
    model, other = small(), small()
    model.take_word_vectors(torch.ones(V, 5))
    for (name, ours), theirs in zip(model.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs) == (name != "captions.embedding.weight")


@pytest.mark.parametrize("shape", [(V + 1, 5), (V,)])
def test_word_vectors_of_other_words_are_refused(shape):
    with pytest.raises(
        ConfigError, match=r"word vectors of shape \(\d+,.*\): the model has 20 wor"
    ):
        small().take_word_vectors(torch.zeros(shape))


def test_parts_to_prune_are_all_but_the_embedding_and_the_norms():
    model = small()
    parts = model.prunable()
    assert list(parts) == list(get_args(Part))
    modules = [module for part in parts.values() for module in part]
    assert {type(module) for module in modules} == {nn.GRU, nn.Conv1d, nn.Linear}
    held = {id(p) for module in modules for p in module.parameters()}
    left = {name for name, p in model.named_parameters() if id(p) not in held}
    norms = {
        f"{side}_{space}.norm.{kind}"
        for side in ("item", "caption")
        for space in ("latent", "concept")
        for kind in ("weight", "bias")
    }
    assert left == {"captions.embedding.weight"} | norms


def test_any_sizes_make_a_model():
    one = {"rnn_size": 1, "channels": [1], "kernels": [1], "bidirectional": False}
    other = {"rnn_size": 2, "channels": [3, 1, 2], "kernels": [7, 2, 4]}
    model = small(items=one, captions=other)
    items, captions = inputs()
    assert model.encode_items(items).latent.shape == (3, 6)
    assert model.encode_captions(captions).concept.shape == (3, 4)
    assert (model.items.width, model.captions.width) == (F + 2, V + 4 + 6)


def test_a_model_is_of_tags():
    with pytest.raises(
        ConfigError,
        match=r"family dual_encoding: captions of width 20, but it needs the numbers of words and "
        r"of tags; train it with concept tags",
    ):
        build_model(small().settings, F, V)


def test_training_moves_all_weights_but_that_of_padding():
    model = small(pad_zero=True).train()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    items, captions = inputs()
    captions[0, :3] = torch.tensor([1, 2, 3])
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1)
    encoded = model.encode_items(items), model.encode_captions(captions)
    target = torch.randn(3, 6)
    loss = sum((e.latent * target).sum() + (e.logits**3).sum() for e in encoded)
    loss.backward()
    optimiser.step()
    still = [name for name, p in model.named_parameters() if torch.equal(p, before[name])]
    assert still == [] and not model.captions.embedding.weight[0].any()
    assert int(model.item_concept.norm.num_batches_tracked) == 1
