"""The fast form gives what every pair by itself gives, however pairs are cut and ordered."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.models.alignment import load_published
from polymatch.models.alignment.layers import unit

from .twin import VOCABULARY, R, Twin, cut, example, written

VARIANTS = {
    "saf": {},
    "sgr": {},
    "one region": {"regions": 1},
    "more regions": {"regions": 9},
    "one direction": {"both": False},
    "two layers": {"layers": 2},
    "one step": {"steps": 1},
    "as they are": {"norms": (False, False)},
}


@pytest.fixture(scope="module", params=["saf", "sgr"])
def pair(request, tmp_path_factory):
    """A twin, and our model of its weights."""
    return loaded(tmp_path_factory.mktemp("pair"), request.param)


def loaded(folder, module, **variant):
    twin = Twin(module, **variant)
    return twin, load_published(written(folder, twin.checkpoint()))


@pytest.mark.parametrize("module", ["saf", "sgr"])
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
@torch.inference_mode()
def test_scores_are_those_of_each_pair_alone(tmp_path, module, variant):
    twin, model = loaded(tmp_path, module, **variant)
    images, tokens, lengths = example(regions=variant.get("regions", R))
    found = model.similarity_from_inputs(images, tokens, lengths)
    expected = twin(images, cut(tokens, lengths))
    assert expected.std() > 1e-4  # or anything would be close
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kept", [0, 1 << 24], ids=["again", "kept"])
@pytest.mark.parametrize("module", ["saf", "sgr"])
def test_gradients_are_those_of_each_pair_alone(tmp_path, monkeypatch, module, kept):
    monkeypatch.setattr("polymatch.models.alignment.part._KEPT", kept)
    twin, model = loaded(tmp_path, module)
    images, tokens, lengths = example()
    images, twin, model = images.double(), twin.double(), model.double()
    model.parts[0].block_numbers = 100
    weights = torch.randn(len(images), len(tokens), dtype=torch.float64)
    theirs, ours = images.clone().requires_grad_(), images.clone().requires_grad_()
    (weights * twin(theirs, cut(tokens, lengths))).sum().backward()
    (weights * model.similarity_from_inputs(ours, tokens, lengths)).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-12, rtol=1e-6)
    part = model.parts[0]
    for name, (own, other) in {
        "words": (part.words.embedding.weight, twin.text.embed.weight),
        "gru": (part.words.gru.weight_hh_l0_reverse, twin.text.cap_rnn.weight_hh_l0_reverse),
        "local": (part.local.weight, twin.similarity.sim_tranloc_w.weight),
        "whole": (part.whole.bias, twin.similarity.sim_tranglo_w.bias),
        "score": (part.score.weight, twin.similarity.sim_eval_w.weight),
    }.items():
        torch.testing.assert_close(own.grad, other.grad, atol=1e-12, rtol=1e-6, msg=name)
    if module == "sgr":
        step, other = part.reasoning.steps[1], twin.similarity.SGR_module[1]
        for name, theirs in (("query", other.graph_query_w), ("key", other.graph_key_w)):
            grad = getattr(step, name).weight.grad
            torch.testing.assert_close(grad, theirs.weight.grad, atol=1e-12, rtol=1e-6, msg=name)
        # What is left out for having no influence has none.
        assert other.graph_key_w.bias.grad.abs().max() < 1e-12


@pytest.mark.parametrize("dim", [-1, 0])
def test_unit_vectors_have_the_gradient_of_their_formula(dim):
    x = torch.randn(3, 4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: unit(x, dim), (x,))
    with torch.no_grad():
        lengths = (x * x).sum(dim, keepdim=True).sqrt() + 1e-8
        torch.testing.assert_close(unit(x, dim), x / lengths)
    zero = torch.zeros(2, 3, requires_grad=True)
    unit(zero).sum().backward()
    assert torch.equal(unit(zero), zero) and torch.equal(zero.grad, torch.zeros(2, 3))


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=9),
    n=st.integers(1, 7),
    numbers=st.integers(1, 2000),
)
@settings(max_examples=25, deadline=None)
def test_a_blocks_size_changes_nothing(pair, lengths, n, numbers):
    _, model = pair
    images, tokens, _ = example(n, lengths)
    part = model.parts[0]
    with torch.inference_mode():
        items, captions = model.encode_items(images), model.encode_captions(tokens)
        expected = model.similarity(items, captions)
        part.block_numbers = numbers
        try:
            found = model.similarity(items, captions)
        finally:
            part.block_numbers = None
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@torch.inference_mode()
def test_a_caption_is_scored_as_if_it_were_alone(pair):
    _, model = pair
    images, tokens, lengths = example()
    together = model.similarity_from_inputs(images, tokens, lengths)
    for j, caption in enumerate(cut(tokens, lengths)):
        alone = model.similarity_from_inputs(images, caption[None], [len(caption)])
        torch.testing.assert_close(together[:, j : j + 1], alone, atol=1e-6, rtol=0)
    for i in range(len(images)):
        alone = model.similarity_from_inputs(images[i : i + 1], tokens, lengths)
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-6, rtol=0)


@torch.inference_mode()
def test_what_stands_behind_a_caption_is_ignored(pair):
    _, model = pair
    images, tokens, lengths = example()
    expected = model.similarity_from_inputs(images, tokens, lengths)
    behind = torch.arange(tokens.shape[1]) >= lengths[:, None]
    for filled in (7, VOCABULARY + 5, -3):
        other = torch.cat([tokens.masked_fill(behind, filled), torch.full((7, 2), filled)], 1)
        assert torch.equal(model.similarity_from_inputs(images, other, lengths), expected)
    padded = torch.nn.functional.pad(tokens, (0, 3))
    again = model.similarity(model.encode_items(images), model.encode_captions(padded))
    assert torch.equal(again, expected)


@torch.inference_mode()
def test_permuted_captions_give_permuted_columns(pair):
    _, model = pair
    images, tokens, lengths = example()
    order = torch.randperm(len(tokens))
    found = model.similarity_from_inputs(images, tokens[order], lengths[order])
    expected = model.similarity_from_inputs(images, tokens, lengths)[:, order]
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@torch.inference_mode()
def test_large_sets_are_encoded_in_rows(pair, monkeypatch):
    _, model = pair
    images, tokens, _ = example()
    whole = model.encode_items(images), model.encode_captions(tokens)
    monkeypatch.setattr("polymatch.models.alignment.part._ROWS", 2)
    rows = model.encode_items(images), model.encode_captions(tokens)
    for one, other in zip(rows, whole, strict=True):
        torch.testing.assert_close(list(one), list(other), atol=1e-6, rtol=0)
