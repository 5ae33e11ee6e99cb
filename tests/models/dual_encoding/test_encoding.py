"""Encoding: as the slow form has it, alone as in any batch, in parts as at once."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polymatch.data.frames import Frames
from polymatch.errors import DataError
from polymatch.models.dual_encoding import Model, load_published
from polymatch.settings.dual_encoding import DualEncodingModelSettings

from .twin import F, Twin, V, example, padded, written

LENGTHS = [3, 1, 7, 2, 7, 4]


@pytest.fixture(scope="module", params=[(True, True), (False, True), (False, False)])
def both(request, tmp_path_factory):
    twin = Twin(both=request.param)
    return twin, load_published(written(tmp_path_factory.mktemp("twin"), twin.checkpoint()))


def close(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@torch.inference_mode()
def test_every_video_and_caption_is_the_slow_forms(both):
    twin, model = both
    frames, words = example(LENGTHS)
    items = model.encode_video_frames(padded(frames), LENGTHS)
    captions = model.encode_text_tokens(padded(words), LENGTHS)
    for row, (video, caption) in enumerate(zip(frames, words, strict=True)):
        for found, expected in ((items, twin.video(video)), (captions, twin.text(caption))):
            close((found[0][row], found[1][row]), expected)


LISTS = st.lists(st.integers(1, 9), min_size=1, max_size=6)


@given(lengths=LISTS, row=st.integers(0, 5), longer=st.integers(0, 4), seed=st.integers(0, 9))
@torch.inference_mode()
def test_the_same_alone_and_in_any_batch(lengths, row, longer, seed):
    row %= len(lengths)
    model = small()
    frames, words = example(lengths, seed)
    order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed)).tolist()
    # Filled up even further than the longest needs.
    batch = padded([*(frames[i] for i in order), torch.zeros(max(lengths) + longer, F)], torch.nan)
    tokens = padded([*(words[i] for i in order), torch.zeros(max(lengths) + longer)])[:-1].long()
    place = order.index(row)
    for found, alone in (
        (model.encode_items(batch[:-1]), model.encode_items(frames[row][None])),
        (model.encode_captions(tokens), model.encode_captions(words[row][None])),
    ):
        for part, expected in zip(found, alone, strict=True):
            close(part[place], expected[0])


def small(**changes):
    torch.manual_seed(1)
    sizes = {"rnn_size": 3, "channels": [4, 3], "kernels": [2, 3]}
    settings = {"embed_dim": 6, "word_dim": 5, "items": sizes, "captions": sizes, **changes}
    settings = DualEncodingModelSettings(family="dual_encoding", **settings)
    return Model(settings, F, (V, 4)).eval()


@pytest.mark.parametrize("numbers", [1, 40, 10**6])
@torch.no_grad()
def test_frames_in_parts_are_those_of_a_padded_batch(numbers):
    model = small()
    frames, words = example(LENGTHS)
    with torch.enable_grad():  # all at once, then
        items, captions = model.encode_items(padded(frames, torch.nan)), padded(words)
        expected = model.encode_captions(captions)
    model.numbers_at_once = numbers
    ends = torch.tensor([0, *LENGTHS]).cumsum(0)
    close(model.encode_items(Frames(torch.cat(frames), ends)), items)
    close(model.encode_items(padded(frames, torch.nan)), items)
    close(model.encode_captions(captions), expected)


@torch.inference_mode()
def test_what_is_behind_a_length_is_not_looked_at():
    model = small()
    frames, words = example(LENGTHS)
    video, tokens = padded(frames), padded(words)
    expected = (
        model.encode_video_frames(video, LENGTHS),
        model.encode_text_tokens(tokens, LENGTHS),
    )
    behind = torch.arange(7) >= torch.tensor(LENGTHS)[:, None]
    video[behind], tokens[behind] = 1e9, 3
    close(model.encode_video_frames(video, torch.tensor(LENGTHS)), expected[0])
    close(model.encode_text_tokens(tokens, torch.tensor(LENGTHS)), expected[1])


def test_the_vector_of_padding_has_no_influence():
    zero, drawn = small(pad_zero=True), small(pad_zero=False)
    weight = drawn.captions.embedding.weight
    assert not zero.captions.embedding.weight[0].any() and weight[0].any()
    drawn.load_state_dict(zero.state_dict())
    with torch.no_grad():
        weight[0] = 100.0
    tokens = padded(example(LENGTHS)[1])
    for training in (False, True):
        found = []
        for model in (zero, drawn):
            torch.manual_seed(0)
            found.append(model.train(training).encode_captions(tokens))
            model.zero_grad()
            found[-1].logits.sum().backward()
            assert not model.captions.embedding.weight.grad[0].any()
        assert all(torch.equal(*parts) for parts in zip(*found, strict=True))


NAN = torch.nan
VIDEO = padded(example([2, 3])[0], NAN)
BROKEN = VIDEO.clone()
BROKEN[1, 2, 4] = NAN
GAP = VIDEO.clone()
GAP[1, 0] = NAN
ITEMS = {
    "width": (
        torch.zeros(2, 3, 9),
        r"items of shape \(2, 3, 9\): the model takes frames of width 6, \[N, L, 6\]; give it the",
    ),
    "vectors": (torch.zeros(2, 6), r"items of shape \(2, 6\): the model takes frames of width 6"),
    "frames": (Frames(torch.zeros(3, 9), torch.tensor([0, 3])), r"items of shape \(1, 9\): the mo"),
    "none": (
        torch.cat([VIDEO, torch.full((1, 3, F), NAN)]),
        r"item row 2: has no frame; correct it or take it out of the data",
    ),
    "none, ragged": (
        Frames(torch.zeros(3, F), torch.tensor([0, 0, 3])),
        r"item row 0: has no frame; correct it or take it out of the data",
    ),
    "nan": (BROKEN, r"item row 1: NaN in frame 2, before its last one; encode the item again"),
    "gap": (GAP, r"item row 1: NaN in frame 0, before its last one; encode the item again"),
}


@pytest.mark.parametrize(("items", "message"), ITEMS.values(), ids=ITEMS)
def test_items_that_cannot_be_are_named(items, message):
    with pytest.raises(DataError, match=message):
        small().encode_items(items)


CAPTIONS = {
    "features": (torch.zeros(2, 3, 4), r"captions of shape \(2, 3, 4\): the model takes words, \["),
    "none": (
        torch.tensor([[3, 1], [0, 0]]),
        r"caption row 1: has no word; correct it or take it out of the data",
    ),
    "gap": (torch.tensor([[3, 0, 1]]), r"caption row 0: word 0 \(at 1\) is none of 1 to 19, the"),
    "unknown": (
        torch.tensor([[3, 1], [4, V]]),
        r"caption row 1: word 20 \(at 1\) is none of 1 to 19, the model's vocabulary; encode cap",
    ),
    "negative": (torch.tensor([[-1]]), r"caption row 0: word -1 \(at 0\) is none of 1 to 19"),
}


@pytest.mark.parametrize(("captions", "message"), CAPTIONS.values(), ids=CAPTIONS)
def test_captions_that_cannot_be_are_named(captions, message):
    with pytest.raises(DataError, match=message):
        small().encode_captions(captions)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([2], r"2 items with 1 lengths; give one for each"),
        ([2, 0], r"item row 1: has no frame; correct it or take it out of the data"),
        ([2, 4], r"item row 1: of length 4, but only 3 frames are given"),
    ],
)
def test_lengths_that_do_not_fit_are_named(lengths, message):
    with pytest.raises(DataError, match=message):
        small().encode_video_frames(VIDEO, lengths)
    words = message.replace("item", "caption").replace("frame", "word")
    with pytest.raises(DataError, match=words):
        small().encode_text_tokens(torch.ones(2, 3, dtype=torch.int64), lengths)
