"""ECCV Caption's and CxC's figures against the authors' package, tie for tie, and wrong input."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.errors import DataError
from polymatch.evaluation import metrics_of, retrieval_ranks
from polymatch.evaluation.annotated import Annotation, add_annotated, annotated_figures


def slow(scores, right):
    """mAP@R and R-precision: means over all orders of the candidates that no score forbids."""
    r, found = len(right), []
    for order in permutations(range(len(scores))):
        if any(scores[a] < scores[b] for a, b in pairwise(order)):
            continue
        hits = [candidate in right for candidate in order[:r]]
        precision = [sum(hits[: place + 1]) / (place + 1) for place in range(r)]
        found.append((np.dot(hits, precision) / r, sum(hits) / r))
    return 100 * np.mean(found, axis=0)


def names(kind, n):
    return [f"{kind}{number}" for number in range(n)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 6), st.sampled_from([1, 2, 3, 50]))
def test_it_is_the_mean_over_every_order_of_the_ties(seed, n_items, n_captions, levels):
    random = np.random.default_rng(seed)
    similarity = random.integers(0, levels, (n_items, n_captions)).astype(float)
    items, captions = names("i", n_items), names("c", n_captions)
    right = {d: random.random((n_items, n_captions)) < 0.4 for d in ("v2t", "t2v")}
    right["v2t"][0, 0] = right["t2v"][0, 0] = True
    annotation = Annotation(
        {i: [*np.array(captions)[own], "gone"] for i, own in zip(items, right["v2t"], strict=True)},
        {c: np.array(items)[own] for c, own in zip(captions, right["t2v"].T, strict=True)},
    )
    places = [{name: place for place, name in enumerate(ids)} for ids in (items, captions)]
    found = annotated_figures(similarity, annotation, *places)
    for direction, scores, own in (
        ("v2t", similarity, right["v2t"]),
        ("t2v", similarity.T, right["t2v"].T),
    ):
        for query, line in enumerate(own):
            figures = [found[f"{direction}_{name}"][query] for name in ("map_r", "rprecision")]
            wanted = slow(scores[query], set(np.flatnonzero(line))) if line.any() else [np.nan] * 2
            np.testing.assert_allclose(figures, wanted)


@pytest.mark.filterwarnings("ignore:failed to import `ujson`")
def test_it_is_what_the_authors_package_computes():
    package = import_module("eccv_caption")
    metrics = package.Metrics()
    captions_of = {str(i): [str(c) for c in own] for i, own in metrics.eccv_gts["i2t"].items()}
    items_of = {str(c): [str(i) for i in own] for c, own in metrics.eccv_gts["t2i"].items()}
    # A part of COCO that holds whole sets of right answers of some queries.
    asked = list(captions_of)[:40]
    captions = sorted({c for item in asked for c in captions_of[item]})
    items = sorted({i for c in captions for i in items_of.get(c, [])} | set(asked))
    whole = {c: own for c, own in items_of.items() if c in captions}
    annotation = Annotation({item: captions_of[item] for item in asked}, whole)
    similarity = np.random.default_rng(0).standard_normal((len(items), len(captions)))
    rows = {item: row for row, item in enumerate(items)}
    columns = {caption: column for column, caption in enumerate(captions)}
    found = annotated_figures(similarity, annotation, rows, columns)
    metrics.eccv_gts = {
        "i2t": {int(i): [int(c) for c in captions_of[i]] for i in asked},
        "t2i": {int(c): [int(i) for i in own] for c, own in whole.items()},
    }
    retrieved = {
        "i2t": {
            int(i): [int(captions[c]) for c in np.argsort(-similarity[rows[i]])] for i in asked
        },
        "t2i": {
            int(c): [int(items[i]) for i in np.argsort(-similarity[:, columns[c]])] for c in whole
        },
    }
    theirs = metrics.eccv_metrics(retrieved, "all")
    for name, ours in (("eccv_map_at_r", "map_r"), ("eccv_rprecision", "rprecision")):
        assert np.nanmean(found[f"v2t_{ours}"]) == pytest.approx(100 * theirs[name]["i2t"])
        assert np.nanmean(found[f"t2v_{ours}"]) == pytest.approx(100 * theirs[name]["t2i"])
    assert np.nanmean(found["t2v_r1"]) == pytest.approx(100 * theirs["eccv_r1"]["t2i"])


def test_columns_are_named_after_the_annotation_and_leave_out_the_others():
    random = np.random.default_rng(1)
    similarity = random.standard_normal((4, 6))
    items, captions = names("i", 4), names("c", 6)
    ranks = retrieval_ranks(similarity, items, ["i0", "i1", "i2", "i3", "i0", "i1"])
    answers = ({"i0": ["c0", "c3"], "elsewhere": ["c1"]}, {"c0": ["i0"], "c5": ["i1", "gone"]})
    columns = {name: place for place, name in enumerate(captions)}
    judged = add_annotated(ranks, similarity, {"eccv": None, "cxc": answers}, items, columns)
    assert list(judged.t2v.further) == ["cxc_r1", "cxc_r5", "cxc_r10"]
    counted = ~np.isnan(judged.t2v.further["cxc_r1"])
    assert counted.tolist() == [True, False, False, False, False, True]
    assert metrics_of(judged)["t2v_cxc_r5"] == 100.0
    judged = add_annotated(ranks, similarity, {"eccv": answers}, items, columns)
    assert list(judged.v2t.further) == ["eccv_r1", "eccv_map_r", "eccv_rprecision"]


def test_an_annotation_of_another_data_set_is_refused():
    ranks = retrieval_ranks(np.eye(2), ["i0", "i1"], ["i0", "i1"])
    message = (
        r"^evaluation\.cxc: none of the 1 annotated items \(the first is '42'\) is in the gallery "
        "together with a right answer; ids there look like 'i0'$"
    )
    answers = {"cxc": ({"42": ["7"]}, {"7": ["42"]})}
    with pytest.raises(DataError, match=message):
        add_annotated(ranks, np.eye(2), answers, ["i0", "i1"], {"c0": 0, "c1": 1})
