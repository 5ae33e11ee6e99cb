"""The rules that make concept tags and word vectors, and what a user sees when they cannot."""

import copy
import shutil

import numpy as np
import pandas as pd
import pytest

from polymatch.data.features import FeatureStore
from polymatch.data.tag_files import read_annotations, read_tag_vocabulary
from polymatch.data.tags import read_tags
from polymatch.data.vocabulary import Vocabulary
from polymatch.data.words import WordStore

from .conftest import CONFIG

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("tags")]

TAGS = {"min_count": 1, "min_item_count": 1, "untagged": "leave_out"}
WORDS = {"min_count": 1, "style": "plain", "splits": ["train"], "vectors": "encoder"}


def run(checkout, target, tags=TAGS, words=WORDS):
    data = {**CONFIG["data"], "train_captions": ["name", "keyword"]}
    checkout.write_config({**copy.deepcopy(CONFIG), "data": data, "words": words, "tags": tags})
    return checkout.run(f"results/few/{target}")


def failed(done, message):
    assert done.returncode != 0 and "Traceback" not in done.stdout, done.stdout
    assert message in done.stdout, done.stdout


def test_tags_are_made_of_captions(fresh):
    done = run(fresh, "tags.parquet")
    assert done.returncode == 0, done.stdout
    made = fresh.folder / "results/few"
    splits = pd.read_parquet(made / "manifest.parquet").set_index("item_id")["split"]
    tags, vocabulary = made / "tags.parquet", made / "tag_vocabulary.json"
    table, names = pd.read_parquet(tags), read_tag_vocabulary(vocabulary)
    assert set(splits[table["item_id"]]) == {"train", "val"}
    assert set(table["tag"]) == set(names) and table["tag"].iloc[0] in names
    untagged = pd.read_csv(made / "untagged_items.csv")
    assert not set(untagged["item_id"]) & set(table["item_id"])
    # min_count 1: what train says, all of it is a tag.
    assert set(untagged["split"]) <= {"val"}
    targets = read_tags(tags, vocabulary, list(splits.index))
    assert targets.shape == (len(splits), len(names))
    tagged = np.isin(splits.index, table["item_id"])
    assert (targets.max(axis=1) == tagged).all()
    counts = read_annotations(made / "video_tag.txt")
    assert [(i, t, n) for i, of in counts.items() for t, n in of.items()] == list(
        table.itertuples(index=False, name=None)
    )

    # Published files give what they hold; here these are our own, read again.
    given = {"vocabulary": "resources/tag_vocab.json", "annotations": "resources/video_tag.txt"}
    for name, path in zip(("tag_vocabulary.json", "video_tag.txt"), given.values(), strict=True):
        shutil.copy(made / name, fresh.folder / path)
    done = run(fresh, "tags.parquet", {**TAGS, **given})
    assert done.returncode == 0, done.stdout
    pd.testing.assert_frame_equal(pd.read_parquet(tags), table)

    first = table["item_id"].iloc[0]
    done = run(fresh, "tags.parquet", {"min_count": 1, "min_item_count": 99})
    failed(done, f"DataError: item '{first}' of train (and 27 more) has no tag: nothing that is 99")
    assert "(`tags.untagged: leave_out`)" in done.stdout and not tags.exists()


def test_words_start_from_vectors(fresh):
    done = run(fresh, "word_vectors.h5")
    assert done.returncode == 0, done.stdout
    made = fresh.folder / "results/few"
    vocabulary = Vocabulary.load(made / "vocabulary.json")
    words, vectors = WordStore(made / "words.h5"), FeatureStore(made / "word_vectors.h5")
    assert vocabulary.style == "plain" and words.vocabulary_size == len(vocabulary)
    assert vectors.ids == list(vocabulary.words) and vectors.shape == (384,)
    assert not vectors.read(0, 1).any() and vectors.read(1).any(axis=1).all()
    drawn = pd.read_csv(made / "unknown_vectors.csv")
    assert drawn["word"].tolist() == ["<s>", "</s>", "<unk>"]

    # word2vec instead, of three of the words and another one.
    folder = fresh.folder / "resources/word2vec"
    folder.mkdir()
    names = [*vocabulary.words[4:7], "other"]
    np.arange(8, dtype="<f4").tofile(folder / "feature.bin")
    (folder / "id.txt").write_text(" ".join(names))
    (folder / "shape.txt").write_text("4 2")
    word2vec = {**WORDS, "vectors": "resources/word2vec"}
    done = run(fresh, "word_vectors.h5", words=word2vec)
    assert done.returncode == 0, done.stdout
    vectors = FeatureStore(made / "word_vectors.h5").read()
    np.testing.assert_array_equal(vectors[4:7], np.arange(6).reshape(3, 2))
    assert len(pd.read_csv(made / "unknown_vectors.csv")) == len(vocabulary) - 4

    (folder / "shape.txt").write_text("4 3")
    done = run(fresh, "word_vectors.h5", words=word2vec)
    failed(done, "resources/word2vec/feature.bin: 32 bytes, which would fit rows of 2, but shape.t")
    done = run(fresh, "word_vectors.h5", words={**WORDS, "vectors": None})
    failed(done, "ConfigError: models.dual.word_vectors: no word vectors are named; set")
    assert not (made / "word_vectors.h5").exists()
