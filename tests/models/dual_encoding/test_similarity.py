"""Jaccard similarity and its gradient, and the fused one, against plain forms."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from polymatch.errors import ConfigError, NumericsError
from polymatch.models.dual_encoding import Encoded, jaccard_similarity

from .test_encoding import small


def plain(x, y):
    pairs = torch.broadcast_tensors(x[:, None], y[None])
    return torch.minimum(*pairs).sum(2) / torch.maximum(*pairs).sum(2)


@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 20)),
    data=st.data(),
)
def test_jaccard_is_the_plain_form(shape, data):
    n, m, d = shape
    values = st.floats(0, 1, width=32)
    x, y = (
        torch.from_numpy(data.draw(arrays.arrays(np.float32, size, elements=values)))
        for size in ((n, d), (m, d))
    )
    expected = plain(x.double(), y.double())
    expected[(x.sum(1)[:, None] + y.sum(1)) == 0] = 1  # two empty sets are the same
    found = jaccard_similarity(x, y)
    torch.testing.assert_close(found.double(), expected, atol=1e-6, rtol=0)
    assert found.min() >= 0 and found.max() <= 1 + 1e-6


@pytest.mark.parametrize(
    "shape", [(3, 700, 4096), (300, 2, 5000), (150, 140, 512), (2, 3, 3 << 19)]
)
def test_blocks_change_nothing(shape):
    n, m, d = shape
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(rows, d, generator=generator) for rows in (n, m))
    rows = torch.tensor([0, n // 2, n - 1])
    expected = plain(x[rows].double(), y[:20].double())
    found = jaccard_similarity(x, y)
    torch.testing.assert_close(found[rows, :20].double(), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.T, jaccard_similarity(y, x), atol=1e-6, rtol=0)


def test_gradients_are_right():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(n, 6, generator=generator, dtype=torch.float64) for n in (4, 3))
    assert torch.autograd.gradcheck(jaccard_similarity, (x.requires_grad_(), y.requires_grad_()))


@pytest.mark.parametrize("shape", [(5, 4, 7), (40, 90, 512)])
@pytest.mark.parametrize("tied", [False, True])
def test_gradients_are_those_of_the_plain_form_in_ties_too(shape, tied):
    n, m, d = shape
    generator = torch.Generator().manual_seed(0)
    sides = [torch.rand(rows, d, generator=generator, dtype=torch.float64) for rows in (n, m)]
    if tied:
        sides = [(3 * side).round() + 0.1 for side in sides]
    upstream = torch.randn(n, m, generator=generator, dtype=torch.float64)
    found, expected = (
        torch.autograd.grad((form(*given) * upstream).sum(), given)
        for form in (jaccard_similarity, plain)
        for given in [[side.clone().requires_grad_() for side in sides]]
    )
    torch.testing.assert_close(found, expected)


def test_rows_of_zeros_have_no_gradient():
    x = torch.zeros(2, 3, requires_grad=True)
    found = jaccard_similarity(x, torch.zeros(1, 3))
    found.sum().backward()
    assert found.tolist() == [[1.0], [1.0]] and not x.grad.any()


@pytest.mark.parametrize(("x", "y"), [((2, 3), (4, 2)), ((3,), (4, 3)), ((2, 3), (1, 4, 3))])
def test_other_shapes_are_refused(x, y):
    with pytest.raises(NumericsError, match=r"is of two matrices of one width, not \["):
        jaccard_similarity(torch.zeros(x), torch.zeros(y))


def encoded(rows, seed):
    torch.manual_seed(seed)
    latent, logits = (
        torch.nn.functional.normalize(torch.randn(rows, 6), dim=1),
        torch.randn(rows, 4),
    )
    return Encoded(latent, logits.sigmoid(), logits)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_hybrid_is_both_spaces_scaled_over_the_whole_matrix(alpha):
    model, items, captions = small(alpha=alpha), encoded(5, 0), encoded(8, 1)
    latent = items.latent @ captions.latent.T
    concept = plain(items.concept, captions.concept)
    torch.testing.assert_close(model.similarity(items, captions, "latent"), latent)
    torch.testing.assert_close(model.similarity(items, captions, "concept"), concept)
    scaled = [(m - m.min()) / (m.max() - m.min()) for m in (latent, concept)]
    expected = alpha * scaled[0] + (1 - alpha) * scaled[1]
    for kind in ("hybrid", None):
        torch.testing.assert_close(model.similarity(items, captions, kind), expected)
    together = sum(
        weight * (part - part.min()) / (part.max() - part.min())
        for kind, weight in model.fused()
        for part in [model.similarity(items, captions, kind)]
    )
    torch.testing.assert_close(together, expected)
    assert model.fused("latent") is None and len(model.fused("hybrid")) == 1 + (0 < alpha < 1)


def test_the_order_stays_where_all_cosines_are_negative():
    items, captions = encoded(1, 0), encoded(3, 1)
    latent = torch.tensor(
        [[1.0, 0], [-0.9, (1 - 0.81) ** 0.5], [-0.1, 0.99**0.5], [-0.5, 0.75**0.5]]
    )
    items, captions = items._replace(latent=latent[:1]), captions._replace(latent=latent[1:])
    found = small(alpha=1.0).similarity(items, captions)
    torch.testing.assert_close(found, torch.tensor([[0.0, 1.0, 0.5]]))


def test_what_is_all_the_same_is_zero():
    items, captions = encoded(2, 0), encoded(1, 1)
    same = items._replace(latent=items.latent[:1].repeat(2, 1), concept=torch.full((2, 4), 0.5))
    assert small(alpha=0.5).similarity(same, captions).tolist() == [[0.0], [0.0]]


def test_another_similarity_is_refused():
    with pytest.raises(ConfigError, match=r"'cosine' is not this model's, which has hybrid, lat"):
        small().similarity(encoded(1, 0), encoded(1, 1), "cosine")
