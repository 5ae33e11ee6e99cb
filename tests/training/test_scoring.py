from dataclasses import replace

import numpy as np
import pytest
import torch

from polymatch.data.frames import Frames
from polymatch.data.shards import shard_of
from polymatch.data.splits import RetrievalSet
from polymatch.models import build_model
from polymatch.settings.dual_encoding import DualEncodingModelSettings
from polymatch.training import scoring
from polymatch.training.scoring import score, tile_size, whole_tiles, write_scores

from .families import VAL, built
from .test_training import model, toy


@pytest.mark.parametrize("block", [1, 39, 40, 401, 10**9])
def test_scores_written_in_blocks_are_the_scores(tmp_path, monkeypatch, block):
    monkeypatch.setattr(scoring, "_BLOCK_NUMBERS", block)
    _, val_set = toy()
    head = model().train()
    write_scores(tmp_path / "mean.npy", head, val_set, "mean")
    written = np.load(tmp_path / "mean.npy")
    assert written.dtype == np.float32
    np.testing.assert_allclose(written, score(head, val_set, "mean"), atol=1e-6)
    assert head.training


def cut(features, rows):
    """These rows of features, as a store gives them."""
    if not isinstance(features, Frames):
        return features[rows]
    ends = features.offsets[rows.start : rows.stop + 1]
    return Frames(features.rows[ends[0] : ends[-1]], ends - ends[0])


@pytest.mark.parametrize("shards", [1, 3, VAL])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sampled", "mean"),
        ("sampled", "mc"),
        ("soft", "match"),
        ("refreshed", "poly"),
        ("mlp", "cosine"),
        ("cross_modal", "pairwise"),
        ("saf", "saf"),
        ("sgr", "sgr"),
        ("dual", "latent"),
    ],
)
def test_shards_are_the_rows_of_the_whole_to_the_bit(tmp_path, monkeypatch, name, kind, shards):
    monkeypatch.setattr(scoring, "_TILE_PAIRS", 1)
    monkeypatch.setattr(scoring, "_WORD_CAPTIONS", 9)
    head, _, data = built(name, 0, {})
    head.tile_items = 6
    write_scores(tmp_path / "whole.npy", head, data, kind)
    parts, size = [], tile_size(head, VAL)
    assert size == 6
    for shard in range(shards):
        rows = shard_of(VAL, shard, shards)
        read = whole_tiles(rows, size, VAL)
        given = replace(data, items=cut(data.items, read), item_ids=data.item_ids[read])
        asked = slice(rows.start - read.start, rows.stop - read.start)
        write_scores(tmp_path / "part.npy", head, given, kind, size, asked)
        parts.append(np.load(tmp_path / "part.npy"))
    whole = np.load(tmp_path / "whole.npy")
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_allclose(whole, score(head, data, kind), atol=1e-5)


def test_scoring_leaves_the_mode_as_it_was():
    _, val_set = toy()
    head = model().train()
    first, second = score(head, val_set), score(head, val_set)
    assert head.training
    np.testing.assert_array_equal(first, second)


def videos():
    """A model of frames and words, and a gallery of seven videos with eleven captions."""
    side = {"rnn_size": 4, "channels": [3], "kernels": [2]}
    settings = DualEncodingModelSettings(
        family="dual_encoding", embed_dim=6, word_dim=5, items=side, captions=side, alpha=0.3
    )
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    ends = np.cumsum([0, *random.integers(1, 5, 7)])
    frames = Frames(random.standard_normal((ends[-1], 8)).astype(np.float32), ends)
    words = random.integers(1, 20, (11, 4)) * (np.arange(4) < random.integers(1, 5, (11, 1)))
    ids = [f"v{row}" for row in range(7)]
    data = RetrievalSet(
        ids, frames, [f"c{row}" for row in range(11)], words, [(ids[row % 7],) for row in range(11)]
    )
    return build_model(settings, 8, (20, 9)), data


@pytest.mark.parametrize("kind", ["hybrid", "latent", "concept"])
@pytest.mark.parametrize("block", [1, 11, 30, 10**9])
def test_parts_are_scaled_over_the_whole_matrix_however_it_is_written(
    tmp_path, monkeypatch, kind, block
):
    monkeypatch.setattr(scoring, "_BLOCK_NUMBERS", block)
    model, data = videos()
    write_scores(tmp_path / "scores.npy", model, data, kind)
    written = np.load(tmp_path / "scores.npy")
    np.testing.assert_allclose(written, score(model, data, kind), atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["scores.npy"]
    if kind == "hybrid":
        latent, concept = (score(model, data, part) for part in ("latent", "concept"))
        scaled = [(part - part.min()) / (part.max() - part.min()) for part in (latent, concept)]
        np.testing.assert_allclose(written, 0.3 * scaled[0] + 0.7 * scaled[1], atol=1e-6)
