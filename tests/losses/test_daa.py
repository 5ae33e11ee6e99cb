"""The DAA loss against forms that hold every difference, and what must be true of any."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polymatch.errors import NumericsError
from polymatch.losses import daa, daa_loss


def slow_rank(scores, temperature):
    """Rank of every candidate (column) of every query (row), one pair of candidates at a time."""
    rank = torch.ones_like(scores)
    for query in range(len(scores)):
        for own in range(scores.shape[1]):
            for other in range(scores.shape[1]):
                if other != own:
                    difference = scores[query, other] - scores[query, own]
                    rank[query, own] = rank[query, own] + torch.sigmoid(difference / temperature)
    return rank


def slow_published_rank(scores, temperature):
    """The same as the published code compares: an entry of row b with the entries of column b."""
    rank = torch.ones_like(scores)
    for b in range(len(scores)):
        for c in range(len(scores)):
            for a in range(len(scores)):
                if a != c:
                    exponent = (scores[b, c] - scores[a, b]) / temperature
                    rank[b, c] = rank[b, c] + 1 / (1 + torch.exp(exponent.clamp(-50, 50)))
    return rank


def slow_form(similarity, semantic, weight, temperature, ranks):
    total = 0
    for scores, meanings in ((similarity, semantic), (similarity.T, semantic.T)):
        rank, wished = ranks(scores, temperature), ranks(meanings, temperature)
        ratio = torch.minimum(rank, wished) / torch.maximum(rank, wished)
        total = total + weight * (1 - ratio.mean())
    return total


def drawn(seed, n, m, spread, ties=False):
    generator = torch.Generator().manual_seed(seed)
    both = spread * torch.randn(2, n, m, generator=generator, dtype=torch.float64)
    return both.round(decimals=1) if ties else both


shapes = {
    "seed": st.integers(0, 1000),
    "n": st.integers(1, 5),
    "spread": st.sampled_from([1e-4, 1e-3, 1e-2, 1.0]),
    "ties": st.booleans(),
}


def both_with_gradients(similarity, semantic, ranks, **options):
    fast, slow = (similarity.clone().requires_grad_() for _ in range(2))
    loss = daa_loss(fast, semantic, 7.0, 1e-3, **options)
    # A single candidate has no rivals, and its rank no gradient.
    expected = slow_form(slow, semantic, 7.0, 1e-3, ranks) + 0 * slow.sum()
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(fast.grad, slow.grad, atol=1e-9, rtol=1e-6)


@given(**shapes, m=st.integers(1, 5))
def test_equals_the_slow_form(seed, n, m, spread, ties):
    both_with_gradients(*drawn(seed, n, m, spread, ties), slow_rank)


@given(**shapes)
def test_equals_the_slow_published_form(seed, n, spread, ties):
    both = drawn(seed, n, n, spread, ties)
    both_with_gradients(*both, slow_published_rank, published=True)


@pytest.mark.parametrize("published", [False, True])
def test_gradient(published):
    similarity, semantic = drawn(3, 5, 5, 0.5)
    similarity.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda s: daa_loss(s, semantic, 25.0, 0.3, published), (similarity,)
    )


@pytest.mark.parametrize("published", [False, True])
def test_chunks_make_no_difference(monkeypatch, published):
    similarity, semantic = drawn(1, 9, 9, 2e-3)
    whole, parts = (similarity.clone().requires_grad_() for _ in range(2))
    daa_loss(whole, semantic, published=published).backward()
    monkeypatch.setattr(daa, "_queries_at_once", lambda scores: 4)
    daa_loss(parts, semantic, published=published).backward()
    torch.testing.assert_close(parts.grad, whole.grad)


def test_single_and_half_precision():
    similarity, semantic = drawn(2, 40, 40, 0.1)
    exact = daa_loss(similarity, semantic)
    single = daa_loss(similarity.float(), semantic)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), exact, rtol=1e-4, atol=0)
    half = similarity.bfloat16().requires_grad_()
    daa_loss(half, semantic).backward()
    assert half.grad.dtype == torch.bfloat16 and half.grad.isfinite().all()


def test_ranks_that_agree_cost_nothing_and_opposite_ones_most():
    semantic = torch.randperm(64).reshape(8, 8).double()  # no two are near
    assert abs(float(daa_loss(2 * semantic + 1, semantic))) < 1e-9
    others = [float(daa_loss(drawn(seed, 8, 8, 1.0)[0], semantic)) for seed in range(20)]
    assert max(others) < float(daa_loss(-semantic, semantic)) < 50


def test_the_published_form_compares_queries_with_each_other():
    semantic = torch.randperm(64, generator=torch.Generator().manual_seed(0)).reshape(8, 8).double()
    alike = semantic + 50 * torch.arange(8)[:, None]  # each item ranks its captions as it should
    ours, _ = daa.daa_of_directions(alike, semantic)
    published, _ = daa.daa_of_directions(alike, semantic, published=True)
    assert abs(float(ours)) < 1e-9 and float(published) > 5


def test_directions_are_those_of_the_transposed():
    similarity, semantic = drawn(4, 4, 7, 1e-3)
    v2t, t2v = daa.daa_of_directions(similarity, semantic)
    t2v_first, v2t_second = daa.daa_of_directions(similarity.T, semantic.T)
    torch.testing.assert_close((v2t, t2v), (v2t_second, t2v_first))
    order = torch.randperm(7)
    torch.testing.assert_close(
        daa_loss(similarity[:, order], semantic[:, order]), daa_loss(similarity, semantic)
    )


def test_shapes_that_do_not_fit():
    message = (
        r"DAA compares two matrices of one shape, items × captions, but similarity is \[2, 3\] "
        r"and semantic \[3, 2\]"
    )
    with pytest.raises(NumericsError, match=message):
        daa_loss(torch.zeros(2, 3), torch.zeros(3, 2))
    message = r"the published DAA needs as many items as captions, not \[2, 3\]; use `published: f"
    with pytest.raises(NumericsError, match=message):
        daa_loss(torch.zeros(2, 3), torch.zeros(2, 3), published=True)
