import torch
from hypothesis import given
from hypothesis import strategies as st

from polymatch.losses.contrastive import cross_entropy, symmetric_cross_entropy


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


def test_smoothing_is_torchs():
    logits = torch.randn(5, 7, dtype=torch.float64)
    answers = torch.tensor([3, 0, 6, 6, 2])
    positives = torch.nn.functional.one_hot(answers, 7) > 0
    expected = torch.nn.functional.cross_entropy(logits, answers, label_smoothing=0.1)
    torch.testing.assert_close(cross_entropy(logits, positives, smoothing=0.1), expected)
    by_column = cross_entropy(logits.T, positives.T, dim=-2, smoothing=0.1)
    torch.testing.assert_close(by_column, expected)


def test_negatives_are_further_candidates():
    logits, more = torch.randn(4, 4, dtype=torch.float64), torch.randn(4, 9, dtype=torch.float64)
    answers, none = torch.arange(4), torch.full((4, 3), -torch.inf, dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(torch.cat([logits, more], 1), answers)
    padded = torch.cat([more, none], 1).requires_grad_()
    found = cross_entropy(logits, torch.eye(4) > 0, negatives=padded)
    torch.testing.assert_close(found, expected)
    found.backward()
    assert padded.grad.isfinite().all()
    assert (padded.grad[:, 9:] == 0).all()
    by_column = cross_entropy(logits.T, torch.eye(4) > 0, dim=-2, negatives=more.T)
    torch.testing.assert_close(by_column, expected)
    nothing = cross_entropy(logits, torch.eye(4) > 0, negatives=none)
    torch.testing.assert_close(nothing, torch.nn.functional.cross_entropy(logits, answers))
