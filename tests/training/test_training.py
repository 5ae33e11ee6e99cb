import numpy as np
import pytest
import torch

from polymatch.data.splits import RetrievalSet, TrainingSet
from polymatch.errors import NumericsError
from polymatch.evaluation import retrieval_metrics
from polymatch.models import build_model
from polymatch.settings.aligned import AlignedSettings
from polymatch.settings.probabilistic import ProbabilisticSettings
from polymatch.training.batches import Batches
from polymatch.training.loop import train
from polymatch.training.scoring import score

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


def model(seed=0, **training):
    torch.manual_seed(seed)
    settings = ProbabilisticSettings.model_validate(
        {
            "family": "probabilistic",
            "loss": "sampled",
            "similarities": ["mean"],
            "hidden": 32,
            "training": {"epochs": 30, "lr": 5e-3, "batch_size": 16} | training,
        }
    )
    return build_model(settings, 12, 12)


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
