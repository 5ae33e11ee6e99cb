"""Pairwise scores beside the obvious form on every pair, and the leak that they do not have."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from polymatch.evaluation import retrieval_metrics
from polymatch.models import build_model
from polymatch.models.projection import pairwise
from polymatch.settings.projection import ProjectionSettings

HIDDEN, OUTPUT, HEADS = 16, 10, 4


class Naive(nn.Module):
    """Both vectors of matched rows [P, H], by the layers of torch, as they are written down."""

    def __init__(self, hidden=HIDDEN, output=OUTPUT, heads=HEADS):
        super().__init__()
        for side in ("image", "text"):
            attention = nn.MultiheadAttention(hidden, heads, batch_first=True)
            self.add_module(f"{side}_attention", attention)
            self.add_module(f"{side}_norm1", nn.LayerNorm(hidden))
            self.add_module(f"{side}_linear", nn.Linear(hidden, output))
            self.add_module(f"{side}_norm2", nn.LayerNorm(output))

    def vectors(self, p, q):
        vectors = []
        for side, own, other in (("image", p, q), ("text", q, p)):
            attention, norm1, linear, norm2 = (
                getattr(self, f"{side}_{name}")
                for name in ("attention", "norm1", "linear", "norm2")
            )
            attended, _ = attention(own[:, None], other[:, None], other[:, None])
            vectors.append(normalize(norm2(linear(norm1(own + attended[:, 0]))), dim=-1))
        return vectors

    def forward(self, items, captions):
        """Every pair by itself, [N, M]."""
        n, m = len(items), len(captions)
        p = items.repeat_interleave(m, 0)
        image, text = self.vectors(p, captions.repeat(n, 1))
        return (image * text).sum(1).view(n, m)


def both_forms(dtype, seed=0, spread=1.0, hidden=HIDDEN, output=OUTPUT):
    """The obvious form with random weights everywhere, and ours with the same."""
    torch.manual_seed(seed)
    slow = Naive(hidden, output).to(dtype)
    with torch.no_grad():
        for weight in slow.parameters():
            weight.add_(0.3 * spread * torch.randn_like(weight))
    fast = pairwise.PairwiseScorer(hidden, output, HEADS, 0.0).to(dtype)
    for side in ("image", "text"):
        theirs, ours = getattr(slow, f"{side}_attention"), getattr(fast, side)
        with torch.no_grad():
            ours.attention.value.weight.copy_(theirs.in_proj_weight[-hidden:])
            ours.attention.value.bias.copy_(theirs.in_proj_bias[-hidden:])
        ours.attention.out.load_state_dict(theirs.out_proj.state_dict())
        for name in ("norm1", "linear", "norm2"):
            getattr(ours, name).load_state_dict(getattr(slow, f"{side}_{name}").state_dict())
    return slow, fast


def scores(fast, items, captions):
    return fast(fast.prepare_items(items), fast.prepare_captions(captions))


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@given(
    n=st.integers(1, 7),
    m=st.integers(1, 7),
    seed=st.integers(0, 1000),
    size=st.sampled_from([0.1, 1.0, 10.0]),
    spread=st.sampled_from([0.0, 1.0]),
)
@settings(deadline=None, max_examples=40)
def test_scores_are_those_of_every_pair_by_itself(dtype, most, n, m, seed, size, spread):
    slow, fast = both_forms(dtype, seed, spread)
    items, captions = (
        size * torch.randn(n, HIDDEN, dtype=dtype),
        torch.randn(m, HIDDEN, dtype=dtype),
    )
    with torch.inference_mode():
        torch.testing.assert_close(
            scores(fast, items, captions), slow(items, captions), atol=most, rtol=0
        )


def test_gradients_are_those_of_every_pair_by_itself():
    slow, fast = both_forms(torch.float64)
    weights = torch.randn(5, 6, dtype=torch.float64)
    gradients = []
    for form in (slow, lambda *sides: scores(fast, *sides)):
        sides = [
            torch.linspace(-2, 3, rows * HIDDEN, dtype=torch.float64).sin().view(rows, HIDDEN)
            for rows in (5, 6)
        ]
        for side in sides:
            side.requires_grad_()
        (form(*sides) * weights).sum().backward()
        gradients.append([side.grad for side in sides])
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-10, rtol=0)
    for side in ("image", "text"):
        theirs, ours = getattr(slow, f"{side}_attention"), getattr(fast, side)
        found = [ours.attention.value.weight.grad, ours.attention.out.weight.grad]
        expected = [theirs.in_proj_weight.grad[-HIDDEN:], theirs.out_proj.weight.grad]
        for name in ("norm1", "linear", "norm2"):
            found += [weight.grad for weight in getattr(ours, name).parameters()]
            expected += [w.grad for w in getattr(slow, f"{side}_{name}").parameters()]
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


def test_blocks_change_nothing_and_bound_what_is_held(monkeypatch):
    _, fast = both_forms(torch.float64)
    items, captions = torch.randn(23, HIDDEN).double(), torch.randn(11, HIDDEN).double()
    whole = scores(fast, items, captions)
    for pairs in (1, 40, 23 * 11 - 1):
        monkeypatch.setattr(pairwise, "_PAIRS", pairs)
        torch.testing.assert_close(scores(fast, items, captions), whole, atol=1e-14, rtol=0)


@pytest.mark.parametrize("hidden", [1, HIDDEN])
def test_tokens_that_cancel_or_are_constant_have_finite_scores(hidden):
    fast = pairwise.PairwiseScorer(hidden, OUTPUT, 1, 0.0)
    with torch.no_grad():  # attention answers a token with its negative
        for side in (fast.image, fast.text):
            side.attention.value.weight.copy_(torch.eye(hidden))
            side.attention.out.weight.copy_(-torch.eye(hidden))
            side.norm2.bias.zero_()
    tokens = torch.randn(4, hidden) * 100
    assert scores(fast, tokens, tokens).isfinite().all()
    assert scores(fast, torch.ones(4, hidden), torch.zeros(3, hidden)).isfinite().all()


def test_dropped_heads_of_a_caption_are_dropped_for_all_items():
    """Two equal items have equal scores with each caption, in training too."""
    torch.manual_seed(0)
    fast = pairwise.PairwiseScorer(HIDDEN, OUTPUT, HEADS, 0.5).train()
    items, captions = torch.randn(1, HIDDEN), torch.randn(1, HIDDEN).expand(9, -1)
    found = fast(fast.prepare_items(items), fast.prepare_captions(captions))
    assert len(found.unique()) > 1  # equal captions differ by what they dropped
    prepared = fast.prepare_captions(captions)
    dropped_once = fast.prepare_items(items)
    again = fast(dropped_once, prepared)
    assert torch.equal(again, fast(dropped_once, prepared))
    fast.eval()
    assert len(scores(fast, items, captions).unique()) == 1


WIDTH, PAIRS, STEPS = 12, 120, 60


def unrelated(seed):
    """Items and captions that have nothing to do with each other, paired at random."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, PAIRS, WIDTH, generator=generator)


