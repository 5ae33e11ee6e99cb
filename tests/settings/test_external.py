"""Entries of `external` and the section `scoring`: what they say, and what is refused."""

import re

import pytest

from polymatch.errors import ConfigError
from polymatch.settings.config import load_config

MODELS = {
    "aligned": {"family": "aligned"},
    "pcme": {"family": "probabilistic", "loss": "sampled", "similarities": ["mean", "mc"]},
}


def load(**theirs):
    entry = {"similarity": ["a.npy"], **theirs}
    return load_config({"models": MODELS, "external": {"theirs": entry}})


def test_a_matrix_is_of_this_data_set_unless_its_columns_are_anothers_items():
    assert load().external_entry("theirs").own
    assert load(items="i.txt", captions="c.txt", against="pcme", kind="mc").external["theirs"].own
    assert not load(caption_items="ids.txt").external["theirs"].own
    other = load(items="i.txt", captions_per_item=5).external["theirs"]
    assert not other.own and other.id_files == {"items": "i.txt"}


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (
            {"captions": "c", "caption_items": "d"},
            "config: external.theirs: is not allowed: `captions` and `caption_items` both say "
            "whose the columns are; give one",
        ),
        (
            {"captions_per_item": 5, "against": "aligned"},
            "`against` needs the queries of this data set, but `captions_per_item` is for a "
            "matrix of another one; name the columns by `captions`, or leave `against` out",
        ),
        ({"kind": "mc"}, "`kind` is a similarity of the model `against`, which is not given"),
        (
            {"against": "aligne"},
            "external.theirs.against: unknown model 'aligne'; did you mean 'aligned'?",
        ),
        (
            {"against": "pcme", "kind": "poly"},
            "external.theirs.kind: 'pcme' has no similarity 'poly'; allowed: mean, mc",
        ),
        ({"similarity": []}, "external.theirs.similarity: [] is not allowed: "),
        ({"similarities": []}, "external.theirs.similarities: unknown key 'similarities'; did you"),
    ],
)
def test_what_contradicts_itself_is_refused(theirs, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        load(**theirs)


def test_an_unknown_matrix_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="unknown external matrix 'their'; did you mean 'theirs'"):
        load().external_entry("their")


def test_scoring_is_divided_for_the_models_that_are_named():
    def divided(**scoring):
        config = load_config({"models": MODELS, "scoring": scoring})
        return [name for name in MODELS if config.scoring.divides(name)]

    assert divided() == []
    assert divided(shards=2) == ["aligned", "pcme"]
    assert divided(shards=2, models=["pcme"]) == ["pcme"]
    assert divided(models=["pcme"]) == []
    with pytest.raises(ConfigError, match=r"scoring.models.0: unknown model 'pcm'; did you mean"):
        divided(shards=2, models=["pcm"])
    with pytest.raises(ConfigError, match=r"scoring.shards: 0 is not allowed: "):
        divided(shards=0)
