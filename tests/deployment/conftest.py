"""Small models of every kind of similarity, and a retrieval set that they can be scored on."""

import numpy as np
import pytest
import torch

from polymatch.data.splits import RetrievalSet
from polymatch.models import build_model
from polymatch.settings.aligned import AlignedSettings
from polymatch.settings.probabilistic import ProbabilisticSettings
from polymatch.surrogate import PolynomialSurrogate

WIDTH = 6
# Each is exported again and again, which takes seconds; one that samples and one that doesn't are
# enough for `make test`.
KINDS = [
    *("mc", "poly"),
    *(
        pytest.param(kind, marks=pytest.mark.long)
        for kind in ("cosine", "mean", "closed", "match", "csd")
    ),
]


@pytest.fixture
def build():
    def build(kind, hidden=16):
        torch.manual_seed(0)
        if kind == "cosine":
            return build_model(AlignedSettings(family="aligned"), WIDTH, WIDTH).eval()
        settings = ProbabilisticSettings(
            family="probabilistic",
            loss="soft" if kind in ("match", "csd") else "poly",
            similarities=[kind],
            teacher="t",
            hidden=hidden,
            K_test=4,
        )
        model = build_model(settings, WIDTH, WIDTH).eval()
        ed, vd = torch.rand(2, 300, dtype=torch.float64) * 4
        model.surrogate = PolynomialSurrogate.fit(ed, vd, torch.sigmoid(-ed + 0.1 * vd), degree=3)
        return model

    return build


@pytest.fixture
def data():
    """Captions near their items: most queries find theirs."""

    def data(n=11, m=17, seed=0):
        random = np.random.default_rng(seed)
        items = random.normal(size=(n, WIDTH)).astype(np.float32)
        names = np.arange(m) % n
        captions = items[names] + 0.3 * random.normal(size=(m, WIDTH)).astype(np.float32)
        ids = [str(i) for i in range(n)]
        texts = [f"text {j}" for j in range(m)]
        return RetrievalSet(ids, items, texts, captions, [(str(i),) for i in names])

    return data
