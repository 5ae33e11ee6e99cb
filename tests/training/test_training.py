import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polymatch.data.batch import Matches
from polymatch.data.splits import RetrievalSet, TrainingSet
from polymatch.errors import NumericsError
from polymatch.evaluation import retrieval_metrics
from polymatch.losses.contrastive import symmetric_cross_entropy
from polymatch.losses.probabilistic import variance_regulariser
from polymatch.models import build_model
from polymatch.settings.aligned import AlignedSettings
from polymatch.settings.probabilistic import ProbabilisticSettings
from polymatch.training.batches import Batches
from polymatch.training.loop import train
from polymatch.training.scoring import encode, score

CPU = torch.device("cpu")


def toy(n=120, width=12, seed=0):
    """Captions are a rotation of their items: something that a head can learn."""
    random = np.random.default_rng(seed)
    rotation = np.linalg.qr(random.normal(size=(width, width)))[0]
    items = random.normal(size=(n, width))
    captions = items @ rotation + 0.1 * random.normal(size=(n, width))
    ids = [str(i) for i in range(40)]
    val = RetrievalSet(ids, items[:40], ids, captions[:40], [(i,) for i in ids])
    rest = np.arange(n - 40)
    return TrainingSet(items[40:], captions[40:], rest, rest), val


def model(seed=0, loss="sampled", dropout=0.1, **training):
    torch.manual_seed(seed)
    entry = ProbabilisticSettings.model_validate(
        {
            "family": "probabilistic",
            "loss": loss,
            "similarities": ["mean"],
            "hidden": 32,
            "dropout": dropout,
            "training": {"epochs": 30, "lr": 5e-3, "batch_size": 16} | training,
        }
    )
    return build_model(entry, 12, 12)


