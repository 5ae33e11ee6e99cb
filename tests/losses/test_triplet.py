import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polymatch.errors import NumericsError
from polymatch.losses.triplet import triplet_loss


def slow_form(similarity, positives, margin, hardest, reduction):
    """Query by query, negative by negative."""
    total = 0.0
    for scores, marks in ((similarity, positives), (similarity.T, positives.T)):
        of_queries = []
        for query in range(len(scores)):
            costs = [0.0]
            for candidate in range(len(scores)):
                if not marks[query, candidate]:
                    cost = margin + float(scores[query, candidate] - scores[query, query])
                    costs.append(max(0.0, cost))
            of_queries.append(max(costs) if hardest else sum(costs))
        total += sum(of_queries) / (1 if reduction == "sum" else len(of_queries))
    return total


def drawn(seed, size):
    generator = torch.Generator().manual_seed(seed)
    similarity = torch.randn(size, size, generator=generator, dtype=torch.float64)
    positives = torch.rand(size, size, generator=generator) < 0.2
    return similarity, positives | (torch.eye(size) > 0)


@given(st.integers(0, 1000), st.integers(1, 6), st.booleans(), st.sampled_from(["sum", "mean"]))
def test_equals_the_slow_form(seed, size, hardest, reduction):
    similarity, positives = drawn(seed, size)
    found = triplet_loss(similarity, positives, 0.3, hardest, reduction)
    assert float(found) == pytest.approx(
        slow_form(similarity, positives, 0.3, hardest, reduction), abs=1e-12
    )


@pytest.mark.parametrize("hardest", [True, False])
def test_gradient(hardest):
    similarity, positives = drawn(0, 5)
    similarity.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda s: triplet_loss(s, positives, 0.3, hardest), (similarity,)
    )


def test_pairs_that_win_by_the_margin_cost_nothing():
    similarity = torch.eye(4, dtype=torch.float64).requires_grad_()
    loss = triplet_loss(similarity, torch.eye(4) > 0, margin=0.9)
    loss.backward()
    assert loss.item() == 0 and not similarity.grad.any()


def test_another_caption_of_the_item_is_no_negative():
    similarity = torch.tensor([[0.5, 0.9, 0.0], [0.5, 0.9, 0.0], [0.0, 0.0, 0.5]])
    positives = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    assert float(triplet_loss(similarity, positives)) == 0
    assert float(triplet_loss(similarity, torch.eye(3) > 0)) > 0


def test_shapes_that_do_not_fit():
    message = (
        r"the hinge loss needs as many items as captions, a pair a row, but similarity is \[2, 3\] "
        r"and positives \[2, 3\]"
    )
    with pytest.raises(NumericsError, match=message):
        triplet_loss(torch.zeros(2, 3), torch.ones(2, 3) > 0)
    with pytest.raises(NumericsError, match=r"is \[2, 2\] and positives \[2, 3\]"):
        triplet_loss(torch.zeros(2, 2), torch.ones(2, 3) > 0)
