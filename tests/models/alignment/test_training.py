"""In training, batch normalisation included, the fast form is that of each caption alone."""

import pytest
import torch

from polymatch.models.alignment import Model, load_published

from .twin import F, R, Twin, cut, example, written


@pytest.fixture(params=["saf", "sgr"])
def pair(request, tmp_path):
    twin = Twin(request.param)
    model = load_published(written(tmp_path, twin.checkpoint()))
    for dropout in (m for m in model.modules() if isinstance(m, torch.nn.Dropout)):
        dropout.p = 0.0
    return twin.train(), model.train()


@pytest.mark.parametrize("numbers", [1, 150, None])
def test_scores_and_running_statistics_are_those_of_captions_in_turn(pair, numbers):
    twin, model = pair
    model.parts[0].block_numbers = numbers
    images, tokens, lengths = example()
    for _ in range(2):
        found = model.similarity_from_inputs(images, tokens, lengths)
        expected = twin(images, cut(tokens, lengths))
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    part, published = model.parts[0], twin.similarity
    norms = {"regions": (part.item_pooling.local[1], published.v_global_w.embedding_local[1])}
    norms["mean"] = (part.item_pooling.mean[1], published.v_global_w.embedding_global[1])
    if part.filtration is not None:
        norms["gates"] = (part.filtration.norm, published.SAF_module.bn)
    for name, (ours, theirs) in norms.items():
        for state in ("running_mean", "running_var", "num_batches_tracked"):
            found, expected = getattr(ours, state), getattr(theirs, state)
            torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6, msg=f"{name} {state}")


def test_gradients_go_through_the_statistics_of_gates(tmp_path):
    twin = Twin("saf").double().train()
    model = load_published(written(tmp_path, Twin("saf").checkpoint())).double().train()
    for dropout in (m for m in model.modules() if isinstance(m, torch.nn.Dropout)):
        dropout.p = 0.0
    images, tokens, lengths = example()
    weights = torch.randn(len(images), len(tokens), dtype=torch.float64)
    model.parts[0].block_numbers = 100
    (weights * twin(images.double(), cut(tokens, lengths))).sum().backward()
    (weights * model.similarity_from_inputs(images.double(), tokens, lengths)).sum().backward()
    filtration, published = model.parts[0].filtration, twin.similarity.SAF_module
    for ours, theirs in (
        (filtration.gate.weight, published.attn_sim_w.weight),
        (filtration.norm.weight, published.bn.weight),
        (filtration.norm.bias, published.bn.bias),
    ):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-12, rtol=1e-6)


def test_captions_may_be_shared_out(tmp_path):
    """Statistics of two shares, put together in the batch's order, are those of the whole."""
    path = written(tmp_path, Twin("saf").checkpoint())
    images, tokens, lengths = example()
    whole, shared = load_published(path), load_published(path)
    torch.manual_seed(4)
    items, captions = whole.train().encode_items(images), whole.encode_captions(tokens)
    expected = whole.similarity(items, captions)
    before = [tensor.clone() for tensor in shared.train().parts[0].filtration.norm.buffers()]
    found = [
        shared.parts[0].similarity(items, type(captions)(*(part[rows] for part in captions)))
        for rows in (slice(0, 4), slice(4, 7))
    ]
    for tensor, old in zip(shared.parts[0].filtration.norm.buffers(), before, strict=True):
        assert torch.equal(tensor, old)
    scores, statistics = (torch.cat(parts, 1) for parts in zip(*found, strict=True))
    assert statistics.shape == (2, len(lengths)) and not statistics.requires_grad
    shared.parts[0].filtration.update(statistics)
    torch.testing.assert_close(scores, expected, atol=1e-6, rtol=0)
    ours, theirs = (m.parts[0].filtration.norm.state_dict() for m in (shared, whole))
    torch.testing.assert_close(ours, theirs)


def test_scoring_leaves_no_trace(pair):
    _, model = pair
    model.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images, tokens, _ = example()
    items, captions = model.encode_items(images), model.encode_captions(tokens)
    _, statistics = model.parts[0].similarity(items, captions)
    model.similarity(items, captions)
    assert statistics.shape == (2, 0)
    torch.testing.assert_close(dict(model.state_dict()), before, atol=0, rtol=0)


@pytest.mark.parametrize("module", ["saf", "sgr"])
def test_it_learns_which_caption_is_whose(module):
    settings = Twin(module).settings()
    torch.manual_seed(0)
    model = Model(settings, (R, F), 30).train()
    images, tokens, _ = example(n=6, lengths=(3, 1, 6, 2, 3, 4))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    hinges = []
    for _ in range(60):
        scores = model.similarity(model.encode_items(images), model.encode_captions(tokens))
        matched = scores.diag()
        others = scores.masked_fill(torch.eye(6, dtype=torch.bool), -1)
        hinge = (0.2 + others - matched[:, None]).clamp(min=0).amax(1).mean()
        optimiser.zero_grad()
        hinge.backward()
        optimiser.step()
        hinges.append(hinge.item())
    assert all(p.grad is not None for p in model.parameters())
    assert hinges[-1] < 0.5 * hinges[0]
