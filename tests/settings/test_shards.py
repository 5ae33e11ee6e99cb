"""How many jobs work is divided into: as many as are named, or as its size asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymatch.settings.config import load_config
from polymatch.settings.encoder import EncoderSettings
from polymatch.settings.scoring import LARGEST_SHARD, ScoringSettings

AUTO = ScoringSettings(shards="auto")
MODELS = {
    "aligned": {"family": "aligned"},
    "saf": {"family": "alignment", "module": "saf"},
    "cross": {
        "family": "projection",
        "head": {"type": "cross_modal"},
        "loss": {"type": "softmax"},
    },
}


def test_small_data_is_one_job_and_a_number_is_that_number():
    assert EncoderSettings().shards_of("items", 10**6) == 1
    assert ScoringSettings().shards_of(1.0, 10**6, 10**6) == 1
    assert EncoderSettings(shards=7).shards_of("captions", 2) == 7
    assert ScoringSettings(shards=7).shards_of(1e-8, 2, 2) == 7
    assert AUTO.shards_of(1e-8, 213, 401) == 1
    assert EncoderSettings(shards="auto").shards_of("items", 2000) == 1


@given(items=st.integers(1, 10**6), most=st.integers(1, 10**4))
def test_no_shard_holds_more_than_asked_for_and_none_is_too_many(items, most):
    settings = EncoderSettings(shards="auto", shard_items=most, shard_captions=2 * most)
    shards = settings.shards_of("items", items)
    assert -(-items // shards) <= most and (shards - 1) * most < items
    assert settings.shards_of("captions", 2 * items) == shards


@given(items=st.integers(1, 10**5), captions=st.integers(1, 10**6), pairs=st.integers(1, 10**9))
def test_a_shard_of_scores_holds_a_row_at_least(items, captions, pairs):
    shards = ScoringSettings(shards="auto", shard_pairs=pairs).shards_of(1.0, items, captions)
    assert 1 <= shards <= items
    assert shards == items or items * captions <= shards * pairs


def test_a_dear_family_has_shards_of_ten_minutes_and_a_cheap_one_of_two_gigabytes():
    models = load_config({"data": {"name": "x", "source": "emoji"}, "models": MODELS}).models
    coco = {
        name: AUTO.shards_of(entry.pair_seconds, 5000, 25_000) for name, entry in models.items()
    }
    assert coco["aligned"] == 1 and coco["cross"] == 1 and 20 <= coco["saf"] <= 30
    assert AUTO.shards_of(models["aligned"].pair_seconds, 10**5, 5 * 10**5) == 100
    assert LARGEST_SHARD * 4 == 2e9


@pytest.mark.parametrize("shards", [2, "auto"])
def test_a_matrix_that_is_scaled_as_a_whole_is_not_divided(shards):
    models = {**MODELS, "dual": {"family": "dual_encoding"}}
    raw = {"data": {"name": "x", "source": "emoji"}, "models": models}
    config = load_config({**raw, "scoring": {"shards": shards}})
    assert [name for name in models if config.divided(name)] == ["aligned", "saf", "cross"]
    assert not load_config(raw).divided("saf")
