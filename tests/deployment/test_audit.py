import pytest
import torch
import torch.nn.functional as F

from polymatch.data.tables import check_table, load_schema
from polymatch.deployment.audit import CATEGORIES, audit
from polymatch.deployment.graphs import model_graphs
from polymatch.models import RetrievalModel
from polymatch.settings.aligned import AlignedSettings

from .conftest import KINDS, WIDTH

N, M, HIDDEN = 11, 17, 16


def of_model(similarity):
    """The audit of a model that has only a similarity."""

    class Model(RetrievalModel):
        def __init__(self, *args):
            super().__init__(*args)
            self.weight = torch.nn.Parameter(torch.randn(WIDTH, WIDTH))

        encode_items = encode_captions = staticmethod(lambda features: features)

        def similarity(self, items, captions, kind=None):
            return similarity(self, items, captions)

    return Model(AlignedSettings(family="aligned"), WIDTH, WIDTH)


@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_is_known_and_the_table_adds_up(build, data, kind):
    result = audit(model_graphs(build(kind), kind), data(N, M))
    check_table(result.table, load_schema("operators"), "operators")
    assert result.record["unknown_operators"] == "" and result.record["unknown_total"] == 0
    totals = result.table.groupby("category")["work"].sum()
    for category in CATEGORIES:
        assert result.record[f"{category}_total"] == totals.get(category, 0)
    assert result.record["samples"] == (kind in ("mc", "match"))
    assert (result.record["sampling_total"] > 0) == (kind in ("mc", "match"))


def test_products_are_counted_as_a_person_would(build, data):
    record = audit(model_graphs(build("mean"), "mean"), data(N, M)).record
    layers = 2 * 2 * WIDTH * HIDDEN  # of one side: mu and logvar, two layers each
    assert record["weights_total"] == (N + M) * layers
    assert record["weights_per_query"] == layers
    assert record["weights_values"] == 2 * layers
    assert record["gallery_total"] == N * M * WIDTH
    assert (record["gallery_per_pair"], record["gallery_per_query"]) == (WIDTH, N * WIDTH)
    assert record["gallery_values"] == N * WIDTH
    assert record["activations_total"] == 0 and record["elementwise_per_pair"] == 0


def test_the_polynomial_is_five_products_and_no_sampling(build, data):
    record = audit(model_graphs(build("poly"), "poly"), data(N, M)).record
    assert record["gallery_per_pair"] == 5 * WIDTH  # means, and two pairs of the rest
    assert record["gallery_values"] == N * 4 * WIDTH
    assert record["elementwise_per_pair"] > 2 * 9  # Horner: a multiplication and addition a term
    assert record["activations_total"] == record["nonlinear_per_pair"] == 0


def test_what_an_array_cannot_do_is_told_apart(data):
    def similarity(model, items, captions):
        attention = (captions @ items.T).softmax(-1)
        mixed = attention @ items  # [M, D]; the items are still what is stored
        own = (items @ items.T).sum() + (mixed @ mixed.T).sort(-1).values.sum()
        return (items @ model.weight @ mixed.T) + own.sigmoid()

    table = audit(model_graphs(of_model(similarity), "cosine"), data(N, M)).table
    rows = table.groupby(["category", "operator"])["work"].sum()
    assert rows["weights", "mm"] == N * WIDTH * WIDTH
    assert rows["gallery", "mm"] == 3 * N * M * WIDTH
    assert rows["activations", "mm"] == (N * N + M * M) * WIDTH
    assert rows["softmax", "_softmax"] == N * M
    assert ("nonlinear", "sigmoid") in rows.index and "sort" in table["category"].to_numpy()


def test_an_operator_that_nobody_foresaw_is_listed_as_unknown(data):
    def similarity(model, items, captions):
        return torch.special.bessel_j0(items @ captions.T)

    record = audit(model_graphs(of_model(similarity), "cosine"), data(N, M)).record
    assert record["unknown_operators"] == "special_bessel_j0"
    assert record["unknown_total"] == N * M


def test_work_done_once_for_the_gallery_is_not_a_querys(data):
    def similarity(model, items, captions):
        return F.normalize(items.exp(), dim=-1) @ captions.exp().T

    record = audit(model_graphs(of_model(similarity), "cosine"), data(N, M)).record
    assert record["nonlinear_per_query"] == WIDTH
    assert record["nonlinear_total"] == M * WIDTH + 3 * N * WIDTH  # exp, norm, division
    assert record["nonlinear_per_pair"] == 0
