"""Every family's answers are those of its similarity matrix, however the query comes."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from polymatch.search.engine import SearchEngine

from .small_runs import EMOJI, KINDS, TEST, matrix


@pytest.fixture(scope="module")
def asked(runs, tmp_path_factory):
    """Name and kind -> an engine, the run's matrix, and the items and queries of its sides."""
    made = {}

    def of(name, kind):
        if (name, kind) not in made:
            run = runs(name)
            path = tmp_path_factory.mktemp("matrix") / f"{kind}.npy"
            test = matrix(run, kind, path)
            made[name, kind] = SearchEngine.open(run, kind=kind, device="cpu"), np.load(path), test
        return made[name, kind]

    return of


def check(hits, ids, scores, tolerance):
    """The hits are all candidates, by their scores; where two are as good as equal in any order."""
    expected = dict(zip(ids, scores, strict=True))
    assert sorted(hit.id for hit in hits) == sorted(ids)
    assert [hit.rank for hit in hits] == list(range(1, len(ids) + 1))
    found = np.array([hit.score for hit in hits])
    np.testing.assert_allclose(found, [expected[hit.id] for hit in hits], atol=tolerance)
    assert (np.diff(found) <= 0).all()
    np.testing.assert_allclose(found, np.sort(scores)[::-1], atol=tolerance)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_caption_finds_what_its_column_says(asked, name, kind):
    engine, scores, test = asked(name, kind)
    reader = engine.gallery.queries
    for column in range(0, len(test.texts), 3):
        hits = engine.by_caption(reader.caption_ids[column], TEST)
        check(hits, test.item_ids, scores[:, column], 2e-6 * max(1, np.abs(scores).max()))
        assert {hit.id for hit in hits if hit.right} == set(test.positives[column])


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_an_item_finds_what_its_row_says(asked, name, kind):
    engine, scores, test = asked(name, kind)
    ids = engine.gallery.queries.caption_ids
    for row in range(0, TEST, 5):
        hits = engine.by_item(test.item_ids[row], 1000)
        check(hits, ids, scores[row], 2e-6 * max(1, np.abs(scores).max()))
        right = [ids[q] for q, items in enumerate(test.positives) if test.item_ids[row] in items]
        assert {hit.id for hit in hits if hit.right} == set(right)
        assert hits.asked == 1000 and len(hits) == len(ids)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_text_finds_what_the_caption_finds_that_says_it(asked, name, kind):
    engine, scores, test = asked(name, kind)
    for column in (0, len(test.texts) - 1):
        hits = engine.by_text(f" {test.texts[column]}\n", TEST)
        check(hits, test.item_ids, scores[:, column], 1e-4 * max(1, np.abs(scores).max()))
        assert hits.right == test.positives[column]


@pytest.mark.parametrize("name", ["aligned", "mlp", "sgr", "dual"])
def test_a_picture_finds_what_the_item_finds_that_it_is(asked, name):
    engine, scores, test = asked(name, engine_kind(name))
    path = EMOJI / f"images/{test.item_ids[3]}.webp"
    ids = engine.gallery.queries.caption_ids
    check(engine.by_file(path, 1000), ids, scores[3], 1e-4 * max(1, np.abs(scores).max()))


def engine_kind(name):
    return next(kind for model, kind in KINDS if model == name)


def test_uncertainty_is_the_mean_variance(asked):
    engine, _, test = asked("poly", "poly")
    hits = engine.by_caption(engine.gallery.queries.caption_ids[0], 3)
    logvar = engine.items.logvar
    for hit in hits:
        row = test.item_ids.index(hit.id)
        assert hit.uncertainty == pytest.approx(float(logvar[row].exp().mean()))
    assert hits.uncertainty > 0
    plain, _, _ = asked("mlp", "cosine")
    hits = plain.by_item(test.item_ids[0], 3)
    assert hits.uncertainty is None and hits[0].uncertainty is None


def test_a_text_of_two_items_has_both_as_right_answers(asked):
    engine, _, test = asked("aligned", "cosine")
    (both,) = [q for q, items in enumerate(test.positives) if len(items) == 2]
    assert engine.right_answers(text=test.texts[both].lower()) == list(test.positives[both])
    captions = engine.gallery.captions
    same = captions[captions["text"].str.lower() == test.texts[both].lower()]["caption_id"]
    assert len(same) == 2
    answers = [engine.by_caption(caption, 5) for caption in same]
    assert list(answers[0]) == list(answers[1])
    assert engine.right_answers(text="nobody says this") == []
    assert engine.by_caption(same.iloc[0], 1)[0].right is not None


def test_other_galleries(runs):
    for name, count in (("val", 6), ("train", 14), ("all", 32)):
        engine = SearchEngine.open(runs("aligned"), name, device="cpu")
        assert len(engine.gallery) == count
        hit = engine.by_item(engine.gallery.item_ids[0], 1)[0]
        assert hit.text and hit.path is None
        known = engine.by_caption(engine.gallery.queries.caption_ids[0], count)
        assert known[0].path.is_file()
        assert sum(bool(hit.right) for hit in known) == len(known.right)


def test_a_known_item_of_another_split_can_ask(asked, runs):
    engine, _, _ = asked("mlp", "cosine")
    train = SearchEngine.open(runs("mlp"), "train", device="cpu")
    hits = engine.by_item(train.gallery.item_ids[0], 2)
    assert [hit.right for hit in hits] == [None, None]
    hits = engine.by_caption(train.gallery.queries.caption_ids[0], 2)
    assert [hit.right for hit in hits] == [None, None]


def test_many_may_ask_at_once(asked):
    for name in ("aligned", "sgr", "dual"):
        engine, _, test = asked(name, engine_kind(name))
        once = [list(engine.by_text(text, 5)) for text in test.texts]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda t: list(engine.by_text(t, 5)), test.texts))  # noqa: B023
        for ours, theirs in zip(once, together, strict=True):
            assert [hit.id for hit in ours] == [hit.id for hit in theirs]
