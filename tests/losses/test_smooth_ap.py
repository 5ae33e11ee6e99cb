import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polymatch.errors import NumericsError
from polymatch.losses.smooth_ap import smooth_ap_loss


def slow_form(similarity, positives, temperature):
    """Query by query, by the definition."""
    total = 0.0
    for scores, marks in ((similarity, positives), (similarity.T, positives.T)):
        precisions = []
        for row, mark in zip(scores, marks, strict=True):
            right = mark.nonzero().flatten().tolist()
            if not right:
                continue
            shares = []
            for own in right:
                above = torch.sigmoid((row - row[own]) / temperature)
                among = sum(above[other] for other in right if other != own)
                everyone = sum(above[other] for other in range(len(row)) if other != own)
                shares.append((1 + among) / (1 + everyone))
            precisions.append(sum(shares) / len(shares))
        total += 1 - sum(precisions) / len(precisions)
    return total


def drawn(seed, n, m):
    generator = torch.Generator().manual_seed(seed)
    similarity = torch.randn(n, m, generator=generator, dtype=torch.float64)
    positives = torch.rand(n, m, generator=generator) < 0.3
    positives[0, 0] = True
    return similarity, positives


@given(
    st.integers(0, 1000), st.integers(1, 6), st.integers(1, 6), st.sampled_from([1e-3, 0.1, 1.0])
)
def test_equals_the_slow_form(seed, n, m, temperature):
    """Queries have any number of positives, or none."""
    similarity, positives = drawn(seed, n, m)
    torch.testing.assert_close(
        smooth_ap_loss(similarity, positives, temperature),
        torch.as_tensor(slow_form(similarity, positives, temperature), dtype=torch.float64),
    )


def test_is_average_precision_where_no_two_are_near():
    # Captions 0 and 3 are item 0's, at ranks 1 and 3; item 1's caption is second, item 2's first.
    similarity = torch.tensor([[0.9, 0.8, 0.1, 0.4], [0.3, 0.5, 0.2, 0.6], [0.0, 0.1, 0.7, 0.2]])
    positives = torch.tensor([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]]) > 0
    of_items = ((1 + 2 / 3) / 2 + 1 / 2 + 1) / 3
    of_captions = (1 + 1 / 2 + 1 + 1 / 2) / 4
    found = float(smooth_ap_loss(similarity, positives))
    assert found == pytest.approx(2 - of_items - of_captions, abs=1e-6)


def test_one_positive_each_is_one_over_the_rank():
    similarity, _ = drawn(1, 6, 6)
    ranks = [
        1 + (scores > scores.diagonal()[:, None]).sum(1) for scores in (similarity, similarity.T)
    ]
    expected = sum(1 - (1 / rank).mean() for rank in ranks)
    found = smooth_ap_loss(similarity, torch.eye(6) > 0, 1e-6)
    assert float(found) == pytest.approx(float(expected), abs=1e-6)


def test_gradient():
    similarity, positives = drawn(2, 4, 5)
    similarity.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: smooth_ap_loss(s, positives, 0.3), (similarity,))


def test_a_mask_of_another_shape():
    message = r"SmoothAP needs a mask of the similarity's shape \[2, 3\], not \[3, 2\]"
    with pytest.raises(NumericsError, match=message):
        smooth_ap_loss(torch.zeros(2, 3), torch.ones(3, 2) > 0)
