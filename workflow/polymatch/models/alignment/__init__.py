"""The alignment family: SAF, SGR and their ensemble SGRAF over regions and words.

Diao, Zhang, Ma and Lu, Similarity Reasoning and Filtration for Image-Text Matching, AAAI 2021, as
the code of Li et al., A Differentiable Semantic Metric Approximation, NeurIPS 2022, has it. A model
is one part (:mod:`.part`), SAF or SGR; SGRAF holds two that were trained apart, and its similarity
is the mean of theirs. Scores are those of the published code to 1e-6, in training too.

Deviations from the published code:

* Captions come in any order, and each is encoded once, its global vector too (there once for every
  block of images that it is scored against).
* The running statistics of SAF's gates follow the batch's order (there captions are sorted by
  length, so that the shortest count most).
* The key's offset in graph reasoning, without influence, is left out (:mod:`.reasoning`).
* A vector of length zero has no gradient (there it is NaN).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from polymatch import distributed
from polymatch.errors import ConfigError
from polymatch.models.alignment.inputs import checked_images, checked_tokens, true_lengths
from polymatch.models.alignment.part import Captions, Items, Part
from polymatch.models.alignment.published import check_entry, read_published
from polymatch.models.model import RetrievalModel
from polymatch.settings.alignment import AlignmentModelSettings
from polymatch.settings.model import ModelSettings

__all__ = ["Captions", "Items", "Model", "assemble", "load_published"]


class Both(NamedTuple):
    """What the two parts of SGRAF make of the same items or captions."""

    first: Any
    second: Any


class Share(NamedTuple):
    """The captions of a batch of ``number`` that are this process's."""

    captions: Captions
    number: int


class Model(RetrievalModel):
    """SAF, SGR or both.

    Args:
        item_width: number of regions of an item, and the width of their features.
        caption_width: size of the vocabulary.
    """

    settings: AlignmentModelSettings
    tile_items = 64  # all work is of pairs

    def __init__(
        self,
        settings: AlignmentModelSettings,
        item_width: Sequence[int],
        caption_width: int,
    ) -> None:
        n_regions, width = item_width
        super().__init__(settings, (n_regions, width), caption_width)
        self.regions = (n_regions, width)
        self.vocabulary = caption_width
        alone = settings.module != "sgraf"
        self.parts = nn.ModuleList([Part(settings, self.regions, caption_width)] if alone else [])

    def encode_items(self, features: Tensor) -> Items | Both:
        """Encode features of regions [N, R, F].

        Raises:
            DataError: they are not the model's in number or width.
        """
        images = checked_images(features, self.regions)
        return _gathered([part.encode_items(images) for part in self._parts()])

    def encode_captions(self, features: Tensor) -> Captions | Both:
        """Encode tokens [M, L], padded with 0.

        Raises:
            DataError: a caption without words, or a token that is not in the vocabulary.
        """
        return self._encode(features, true_lengths(features))

    def similarity(self, items: Any, captions: Any, kind: str | None = None) -> Tensor:
        """Return scores [N, M], from 0 to 1.

        Of several processes each scores its share of the captions. In training the running
        statistics of SAF's gates take their steps.
        """
        if kind not in (None, *self.settings.scored_by):
            raise ConfigError(
                f"similarity {kind!r} is not this model's, which is {self.settings.scored_by[0]!r}"
            )
        if self.settings.module == "sgraf":
            both = zip(self._parts(), items, captions, strict=True)
            first, second = (part.similarity(*sides)[0] for part, *sides in both)
            return (first + second) / 2
        (part,) = self._parts()
        if isinstance(captions, Share):
            mine, number = captions
        else:
            number = len(captions.lengths)
            own = distributed.share_of(number)
            mine = Captions(*(each[own] for each in captions))
        scores, statistics = part.similarity(items, mine)
        scores = distributed.gather_columns(scores, number)
        if statistics.shape[1]:
            statistics = distributed.gather_rows(statistics.T, number).T
        # A column for each caption, of all items of the batch: there in SAF's training alone.
        if part.filtration is not None and statistics.shape[1]:
            part.filtration.update(statistics)
        return scores

    def gather_captions(self, captions: Any, count: int) -> Any:
        """Left apart: each process scores its own ones, with all items."""
        return Share(captions, count)

    def similarity_from_inputs(
        self, images: Tensor, tokens: Tensor, lengths: Tensor | Sequence[int]
    ) -> Tensor:
        """Return scores [N, M] of images [N, R, F] and captions [M, L] of ``lengths`` [M].

        Tokens behind a caption's length are ignored, whatever they are.

        Raises:
            DataError: an input is not one of this model.
        """
        return self.similarity(self.encode_items(images), self._encode(tokens, lengths))

    def vectors(self, items: Any, captions: Any) -> tuple[Tensor, Tensor]:
        """The global vectors; of both parts one after the other."""
        if self.settings.module == "sgraf":
            sides = [torch.cat([part.vector for part in side], 1) for side in (items, captions)]
            return sides[0], sides[1]
        return items.vector, captions.vector

    def attachments(self) -> dict[str, Any]:
        if self.settings.module != "sgraf":
            return {}
        return {"members": [part.settings.model_dump(mode="json") for part in self._parts()]}

    def attach(self, attachments: dict[str, Any]) -> None:
        for raw in attachments.get("members", []):
            settings = AlignmentModelSettings.model_validate(raw)
            self.parts.append(Part(settings, self.regions, self.vocabulary))

    def adopt(self, settings: ModelSettings) -> None:
        assert isinstance(settings, AlignmentModelSettings)  # the family's own
        check_entry(self.settings, settings)
        if settings.module != "sgraf":
            (part,) = self._parts()
            part.settings = settings
        self.settings = settings

    def _encode(self, tokens: Tensor, lengths: Tensor | Sequence[int]) -> Captions | Both:
        checked = checked_tokens(tokens, lengths, self.vocabulary)
        return _gathered([part.encode_captions(*checked) for part in self._parts()])

    def _parts(self) -> list[Part]:
        parts = [part for part in self.parts if isinstance(part, Part)]
        if not parts:
            raise ConfigError(
                "module 'sgraf' has no weights of its own; put it together from a trained saf and "
                "sgr with `assemble`"
            )
        return parts


