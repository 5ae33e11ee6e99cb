"""Shares of the ranks, from files of rows: to the bit what the whole matrix at once gives."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from polymatch.data.shards import shard_of
from polymatch.errors import DataError, NumericsError
from polymatch.evaluation import metrics_of
from polymatch.evaluation.record import Evidence, score_matrix, score_ranks
from polymatch.evaluation.row_shards import RowShards
from polymatch.evaluation.shares import merged_ranks, share_of_ranks
from polymatch.settings.stages import EvaluationSettings

ITEMS, CAPTIONS = 12, 31
SETTINGS = EvaluationSettings(metrics=["mrr"], folds=3, resamples=100)


def example(seed=0, several=True):
    """A matrix with ties, captions in no order of which some name two items, and all evidence."""
    random = np.random.default_rng(seed)
    items = [f"i{row}" for row in range(ITEMS)]
    named = [(items[row],) for row in (*range(ITEMS), *random.integers(0, ITEMS, CAPTIONS - ITEMS))]
    if several:
        named[3] = (items[3], items[10])
        named[20] = (items[7], items[6])
    similarity = random.standard_normal((ITEMS, CAPTIONS)).round(1).astype(np.float32)
    semantic = random.random((ITEMS, CAPTIONS))
    semantic[:, ::2] *= random.random((ITEMS, -(-CAPTIONS // 2))) < 0.2
    codes = (random.random((ITEMS, 4)) < 0.5).astype(int)
    codes[[0, 5]] = 0
    columns = {f"c{column}": column for column in range(CAPTIONS)}
    answers = (
        {items[row]: [f"c{row}", f"c{row + 1}"] for row in range(0, ITEMS, 2)},
        {f"c{column}": [items[column % ITEMS]] for column in range(5, 20)},
    )
    evidence = Evidence(
        sparse.csr_array(semantic), codes, {"eccv": answers, "cxc": answers}, columns
    )
    return similarity, items, named, evidence


def written(folder, matrix, shards):
    paths = [folder / f"{shard}.npy" for shard in range(shards)]
    for shard, path in enumerate(paths):
        np.save(path, matrix[shard_of(len(matrix), shard, shards)])
    return RowShards(paths)


def through_files(folder, shares):
    """What the jobs of the workflow do: each writes its share, one reads them all."""
    for number, share in enumerate(shares):
        share.save(folder / f"{number}.parquet")
    return [type(share).load(folder / f"{n}.parquet") for n, share in enumerate(shares)]


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
@pytest.mark.parametrize("panel_bytes", [1, 400, 1 << 28])
def test_any_number_of_shares_is_the_whole_to_the_bit(tmp_path, shards, panel_bytes):
    similarity, items, named, evidence = example()
    whole = score_matrix(similarity, items, named, SETTINGS, evidence, threads=1)
    matrix = written(tmp_path, similarity, shards)
    shares = [
        share_of_ranks(
            matrix, items, named, evidence, 3,
            share=share, shares=shards, panel_bytes=panel_bytes,
        )
        for share in range(shards)
    ]  # fmt: skip
    ranks = merged_ranks(through_files(tmp_path, shares), items, 3)
    found = score_ranks(ranks, SETTINGS, len(items), len(named))
    assert found.record() == whole.record()
    assert {"t2v_asp", "v2t_pmrp_2", "fold_t2v_asp", "t2v_eccv_map_r", "v2t_cxc_r10"} <= {
        *found.metrics
    }
    whole.ranks.save(tmp_path / "whole.parquet")
    ranks.save(tmp_path / "merged.parquet")
    assert (tmp_path / "merged.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000), shards=st.integers(1, ITEMS), shares=st.integers(1, 40))
def test_shards_of_scores_and_shares_of_queries_may_differ(tmp_path, seed, shards, shares):
    similarity, items, named, evidence = example(seed, several=seed % 2 == 0)
    whole = score_matrix(similarity, items, named, SETTINGS, evidence, threads=1)
    matrix = written(tmp_path, similarity, shards)
    found = [
        share_of_ranks(matrix, items, named, evidence, 3, share=share, shares=shares)
        for share in range(shares)
    ]
    merged = merged_ranks(through_files(tmp_path, found), items, 3)
    assert metrics_of(merged, (1, 5, 10), ["mrr"]) == whole.metrics


def test_recalls_alone_need_no_evidence(tmp_path):
    similarity, items, named, _ = example()
    share = share_of_ranks(written(tmp_path, similarity, 2), items, named, Evidence())
    assert share.folds is None and not share.t2v.further
    settings = EvaluationSettings(resamples=100)
    whole = score_matrix(similarity, items, named, settings, threads=1)
    assert metrics_of(merged_ranks([share], items)) == whole.metrics


def test_panels_are_the_matrix_by_rows_and_by_columns(tmp_path):
    similarity, *_ = example()
    matrix = written(tmp_path, similarity, 5)
    assert matrix.shape == similarity.shape
    np.testing.assert_array_equal(matrix.rows(1, 9), similarity[1:9])
    np.testing.assert_array_equal(matrix.columns(4, 5), similarity[:, 4:5])


@pytest.mark.parametrize("of_items", [True, False])
def test_a_number_that_is_none_is_named_with_its_file(tmp_path, of_items):
    similarity, *_ = example()
    similarity[7, 30] = np.nan
    matrix = written(tmp_path, similarity, 3)
    with pytest.raises(NumericsError) as caught:
        matrix.rows(5, 12) if of_items else matrix.columns(20, 31)
    assert str(caught.value) == (
        f"{tmp_path / '1.npy'}: similarity holds a NaN or infinite value at item 7, caption 30 "
        "(counted from 0); look for a division by zero or an overflow in the model"
    )


def test_what_does_not_fit_is_said(tmp_path):
    similarity, items, named, evidence = example()
    matrix = written(tmp_path, similarity, 2)
    with pytest.raises(DataError, match=re.escape("similarity has shape (12, 31), expected items")):
        share_of_ranks(matrix, items[:-1], named, Evidence())
    with pytest.raises(DataError, match="12 items cannot be cut into 5 equal folds; choose a num"):
        share_of_ranks(matrix, items, named, Evidence(), 5)
    with pytest.raises(DataError, match=r"item 'i3' has no caption \(1 such items\); leave them"):
        share_of_ranks(matrix, items, [("i0",), ("i1",), ("i2",), *[("i4",)] * 20,
                       *[(f"i{n}",) for n in range(4, 12)]], Evidence())  # fmt: skip
    with pytest.raises(DataError, match="none of the 12 items has a category and a caption, so th"):
        share_of_ranks(matrix, items, named, Evidence(category_codes=0 * evidence.category_codes))
    with pytest.raises(DataError, match=r"evaluation\.eccv: none of the 1 annotated items "):
        share_of_ranks(matrix, items, named, Evidence(answers={"eccv": ({"x": ["y"]}, {})}))