def fitted(similarity, parameters):
    optimiser = torch.optim.Adam(parameters, lr=1e-2)
    labels = torch.arange(PAIRS)
    for step in range(STEPS):
        logits = similarity(*unrelated(step)) / 0.05
        loss = cross_entropy(logits, labels) + cross_entropy(logits.T, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def recalls(similarity):
    with torch.inference_mode():
        found = similarity(*unrelated(10_000)).numpy()
    metrics = retrieval_metrics(found, range(PAIRS), range(PAIRS))
    return metrics["t2v_r1"] / 100, metrics["v2t_r1"] / 100


def test_pairs_put_together_at_random_are_found_by_the_leak_and_not_by_this_head():
    """Trained on unrelated pairs and tested on others: there is nothing to find but the pairing."""
    torch.manual_seed(0)
    naive, tokens = Naive(), nn.ModuleList(nn.Linear(WIDTH, HIDDEN) for _ in range(2))

    def leaking(items, captions):  # each attends to the one that it stands beside
        image, text = naive.vectors(tokens[0](items), tokens[1](captions))
        return image @ text.T

    fitted(leaking, [*naive.parameters(), *tokens.parameters()])
    assert min(recalls(leaking)) > 0.9
    head = {"type": "cross_modal", "hidden_dim": HIDDEN, "output_dim": OUTPUT, "num_heads": HEADS}
    entry = {"family": "projection", "head": head, "loss": {"type": "softmax"}}
    model = build_model(ProjectionSettings.model_validate(entry), WIDTH, WIDTH)

    def ours(items, captions):
        return model.similarity(model.encode_items(items), model.encode_captions(captions))

    most = binom.ppf(1 - 1e-6, PAIRS, 1 / PAIRS) / PAIRS
    assert max(recalls(ours)) <= most
    fitted(ours, model.parameters())
    model.eval()
    assert max(recalls(ours)) <= most
