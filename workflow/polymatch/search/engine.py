"""The search engine: a trained run over a gallery.

What the model makes of the gallery is made once (:mod:`.encoded`) and held; a query goes through
the encoder's side and the model's, and is scored against all of it, or against the candidates of an
index (:mod:`.index`). Scores are the run's own: those of a test caption are its column of the run's
matrix, those of a test item its row. Everything may be asked from several threads at once.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from polymatch.data.features import FeatureStore
from polymatch.data.words import open_store
from polymatch.device import on_device, pick_device
from polymatch.errors import ConfigError, DataError
from polymatch.models import load_model
from polymatch.search.candidates import item_index
from polymatch.search.gallery import Gallery
from polymatch.search.hits import Answers, Hit
from polymatch.search.index import PointIndex
from polymatch.search.questions import Questions
from polymatch.search.run import TrainedRun
from polymatch.search.scores import Scorer, best
from polymatch.search.sides import Sides, known_ranges
from polymatch.settings.explain import suggest

_COMPARED = 20_000


class SearchEngine:
    """See :meth:`open`.

    Attributes:
        run, gallery, kind: what is asked, over what, by which similarity.
        index: of the items, or None where all of them are looked at.
        model, items, sides, scorer: the trained model, the gallery's items as it encodes them, what
            encodes them, and what scores a query.
    """

    def __init__(
        self, run: TrainedRun, gallery: Gallery, kind: str, device: str, truncate: bool
    ) -> None:
        self.run, self.gallery, self.kind = run, gallery, kind
        self.index: PointIndex | None = None
        self.questions = Questions(run, device, truncate)
        self.model = load_model(run.folder, pick_device(device))
        self.sides = Sides(run, gallery, self.model)
        self._lock = threading.RLock()
        self._check_words()
        self.scorer = Scorer(self.model, kind, known_ranges(run, self.model, kind))
        self.items = self.sides.items()
        self._held = self.scorer.held(self.items)

    @classmethod
    def open(
        cls,
        run: TrainedRun,
        gallery: str = "test",
        kind: str | None = None,
        device: str = "auto",
        index: bool | None = None,
        candidates: int | None = None,
        truncate: bool = False,
    ) -> SearchEngine:
        """Make a run ready to be asked.

        Args:
            gallery: ``test``, ``val``, ``train``, ``all``, or a store of an encoder's features.
            kind: which similarity; the run's first one if not given.
            index: whether texts look at an index's candidates instead of at all items.
            candidates: of the index, scored for each query; measured if not given.
            truncate: whether texts that are too long are cut off instead of refused.

        Raises:
            ConfigError: no such similarity, gallery or device, or no index can be made for it.
            DataError: something that the run was made from is missing, or is of another encoder.
        """
        kind = kind or run.kinds[0]
        if kind not in run.kinds:
            raise ConfigError(f"run {run.name}: no similarity {kind!r}; {suggest(kind, run.kinds)}")
        engine = cls(run, Gallery.open(run, gallery), kind, device, truncate)
        if index:
            engine.index = item_index(engine, candidates)
        return engine

    def by_text(self, text: str, k: int = 10) -> Answers:
        """The ``k`` items that a text finds.

        Raises:
            DataError: the text is empty or too long.
            ConfigError: there is no encoder, or ``k`` is below 1.
        """
        right = self.right_answers(text=text)
        return self._items_for(text, self.questions.text(text), k, right)

    def by_caption(self, caption_id: str, k: int = 10) -> Answers:
        """The ``k`` items that a caption of the data set finds.

        Raises:
            ConfigError: there is no such caption, or ``k`` is below 1.
        """
        store = self._caption_store
        first = self.gallery.first_ids.get(caption_id, caption_id)
        if first not in self._known_captions:
            raise _unknown("caption", caption_id, store.ids)
        features = store.take(store.index([first]))
        return self._items_for(caption_id, features, k, self.right_answers(caption_id=caption_id))

    def by_item(self, item_id: str, k: int = 10) -> Answers:
        """The ``k`` captions that an item of the data set finds.

        Raises:
            ConfigError: there is no such item, the gallery has no captions, or ``k`` is below 1.
        """
        store = self._item_store
        if item_id not in self._known_items:
            raise _unknown("item", item_id, store.ids)
        features = store.take(store.index([item_id]))
        return self._captions_for(item_id, features, k, self.right_answers(item_id=item_id))

    def by_file(self, path: Path | str, k: int = 10) -> Answers:
        """The ``k`` captions that a picture or a clip finds.

        Raises:
            DataError: the file is neither.
            ConfigError: there is no encoder, the gallery has no captions, or ``k`` is below 1.
        """
        self._require_captions()
        return self._captions_for(str(path), self.questions.file(Path(path)), k, [])

    def right_answers(
        self, text: str | None = None, item_id: str | None = None, caption_id: str | None = None
    ) -> list[str]:
        """What a query is known to be about: items of a text or caption, captions of an item.

        Empty where the gallery does not know the query.
        """
        return self.gallery.right_answers(text, item_id, caption_id)

    def encoded_caption(self, features: NDArray[Any]) -> Any:
        """One caption through the model."""
        with torch.inference_mode():
            return self.model.encode_captions(on_device(features, self.model.device))

    def all_scores(self, caption: Any) -> NDArray[Any]:
        """Scores [N] of all items with an encoded caption."""
        with torch.inference_mode():
            return self.scorer.of_caption(self._held, caption)

    def _items_for(
        self, query: str, features: NDArray[Any], k: int, right: Sequence[str]
    ) -> Answers:
        _check_k(k)
        caption = self.encoded_caption(features)
        with torch.inference_mode():
            if self.index is None:
                rows = np.arange(len(self.gallery))
                scores = self.scorer.of_caption(self._held, caption)
            else:
                point = self.model.caption_points(caption, self.kind)[0].cpu().numpy()
                rows = self.index.search(point, max(k, self.index.found.candidates))
                scores = self.scorer.of_some(self.items, rows, caption)
            chosen = best(scores, k)
            unsure = self.sides.uncertainty(self.items, rows[chosen])
            own = self.sides.uncertainty(caption, np.array([0]))[0]
        hits = [
            self._item_hit(place, int(rows[row]), float(scores[row]), unsure[place], right)
            for place, row in enumerate(chosen)
        ]
        return Answers(hits, query, k, len(self.gallery), own, tuple(right))

    def _item_hit(
        self, place: int, row: int, score: float, unsure: float | None, right: Sequence[str]
    ) -> Hit:
        item = self.gallery.item_ids[row]
        known = (item in right) if right else None
        return Hit(
            place + 1,
            item,
            score,
            unsure,
            self.gallery.texts.get(item),
            self.sides.files.get(item),
            known,
        )

    def _captions_for(self, query: str, features: Any, k: int, right: Sequence[str]) -> Answers:
        _check_k(k)
        self._require_captions()
        queries = self.gallery.queries
        assert queries is not None
        captions = self._captions
        with torch.inference_mode():
            item = self.model.encode_items(on_device(features, self.model.device))
            scores = self.scorer.of_item(item, captions)
            chosen = best(scores, k)
            unsure = self.sides.uncertainty(captions, chosen)
            own = self.sides.uncertainty(item, np.array([0]))[0]
        hits = [
            Hit(
                place + 1,
                queries.caption_ids[row],
                float(scores[row]),
                unsure[place],
                queries.texts[row],
                None,
                (queries.caption_ids[row] in right) if right else None,
            )
            for place, row in enumerate(chosen)
        ]
        return Answers(hits, query, k, len(queries.texts), own, tuple(right))

    @property
    def _captions(self) -> Any:
        with self._lock:
            return self.sides.captions

    @cached_property
    def _caption_store(self) -> FeatureStore:
        return open_store(self.run.caption_store)

    @cached_property
    def _item_store(self) -> FeatureStore:
        return open_store(self.run.item_store)

    @cached_property
    def _known_captions(self) -> frozenset[str]:
        return frozenset(self._caption_store.ids)

    @cached_property
    def _known_items(self) -> frozenset[str]:
        return frozenset(self._item_store.ids)

    def _require_captions(self) -> None:
        if self.gallery.queries is None:
            raise ConfigError(
                f"gallery {self.gallery.name!r} has no captions to find; search one of the run's "
                "splits (--gallery test), or ask with a text"
            )

    def _check_words(self) -> None:
        """A run that reads words has been trained with those that are there now."""
        if self.run.reads_words:
            words = self.model.widths[1]
            words = words[0] if isinstance(words, tuple) else words
            if words != len(self.questions.vocabulary()):
                raise DataError(
                    f"{self.run.vocabulary}: has {len(self.questions.vocabulary())} words, but run "
                    f"{self.run.name} was trained with {words}; train it again"
                )


def _check_k(k: int) -> None:
    if k < 1:
        raise ConfigError(f"k is {k}; ask for 1 answer or more")


def _unknown(what: str, asked: str, known: Sequence[str]) -> ConfigError:
    # Of more it would take longer than to look it up.
    close = difflib.get_close_matches(asked, known, n=3) if len(known) <= _COMPARED else []
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
    return ConfigError(f"no {what} {asked!r} among {len(known):,} of the data set{hint}")
