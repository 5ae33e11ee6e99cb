import numpy as np
import pytest

from polymatch.training import scoring
from polymatch.training.scoring import score, write_scores

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


def test_scoring_leaves_the_mode_as_it_was():
    _, val_set = toy()
    head = model().train()
    first, second = score(head, val_set), score(head, val_set)
    assert head.training
    np.testing.assert_array_equal(first, second)
