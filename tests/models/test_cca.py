import numpy as np
import pytest
from safetensors.numpy import save_file
from sklearn.cross_decomposition import CCA

from polymatch.data.splits import RetrievalSet, TrainingSet
from polymatch.errors import DataError, NumericsError
from polymatch.models.cca import Alignment, CanonicalBases, choose_alignment
from polymatch.models.pair_moments import pair_moments
from polymatch.settings.stages import AlignmentSettings


def sets(n=400, shared=3, seed=0):
    """Two views of a few shared factors, and a validation set of the same kind."""
    random = np.random.default_rng(seed)
    maps = random.normal(size=(shared, 8)), random.normal(size=(shared, 5))

    def views(count):
        factors = random.normal(size=(count, shared))
        return [factors @ m + 0.3 * random.normal(size=(count, m.shape[1])) for m in maps]

    x, y = views(n)
    train = TrainingSet(x, y, np.arange(n), np.arange(n))
    u, v = views(60)
    ids = [str(i) for i in range(60)]
    return train, RetrievalSet(ids, u, ids, v, [(i,) for i in ids])


def bases_of(train, shrinkage):
    return CanonicalBases.fit(*pair_moments(train, [1.0]), shrinkage)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_correlations_without_ridge_are_those_of_scikit_learn():
    train, _ = sets()
    bases = bases_of(train, 1e-9)
    oracle = CCA(n_components=3, scale=False, max_iter=5000, tol=1e-12)
    x, y = oracle.fit_transform(unit(train.items), unit(train.captions))
    expected = [np.corrcoef(x[:, k], y[:, k])[0, 1] for k in range(3)]
    np.testing.assert_allclose(bases.correlations[:3], expected, atol=1e-6)


def test_an_item_with_several_captions_counts_once_for_each():
    train, _ = sets(n=50)
    pairs = np.repeat(np.arange(25), 2)
    shared = TrainingSet(train.items[:25], train.captions, pairs, np.arange(50))
    plain = TrainingSet(train.items[:25][pairs], train.captions, np.arange(50), np.arange(50))
    np.testing.assert_allclose(
        bases_of(shared, 0.1).correlations, bases_of(plain, 0.1).correlations
    )


def test_the_best_candidate_on_val_is_chosen_and_beats_chance_by_far():
    train, val = sets()
    settings = AlignmentSettings(width=[1, 3], shrinkage=[0.01, 10.0], root=[0.5, 1.0])
    alignment, table = choose_alignment(train, val, settings)
    assert len(table) == 8
    assert table["chosen"].sum() == 1
    assert table.loc[table["chosen"], "rsum"].item() == table["rsum"].max()
    assert table["rsum"].max() > 4 * (1 + 5 + 10) * 2 / 60 * 100 / 4
    np.testing.assert_allclose(np.linalg.norm(alignment.items(val.items), axis=1), 1)


def test_shuffled_pairs_score_at_chance():
    train, val = sets()
    random = np.random.default_rng(1)
    shuffled = TrainingSet(train.items, train.captions, random.permutation(400), np.arange(400))
    _, table = choose_alignment(
        shuffled, val, AlignmentSettings(width=[3], shrinkage=[0.1], root=[1.0])
    )
    chance = 2 * 100 * (1 + 5 + 10) / 60
    assert abs(table["rsum"].item() - chance) < chance


def test_a_width_beyond_the_narrower_encoder_is_refused():
    train, val = sets()
    with pytest.raises(NumericsError, match="width: 6 is more than the 5 directions"):
        choose_alignment(train, val, AlignmentSettings(width=[6]))


def test_identity_keeps_the_encoders_own_space():
    train, val = sets()
    with pytest.raises(NumericsError, match="items have 8 and captions 5; use cca"):
        choose_alignment(train, val, AlignmentSettings(method="identity"))
    same = RetrievalSet(val.item_ids, val.captions, val.texts, val.captions, val.positives)
    alignment, table = choose_alignment(
        TrainingSet(train.captions, train.captions, train.pairs, train.texts),
        same,
        AlignmentSettings(method="identity"),
    )
    np.testing.assert_allclose(alignment.items(val.captions), unit(val.captions))
    assert table["rsum"].item() == 600


def test_maps_are_kept_as_they_are(tmp_path):
    train, val = sets()
    for settings in ({"width": [3], "root": [0.5]}, {"method": "identity"}):
        if "method" in settings:
            train = TrainingSet(train.items[:, :5], train.captions, train.pairs, train.texts)
            val = RetrievalSet(val.item_ids, val.items[:, :5], *list(vars(val).values())[2:])
        alignment, _ = choose_alignment(train, val, AlignmentSettings(**settings))
        alignment.save(tmp_path / "maps.safetensors")
        read = Alignment.load(tmp_path / "maps.safetensors")
        assert (read.root, read.width) == (alignment.root, alignment.width)
        np.testing.assert_array_equal(read.items(val.items), alignment.items(val.items))
        np.testing.assert_array_equal(read.captions(val.captions), alignment.captions(val.captions))


def test_maps_that_are_none(tmp_path):
    path = tmp_path / "maps.safetensors"
    with pytest.raises(DataError) as raised:
        Alignment.load(path)
    assert str(raised.value) == f"{path}: no such file; run the stage that writes it (align)"
    path.write_bytes(b"maps")
    with pytest.raises(DataError, match="not the two maps of an alignment"):
        Alignment.load(path)
    save_file({"item_mean": np.zeros(3)}, path)
    with pytest.raises(DataError) as raised:
        Alignment.load(path)
    assert str(raised.value) == (
        f"{path}: not the two maps of an alignment ('root'); delete the file and run its "
        "stage again"
    )
