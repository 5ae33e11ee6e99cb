"""What is kept beside a run is read again, and never when it is stale."""

import os
import shutil

import numpy as np
import pytest
import torch

from polymatch.search import encoded as module
from polymatch.search.encoded import kept, made_from
from polymatch.search.engine import SearchEngine
from polymatch.search.run import TrainedRun


@pytest.fixture
def copied(runs, tmp_path):
    """The runs in a folder that a test may change."""
    results = tmp_path / "results"
    shutil.copytree(runs.results, results, ignore=shutil.ignore_patterns("search"))
    return lambda name: TrainedRun.open(runs.config, name, results)


def counted(monkeypatch):
    written = []
    write = module._write
    monkeypatch.setattr(module, "_write", lambda *a: (written.append(a[0].name), write(*a)))
    return written


def test_a_gallery_is_encoded_once(copied, monkeypatch):
    written = counted(monkeypatch)
    first = SearchEngine.open(copied("mlp"), device="cpu")
    first.by_item(first.gallery.item_ids[0], 2)
    assert written == ["items", "captions"]
    second = SearchEngine.open(copied("mlp"), device="cpu")
    second.by_item(first.gallery.item_ids[0], 2)
    assert written == ["items", "captions"]
    torch.testing.assert_close(first.items, second.items)


@pytest.mark.parametrize(
    "change",
    [
        lambda run: os.utime(run.folder / "model.safetensors"),
        lambda run: os.utime(run.item_store),
        lambda run: (run.folder / "search/test/items/record.json").write_text("{"),
        lambda run: (run.folder / "search/test/items/record.json").unlink(),
    ],
)
def test_what_is_stale_is_made_again(copied, monkeypatch, change):
    run = copied("mlp")
    SearchEngine.open(run, device="cpu")
    change(run)
    written = counted(monkeypatch)
    SearchEngine.open(run, device="cpu")
    assert written == ["items"]


def test_other_weights_give_other_scores(copied):
    run = copied("mlp")
    before = SearchEngine.open(run, device="cpu")
    caption = before.gallery.queries.caption_ids[0]
    old = [hit.score for hit in before.by_caption(caption, 12)]
    weights = run.folder / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-400:] = bytes(400)
    weights.write_bytes(raw)
    new = [hit.score for hit in SearchEngine.open(run, device="cpu").by_caption(caption, 12)]
    assert not np.allclose(old, new)


def test_ranges_and_index_are_made_again_for_other_weights(copied, capsys):
    run = copied("dual")
    SearchEngine.open(run, device="cpu", index=True)
    SearchEngine.open(run, device="cpu", index=True)
    assert capsys.readouterr().err.count("recall@10") == 1
    record = run.folder / "search/ranges.hybrid/record.json"
    before = record.read_text()
    os.utime(run.folder / "model.safetensors")
    SearchEngine.open(run, device="cpu", index=True)
    assert capsys.readouterr().err.count("recall@10") == 1
    assert record.read_text() != before


def test_results_that_cannot_be_written_are_searched_all_the_same(copied, monkeypatch):
    expected = SearchEngine.open(copied("poly"), device="cpu")
    run = copied("poly")
    shutil.rmtree(run.folder / "search")
    (run.folder / "search").write_text("a file is where the folder would be")
    engine = SearchEngine.open(run, device="cpu")
    caption = engine.gallery.queries.caption_ids[0]
    assert list(engine.by_caption(caption, 5)) == list(expected.by_caption(caption, 5))


def test_a_write_that_fails_leaves_nothing(tmp_path):
    def blocks():
        yield torch.ones(3, 2)
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        kept(tmp_path / "items", {"a": 1}, 5, blocks, lambda: torch.ones(1, 2))
    assert not made_from(tmp_path / "items", {"a": 1})
    assert [path.name for path in tmp_path.iterdir()] == [".items.lock"]


def test_blocks_of_different_lengths_are_filled_up_with_zeros(tmp_path):
    blocks = [torch.ones(2, 3, 4), torch.ones(1, 5, 4)]
    found = kept(tmp_path / "x", {}, 3, lambda: blocks, lambda: blocks[0], longest=5)
    assert found.shape == (3, 5, 4)
    assert found.sum(2).tolist() == [[4, 4, 4, 0, 0], [4, 4, 4, 0, 0], [4, 4, 4, 4, 4]]