def assemble(settings: AlignmentModelSettings, members: Sequence[RetrievalModel]) -> Model:
    """Put SGRAF together from a trained SAF and a trained SGR, which it holds.

    Raises:
        ConfigError: the members are not one of each, or of different regions or vocabularies.
    """
    modules = [
        member.settings.module if isinstance(member, Model) else member.settings.family
        for member in members
    ]
    if sorted(modules) != ["saf", "sgr"]:
        raise ConfigError(
            f"module 'sgraf' is put together from one saf and one sgr, not from "
            f"{' and '.join(modules) or 'nothing'}; correct its `members`"
        )
    first, second = members
    if first.widths != second.widths:
        raise ConfigError(
            f"module 'sgraf': its members are of other inputs, {_inputs(first)} ({modules[0]}) and "
            f"{_inputs(second)} ({modules[1]}); train both on one data set"
        )
    assert isinstance(first, Model) and isinstance(second, Model)
    model = Model(settings, first.regions, first.vocabulary)
    model.parts.extend([*first.parts, *second.parts])
    return model.train(first.training)


def load_published(*paths: Any) -> Model:
    """Return the model that a checkpoint of the published code holds, ready to encode.

    Args:
        paths: one checkpoint, of SAF or of SGR, or two, of SAF and of SGR in this order, for SGRAF.

    Raises:
        DataError: a file is missing, broken, or not one of the published code; what is wrong with
            it is named.
    """
    read = read_published(*paths)
    models = []
    for of_one in read:
        model = Model(of_one.settings, of_one.regions, of_one.vocabulary)
        model.parts[0].load_state_dict(of_one.weights)
        models.append(model.eval())
    if len(models) == 1:
        return models[0]
    settings = AlignmentModelSettings(
        family="alignment", module="sgraf", published_checkpoint=[str(path) for path in paths]
    )
    return assemble(settings, models)


def _gathered(encoded: list[Any]) -> Any:
    return encoded[0] if len(encoded) == 1 else Both(*encoded)


def _inputs(model: RetrievalModel) -> str:
    assert isinstance(model, Model)
    return f"{model.regions[0]} regions of width {model.regions[1]} and {model.vocabulary} words"
