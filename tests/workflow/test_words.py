"""The rule that makes words: a vocabulary built or given, and what a user sees when it is wrong."""

import copy
import json

import pandas as pd
import pytest

from polymatch.data.vocabulary import SPECIAL, Vocabulary
from polymatch.data.words import WordStore

from .conftest import CONFIG

pytestmark = pytest.mark.xdist_group("words")


def with_words(checkout, **words):
    checkout.write_config({**copy.deepcopy(CONFIG), "words": {"vectors": "encoder", **words}})
    return checkout.run("results/few/words.h5")


def test_words_are_made_of_captions(fresh):
    done = with_words(fresh, min_count=1)
    assert done.returncode == 0, done.stdout
    made = fresh.folder / "results/few"
    vocabulary, store = Vocabulary.load(made / "vocabulary.json"), WordStore(made / "words.h5")
    captions = pd.read_parquet(made / "captions.parquet").query("kind == 'name'")
    assert store.ids == captions["caption_id"].tolist()
    assert store.vocabulary_size == len(vocabulary)
    for row, text in enumerate(captions["text"]):
        assert store.take([row])[0].tolist() == vocabulary.encode(text)
    splits = pd.read_parquet(made / "manifest.parquet").set_index("item_id")["split"]
    learnt = captions["item_id"].map(splits).isin(["train", "val"])
    assert not any(map(vocabulary.unknown, captions.loc[learnt, "text"]))
    unknown = pd.read_csv(made / "unknown_words.csv", keep_default_na=False)
    tested = [word for text in captions.loc[~learnt, "text"] for word in vocabulary.unknown(text)]
    assert dict(zip(unknown["word"], unknown["count"], strict=True)) == {
        word: tested.count(word) for word in tested
    }
    without = pd.read_csv(made / "unknown_captions.csv")
    assert without["caption_id"].isin(captions.loc[~learnt, "caption_id"]).all()

    # A given vocabulary is read instead; what it lacks stops the rule if it should.
    Vocabulary([*SPECIAL, "zebra"]).save(fresh.folder / "resources/own.json")
    done = with_words(fresh, vocabulary="resources/own.json", unknown="stop")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    first = captions.iloc[0]
    assert f"DataError: caption '{first['caption_id']}': '" in done.stdout
    assert "is not in resources/own.json; take another one (`words.vocabulary`)" in done.stdout
    assert not (made / "words.h5").exists()
    done = with_words(fresh, vocabulary="resources/own.json")
    assert done.returncode == 0, done.stdout
    assert json.loads((made / "vocabulary.json").read_text())["idx"] == 5