def test_training_learns_and_keeps_the_best_epoch_on_val():
    train_set, val_set = toy()
    head = model()
    history = train(head, train_set, val_set, seed=0)
    assert list(history["epoch"]) == list(range(31))
    assert history["loss"].iloc[-1] < 0.5 * history["loss"].iloc[1]
    trained = history.iloc[1:]
    kept = trained.loc[trained["kept"]]
    assert kept["val_rsum"].item() == trained["val_rsum"].max()
    assert kept["val_rsum"].item() > 2 * history["val_rsum"].iloc[0]
    metrics = retrieval_metrics(score(head, val_set), val_set.item_ids, val_set.positives)
    assert metrics["rsum"] == pytest.approx(kept["val_rsum"].item())


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    train_set, val_set = toy()

    def weights(seed):
        head = model(seed, epochs=2)
        train(head, train_set, val_set, seed=seed)
        return torch.cat([p.flatten() for p in head.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_select_last_keeps_the_last_epoch():
    history = train(model(epochs=3, select="last"), *toy(), seed=0)
    assert history.loc[history["kept"], "epoch"].item() == 3


@pytest.mark.parametrize("select", ["val_r1", "val_t2v_r1", "val_v2t_r1"])
def test_the_kept_epoch_is_the_best_by_the_figure_asked_for(select):
    history = train(model(epochs=6, select=select), *toy(), seed=0).iloc[1:]
    assert history.loc[history["kept"], select].item() == history[select].max()
    mean = (history["val_t2v_r1"] + history["val_v2t_r1"]) / 2
    np.testing.assert_allclose(history["val_r1"], mean)


def test_patience_stops_after_so_many_epochs_without_a_better_one():
    history = train(model(epochs=30, lr=1e-9, patience=3, select="val_r1"), *toy(), seed=0)
    kept = history.loc[history["kept"], "epoch"].item()
    assert history["epoch"].iloc[-1] == kept + 3 < 30


def test_patience_without_a_figure_to_wait_for_is_refused():
    with pytest.raises(ValueError, match=r"`patience` waits .*`select: last` knows none"):
        model(patience=3, select="last")


def test_training_stops_where_the_report_says_so():
    seen = {}

    def report(epoch, figures):
        seen[epoch] = figures
        return epoch == 2

    history = train(model(epochs=5), *toy(), seed=0, report=report)
    assert list(history["epoch"]) == [0, 1, 2]
    assert seen[2]["val_rsum"] == history["val_rsum"].iloc[2]
    assert {"loss", "val_loss", "val_r1", "lr"} <= set(seen[1])


def test_the_loss_on_val_is_that_of_the_model_in_evaluation_mode():
    train_set, val_set = toy()
    head = model(epochs=2, batch_size=64, select="last", loss="mean")
    history = train(head, train_set, val_set, seed=0)
    items, captions = encode(head, val_set)
    expected = symmetric_cross_entropy(items.mu @ captions.mu.T / 0.07, torch.eye(40) > 0)
    regulariser = 1e-3 * sum(
        variance_regulariser(side, head.settings.variance) for side in (items, captions)
    )
    assert history["val_loss"].iloc[-1] == pytest.approx(float(expected + regulariser), rel=1e-5)


def test_the_loss_on_val_changes_nothing_that_is_trained():
    """It draws random numbers; training must not notice."""
    train_set, val_set = toy()
    other = toy(seed=1)[1]
    weights = []
    ids = other.item_ids[:9]
    few = RetrievalSet(ids, other.items[:9], ids, other.captions[:9], other.positives[:9])
    for val in (val_set, few):
        head = model(epochs=2, select="last")
        train(head, train_set, val, seed=0)
        weights.append(torch.cat([p.flatten() for p in head.parameters()]))
    assert torch.equal(*weights)


def test_learning_rate_follows_a_cosine_to_its_final_share():
    history = train(model(epochs=4, lr=1e-3, final_lr=0.1), *toy(), seed=0)
    expected = [1e-4 + 0.5 * 9e-4 * (1 + np.cos(np.pi * epoch / 4)) for epoch in range(4)]
    np.testing.assert_allclose(history["lr"].iloc[1:], expected)


def test_an_untrained_model_has_one_row_of_history():
    head = build_model(AlignedSettings(family="aligned"), 12, 12)
    history = train(head, *toy(), seed=0)
    assert list(history["epoch"]) == [0]
    assert history["kept"].all()


def test_shuffled_pairs_teach_nothing():
    train_set, val_set = toy(n=400)
    random = np.random.default_rng(0)
    shuffled = TrainingSet(
        train_set.items, train_set.captions, random.permutation(360), train_set.texts
    )
    history = train(model(epochs=5, select="last"), shuffled, val_set, seed=0)
    chance = 2 * 100 * (1 + 5 + 10) / 40
    assert abs(history["val_rsum"].iloc[-1] - chance) < chance


def test_a_diverged_loss_is_named():
    train_set, val_set = toy()
    broken = TrainingSet(
        train_set.items * np.nan, train_set.captions, train_set.pairs, train_set.texts
    )
    with pytest.raises(
        NumericsError, match=r"gradient is not finite in epoch 1 \(loss nan\); lower"
    ):
        train(model(epochs=1), broken, val_set, seed=0)


def test_batches_hold_every_caption_once_with_its_item():
    pairs = np.array([0, 0, 1, 2, 2, 2, 3])
    data = TrainingSet(np.arange(4.0)[:, None], np.arange(7.0)[:, None], pairs, np.arange(7))
    batches = list(Batches(data, 3, CPU).epoch(torch.Generator().manual_seed(0)))
    captions = torch.cat([b.captions[:, 0] for b in batches]).long()
    assert len(captions) == len(set(captions.tolist())) == 6  # a last batch of one teaches nothing
    items = torch.cat([b.items[:, 0] for b in batches]).long()
    assert items.tolist() == pairs[captions].tolist()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8)), min_size=1, max_size=20))
def test_matches_are_those_of_a_table(pairs):
    """Captions as (item, text): an item and a text match if any caption says so."""
    items, texts = torch.tensor(pairs).T
    texts = texts.unique(return_inverse=True)[1]
    known = set(zip(items.tolist(), texts.tolist(), strict=True))
    asked = items.unique()
    found = Matches(items, texts).between(asked, texts)
    expected = [[(item, text) in known for text in texts.tolist()] for item in asked.tolist()]
    assert found.tolist() == expected


def test_positives_know_shared_items_and_shared_texts():
    """Captions 0 and 1 are of item 0; captions 1 and 2 are one text about items 0 and 1."""
    data = TrainingSet(
        np.zeros((3, 1)), np.zeros((4, 1)), np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])
    )
    batch = Batches(data, 4, CPU).gather(torch.arange(4))
    named = {0: {0}, 1: {0, 1}, 2: {2}}
    expected = [[int(item) in named[int(text)] for text in data.texts] for item in data.pairs]
    assert batch.positives.tolist() == expected


def test_training_leaves_the_processor_as_it_was():
    train(model(epochs=1), *toy(), seed=0)
    assert float(torch.tensor(1e-310, dtype=torch.float64) * 1.0) > 0


def test_scoring_leaves_the_mode_as_it_was():
    _, val_set = toy()
    head = model().train()
    first, second = score(head, val_set), score(head, val_set)
    assert head.training
    np.testing.assert_array_equal(first, second)
