"""What the two encoders are given, checked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from polymatch.errors import DataError


def checked_images(images: Tensor, width: tuple[int, int]) -> Tensor:
    """Return features of regions [N, R, F] as they are.

    Raises:
        DataError: another number of regions, or of another width, than the model's.
    """
    if images.ndim != 3 or tuple(images.shape[1:]) != width:
        raise DataError(
            f"items of shape {tuple(images.shape)}: the model takes {width[0]} regions of width "
            f"{width[1]}, [N, {width[0]}, {width[1]}]; give it the regions that it was trained on"
        )
    return images


def true_lengths(tokens: Tensor) -> Tensor:
    """Lengths [M] of captions [M, L] that are padded with 0 at their end.

    Raises:
        DataError: padding between a caption's words.
    """
    there = tokens != 0
    lengths = there.sum(1)
    gaps = there != (torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None])
    if bool(gaps.any()):
        row = int(gaps.any(1).nonzero()[0])
        raise DataError(
            f"caption row {row}: token 0, which is padding, before its last word; tokens are "
            "counted from 1"
        )
    return lengths


def checked_tokens(
    tokens: Tensor, lengths: Tensor | Sequence[int], vocabulary: int
) -> tuple[Tensor, Tensor]:
    """Tokens [M, L] with 0 behind each caption's length, and the lengths, both int64.

    Raises:
        DataError: a caption without words or longer than its row, or a token that is not in the
            vocabulary.
    """
    lengths = torch.as_tensor(lengths, device=tokens.device).long()
    if tokens.ndim != 2 or lengths.shape != tokens.shape[:1]:
        raise DataError(
            f"tokens of shape {tuple(tokens.shape)} with {lengths.numel()} lengths; captions are "
            "rows [M, L] with a length each"
        )
    wrong = (lengths < 1) | (lengths > tokens.shape[1])
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        raise DataError(
            f"caption row {row}: of length {int(lengths[row])}; it must have from 1 to "
            f"{tokens.shape[1]} tokens"
        )
    behind = torch.arange(tokens.shape[1], device=tokens.device) >= lengths[:, None]
    tokens = tokens.long().masked_fill(behind, 0)
    unknown = (tokens < 0) | (tokens >= vocabulary)
    if bool(unknown.any()):
        row, place = unknown.nonzero()[0].tolist()
        raise DataError(
            f"caption row {row}: token {int(tokens[row, place])} is beyond the model's vocabulary "
            f"of {vocabulary} words (0 to {vocabulary - 1}); encode captions with the vocabulary "
            "that it was trained on"
        )
    return tokens, lengths
