import torch
from hypothesis import given
from hypothesis import strategies as st

from polymatch.losses.contrastive import symmetric_cross_entropy


def slow_form(logits, positives):
    """Rows then columns, one query at a time, one positive at a time."""
    total = 0.0
    for matrix, marks in ((logits, positives), (logits.T, positives.T)):
        direction = 0.0
        for row, mark in zip(matrix, marks, strict=True):
            chances = torch.exp(row) / torch.exp(row).sum()
            direction -= torch.log(chances[mark]).mean()
        total += direction / len(matrix)
    return total


@given(st.integers(0, 1000), st.integers(1, 6), st.integers(1, 6))
def test_equals_the_slow_form(seed, n, m):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, m, generator=generator, dtype=torch.float64)
    positives = torch.rand(n, m, generator=generator) < 0.4
    positives[torch.arange(n), torch.arange(n) % m] = True
    positives[torch.arange(m) % n, torch.arange(m)] = True
    torch.testing.assert_close(
        symmetric_cross_entropy(logits, positives), slow_form(logits, positives)
    )


def test_one_positive_each_is_torch_cross_entropy():
    logits = torch.randn(5, 5)
    expected = torch.nn.functional.cross_entropy(logits, torch.arange(5))
    expected += torch.nn.functional.cross_entropy(logits.T, torch.arange(5))
    torch.testing.assert_close(symmetric_cross_entropy(logits, torch.eye(5) > 0), expected)


def test_leading_dimensions_are_averaged_and_order_does_not_matter():
    logits, positives = torch.randn(3, 4, 4), torch.eye(4) > 0
    each = torch.stack([symmetric_cross_entropy(one, positives) for one in logits])
    torch.testing.assert_close(symmetric_cross_entropy(logits, positives), each.mean())
    order = torch.randperm(4)
    torch.testing.assert_close(
        symmetric_cross_entropy(logits[:, order], positives[order]), each.mean()
    )
