"""What is refused, and what is said then."""

import shutil

import h5py
import numpy as np
import pytest

from polymatch.data.vocabulary import Vocabulary
from polymatch.errors import ConfigError, DataError
from polymatch.search.engine import SearchEngine
from polymatch.search.run import TrainedRun
from polymatch.settings.config import load_config

from .small_runs import CONFIG, EMOJI

WORDS = " ".join(["red"] * 300)


@pytest.fixture(scope="module")
def engine(runs):
    return SearchEngine.open(runs("aligned"), device="cpu")


@pytest.fixture
def other(runs, tmp_path):
    """A store of other items' features, and how to change what it says of itself."""
    path = tmp_path / "other.h5"
    shutil.copy(runs.results / "few/efficientnet_minilm/features/pooled.h5", path)

    def changed(**attributes):
        with h5py.File(path, "r+") as file:
            file.attrs.update(attributes)
        return str(path)

    return changed


@pytest.mark.parametrize("query", ["", "  ", "\n\t"])
def test_an_empty_query(engine, query):
    with pytest.raises(DataError) as raised:
        engine.by_text(query)
    assert str(raised.value) == "the query is empty; say what to look for"


def test_a_text_that_the_encoder_would_cut_off(engine, runs):
    with pytest.raises(DataError) as raised:
        engine.by_text(WORDS)
    assert str(raised.value) == (
        "the query has 302 tokens, and encoder efficientnet_minilm reads 256; shorten it, or have "
        "its end left out (--truncate)"
    )
    cut = SearchEngine.open(runs("aligned"), device="cpu", truncate=True)
    shorter = " ".join(["red"] * 254)
    assert [hit.id for hit in cut.by_text(WORDS)] == [hit.id for hit in engine.by_text(shorter)]


def test_words_that_the_run_does_not_know(runs):
    engine = SearchEngine.open(runs("sgr"), device="cpu")
    known = engine.gallery.queries.texts[0]
    assert engine.questions.unknown_words(f"{known} zyzzyva") == ["zyzzyva"]
    strict = TrainedRun.open(
        load_config(CONFIG | {"words": {"unknown": "stop"}}), "sgr", runs.results
    )
    with pytest.raises(DataError) as raised:
        SearchEngine.open(strict, device="cpu").by_text("zyzzyva")
    assert str(raised.value) == (
        f"'zyzzyva' is not in {strict.vocabulary}; ask with other words, or let unknown ones be "
        "<unk> (`words.unknown: unk`)"
    )


def test_files_that_are_no_picture_or_clip(engine, tmp_path):
    for name, content in (("note.txt", b"red"), ("a.png", b"\x89PNG\r\n"), ("clip.mp4", b"x" * 64)):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError) as raised:
            engine.by_file(path)
        message = str(raised.value)
        assert message.startswith(f"{path}: not a readable ")
        assert message.endswith("; ask with a picture or a clip that can be opened")
    with pytest.raises(DataError) as raised:
        engine.by_file(tmp_path / "none.png")
    assert str(raised.value) == (
        f"{tmp_path}/none.png: no such picture; ask with a picture or a clip that can be opened"
    )


@pytest.mark.parametrize("name", ["encoder", "revision", "preprocessing"])
def test_a_gallery_of_another_encoder(runs, other, name):
    own = runs.results / "few/efficientnet_minilm/features/pooled.h5"
    with h5py.File(own) as file:
        was = file.attrs[name]
    path = other(**{name: "another"})
    with pytest.raises(DataError) as raised:
        SearchEngine.open(runs("aligned"), path, device="cpu")
    assert str(raised.value) == (
        f"{path}: its {name} is 'another', but run aligned/0 was trained on features of {was!r}; "
        f"encode the gallery as {own} was"
    )


def test_a_gallery_of_another_width(runs, other):
    own = runs.results / "few/efficientnet_minilm/features/pooled.h5"
    path = other()
    with h5py.File(path, "r+") as file:
        narrow = np.array(file["features"][:, :7])
        del file["features"]
        file["features"] = narrow
    with pytest.raises(DataError) as raised:
        SearchEngine.open(runs("mlp"), path, device="cpu")
    assert str(raised.value) == (
        f"{path}: a feature is 7 numbers, but run mlp/0 was trained on 1280 numbers; encode the "
        f"gallery as {own} was"
    )


