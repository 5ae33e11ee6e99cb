"""What the two encoders are given, checked, and cut into parts of about one length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from polymatch.data.frames import Frames
from polymatch.errors import DataError


class ItemFrames:
    """Frames of N items with their true lengths, to be taken in parts.

    Args:
        features: [N, L, F], where a row of NaN is no frame, or :class:`Frames` of torch tensors.
        width: F of the model.
        lengths: [N]; whatever is behind them does not count. Told by the NaN if not given.

    Raises:
        DataError: the frames are of another width, or an item has none, or NaN between its frames.
    """

    def __init__(
        self,
        features: Tensor | Frames,
        width: int,
        lengths: Tensor | Sequence[int] | None = None,
    ) -> None:
        self.features, self.width = features, width
        shape = tuple(features.shape)
        wanted = 2 if isinstance(features, Frames) else 3
        if len(shape) != wanted or shape[-1] != width:
            raise DataError(
                f"items of shape {shape}: the model takes frames of width {width}, [N, L, {width}];"
                " give it the frames that it was trained on"
            )
        if isinstance(features, Frames):
            self.lengths = features.lengths
            longest = None
        else:
            self.lengths = _frame_lengths(features) if lengths is None else lengths
            self.lengths = torch.as_tensor(self.lengths, device=features.device).long()
            longest = shape[1]
        _check_lengths(self.lengths, shape[0], longest, "item", "frame")

    def __len__(self) -> int:
        return len(self.lengths)

    def part(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Frames [n, L', F] of these items, zero behind their lengths [n]."""
        lengths = self.lengths[rows]
        frames = self.features[rows][:, : int(lengths.max())]
        return frames.masked_fill(_behind(lengths, frames)[:, :, None], 0), lengths


class CaptionWords:
    """Words of M captions with their true lengths, to be taken in parts.

    Args:
        words: [M, L], from 1 to ``vocabulary`` - 1, filled up with 0. ``lengths`` [M]: whatever is
            behind them does not count. Told by the zeros if not given.

    Raises:
        DataError: a caption has no word, or one that is not in the vocabulary.
    """

    def __init__(
        self, words: Tensor, vocabulary: int, lengths: Tensor | Sequence[int] | None = None
    ) -> None:
        if words.ndim != 2:
            raise DataError(
                f"captions of shape {tuple(words.shape)}: the model takes words, [M, L]; "
                "give it the words store"
            )
        if lengths is None:
            lengths = (words != 0).sum(1)
        self.lengths = torch.as_tensor(lengths, device=words.device).long()
        _check_lengths(self.lengths, len(words), words.shape[1], "caption", "word")
        self.words = words.long().masked_fill(_behind(self.lengths, words), 0)
        there = ~_behind(self.lengths, words)
        wrong = there & ((self.words < 1) | (self.words >= vocabulary))
        if bool(wrong.any()):
            row, place = wrong.nonzero()[0].tolist()
            raise DataError(
                f"caption row {row}: word {int(self.words[row, place])} (at {place}) is none of 1 "
                f"to {vocabulary - 1}, the model's vocabulary; encode captions with the vocabulary "
                "that it was trained on"
            )

    def __len__(self) -> int:
        return len(self.lengths)

    def part(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Words [m, L'] of these captions, 0 behind their lengths [m]."""
        lengths = self.lengths[rows]
        return self.words[rows][:, : int(lengths.max())], lengths


def parts_by_length(lengths: Tensor, width: int, numbers: int) -> Iterator[Tensor]:
    """Row numbers in ascending order of length, as many at a time as ``numbers`` allows.

    Args:
        lengths: [N]. width: numbers of each frame or word.
    """
    order = torch.argsort(lengths, stable=True)
    ordered = lengths[order].tolist()
    start = 0
    while start < len(ordered):
        stop = start + 1
        while stop < len(ordered) and (stop + 1 - start) * ordered[stop] * width <= numbers:
            stop += 1
        yield order[start:stop]
        start = stop


def _frame_lengths(frames: Tensor) -> Tensor:
    """Lengths [N] of frames [N, L, F] that rows of NaN fill up."""
    nan = frames.isnan()
    absent = nan.all(2)
    lengths = (~absent).sum(1)
    wrong = nan.any(2) & ~absent
    wrong |= absent & ~(torch.arange(frames.shape[1], device=frames.device) >= lengths[:, None])
    if bool(wrong.any()):
        row, place = wrong.nonzero()[0].tolist()
        raise DataError(
            f"item row {row}: NaN in frame {place}, before its last one; encode the item again"
        )
    return lengths


def _check_lengths(
    lengths: Tensor, number: int, longest: int | None, side: str, piece: str
) -> None:
    if lengths.shape != (number,):
        raise DataError(f"{number} {side}s with {lengths.numel()} lengths; give one for each")
    wrong = lengths < 1
    if longest is not None:
        wrong = wrong | (lengths > longest)
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        if int(lengths[row]) < 1:
            raise DataError(
                f"{side} row {row}: has no {piece}; correct it or take it out of the data"
            )
        raise DataError(
            f"{side} row {row}: of length {int(lengths[row])}, but only {longest} {piece}s are "
            "given"
        )


def _behind(lengths: Tensor, padded: Tensor) -> Tensor:
    places = torch.arange(padded.shape[1], device=lengths.device)
    return places >= lengths[:, None]