def test_a_gallery_of_the_same_encoder_has_items_and_no_captions(runs, engine, other):
    path = other(dataset="elsewhere")
    for name in ("aligned", "mlp"):
        own = SearchEngine.open(runs(name), device="cpu")
        elsewhere = SearchEngine.open(runs(name), path, device="cpu")
        assert len(elsewhere.gallery) == 32
        text = own.gallery.queries.texts[0]
        scores = {hit.id: hit.score for hit in elsewhere.by_text(text, 32)}
        for hit in own.by_text(text, 12):
            assert scores[hit.id] == pytest.approx(hit.score, abs=1e-5)
        with pytest.raises(ConfigError) as raised:
            elsewhere.by_item(own.gallery.item_ids[0])
        assert str(raised.value) == (
            "gallery 'other' has no captions to find; search one of the run's splits "
            "(--gallery test), or ask with a text"
        )


@pytest.mark.parametrize(
    ("gallery", "message"),
    [
        (
            "tets",
            "gallery 'tets' is no split and no store of features (PATH.h5); did you mean 'test'? "
            "allowed: train, val, test, all",
        ),
    ],
)
def test_a_gallery_that_is_none(runs, gallery, message):
    with pytest.raises(ConfigError) as raised:
        SearchEngine.open(runs("mlp"), gallery, device="cpu")
    assert str(raised.value) == message


def test_a_similarity_that_the_run_does_not_have(runs):
    with pytest.raises(ConfigError) as raised:
        SearchEngine.open(runs("pcme"), kind="poly", device="cpu")
    assert str(raised.value) == "run pcme/0: no similarity 'poly'; allowed: mean, mc, closed"


def test_ids_that_are_not_there(engine):
    item = engine.gallery.item_ids[0]
    with pytest.raises(ConfigError) as raised:
        engine.by_item(item[:-1] + "zz")
    assert str(raised.value).startswith(f"no item {item[:-1] + 'zz'!r} among 32 of the data set")
    with pytest.raises(ConfigError) as raised:
        engine.by_caption("?")
    count = len(engine._known_captions)
    assert str(raised.value) == f"no caption '?' among {count} of the data set"


def test_no_answers_asked_for(engine):
    with pytest.raises(ConfigError) as raised:
        engine.by_text("red", 0)
    assert str(raised.value) == "k is 0; ask for 1 answer or more"


def test_a_run_whose_features_came_with_the_data(runs):
    config = load_config(CONFIG)
    brought = config.encoder.model_copy(update={"given": True})
    given = config.model_copy(update={"encoder": brought})
    engine = SearchEngine.open(TrainedRun.open(given, "mlp", runs.results), device="cpu")
    message = (
        "run mlp/0: its features came with the data set 'few', so there is no encoder for a query "
        "of your own; ask with --item or --caption"
    )
    for ask in (lambda: engine.by_text("red"), lambda: engine.by_file(EMOJI / "README.md")):
        with pytest.raises(ConfigError) as raised:
            ask()
        assert str(raised.value) == message
    assert engine.by_item(engine.gallery.item_ids[0])


def test_another_encoder_than_the_features_are_from(runs, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(runs.results, results)
    store = results / "few/efficientnet_minilm/features/captions.h5"
    with h5py.File(store, "r+") as file:
        file.attrs["revision"] = "older"
        now = file.attrs["revision"]
    engine = SearchEngine.open(TrainedRun.open(runs.config, "mlp", results), device="cpu")
    with pytest.raises(DataError) as raised:
        engine.by_text("red")
    assert str(raised.value).startswith(
        f"{store}: its revision is {now!r}, but the encoder here is"
    )


def test_words_that_changed_after_training(runs, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(runs.results, results)
    run = TrainedRun.open(runs.config, "sgr", results)
    words = Vocabulary.load(run.vocabulary)
    Vocabulary([*words.words, "zyzzyva"]).save(run.vocabulary)
    with pytest.raises(DataError) as raised:
        SearchEngine.open(run, device="cpu")
    assert str(raised.value) == (
        f"{run.vocabulary}: not the vocabulary that {run.caption_store} was made with; run the "
        "stage again that writes both (tokenise)"
    )
