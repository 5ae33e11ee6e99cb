"""What the page is told of runs, questions and answers, as JSON can hold it."""

from __future__ import annotations

import random
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

from polymatch.search.engine import SearchEngine
from polymatch.search.hits import Answers, Hit
from polymatch.serving.media import Media
from polymatch.serving.similar import Neighbours

By: TypeAlias = Literal["text", "caption", "item", "similar", "file"]
Known: TypeAlias = Literal["caption", "item"]
_COUNTED = 20_000  # candidates up to which the rank of a right answer is looked for among all


class Served:
    """A run that the page offers.

    Args:
        engine: the run over its gallery.
        media: the items' files.
    """

    def __init__(self, engine: SearchEngine, media: Media) -> None:
        self.engine, self._media = engine, media
        self._neighbours = Neighbours(engine)

    @property
    def name(self) -> str:
        """What the page calls it: model, seed and similarity."""
        return f"{self.engine.run.name} {self.engine.kind}"

    def about(self) -> dict[str, Any]:
        """What can be asked of it."""
        engine = self.engine
        asks = not engine.run.encoders_given
        has_texts = engine.gallery.queries is not None
        return {
            "name": self.name,
            "family": engine.run.settings.family,
            "similarity": engine.kind,
            "text": asks or engine.run.reads_words,
            "file": asks and has_texts,
            "index": None if engine.index is None else engine.index.found.described(),
        }

    def known(self, of: Known, like: str, number: int, draw: bool) -> dict[str, Any]:
        """Queries of the gallery whose answers are known: texts, or items by one of their texts.

        Args:
            like: what the text or id contains, in any case.
            number: how many at most.
            draw: whether these are drawn at random; else they are the first.
        """
        every = self._known[of]
        wanted = like.casefold()
        found = [pair for pair in every if wanted in pair[1].casefold() or wanted in pair[0]]
        some = random.sample(found, min(number, len(found))) if draw else found[:number]
        is_item = of == "item"
        return {
            "of": of,
            "total": len(found),
            "found": [
                {"id": name, "text": text, **(self._shown(name) if is_item else {})}
                for name, text in some
            ],
        }

    def answers(self, by: By, asked: str | Path, k: int) -> dict[str, Any]:
        """Answer one question: the ``k`` best, and where the right ones are, if they are known.

        Raises:
            PolymatchError: as the engine says.
        """
        engine = self.engine
        find = {
            "text": engine.by_text,
            "caption": engine.by_caption,
            "item": engine.by_item,
            "similar": self._neighbours.of,
            "file": engine.by_file,
        }[by]
        found: Answers = find(asked, self._number(by, k))  # type: ignore[operator]
        finds_items = by in ("text", "caption", "similar")
        right = [hit for hit in found if hit.right]
        return {
            "run": self.name,
            "by": by,
            "query": self._query(by, "" if by == "file" else str(asked)),
            "finds": "items" if finds_items else "texts",
            "candidates": found.candidates,
            "uncertainty": found.uncertainty,
            "unknown_words": engine.questions.unknown_words(str(asked)) if by == "text" else [],
            "hits": [self._hit(hit, finds_items) for hit in found[:k]],
            "known": bool(found.right),
            "right": [self._hit(hit, finds_items) for hit in right],
        }

    def _number(self, by: By, k: int) -> int:
        """How many are asked of the engine: all, where right ones may be among them."""
        gallery = self.engine.gallery
        if self.engine.index is not None or by in ("similar", "file") or gallery.queries is None:
            return k
        size = len(gallery.queries.texts) if by == "item" else len(gallery)
        return max(k, size) if size <= _COUNTED else k

    def _query(self, by: By, asked: str) -> dict[str, Any]:
        if by == "caption":
            return {"id": asked, "text": self._said.get(asked, asked)}
        if by == "similar":
            text = self.engine.gallery.texts.get(asked)
            return {"id": asked, "text": text, **self._shown(asked)}
        if by == "item":  # its text would be the answer
            return {"id": asked, **self._shown(asked)}
        return {"text": asked}

    def _hit(self, hit: Hit, is_item: bool) -> dict[str, Any]:
        return {
            "rank": hit.rank,
            "id": hit.id,
            "score": hit.score,
            "uncertainty": hit.uncertainty,
            "text": hit.text,
            "right": hit.right,
            **(self._shown(hit.id) if is_item else {}),
        }

    def _shown(self, item_id: str) -> dict[str, Any]:
        return {"media": self._media.kind(item_id), "plays": self._media.plays(item_id)}

    @cached_property
    def _known(self) -> dict[Known, list[tuple[str, str]]]:
        """Id and text of each known query."""
        gallery = self.engine.gallery
        if gallery.queries is None:
            return {"caption": [], "item": []}
        texts = gallery.texts
        return {
            "caption": list(zip(gallery.queries.caption_ids, gallery.queries.texts, strict=True)),
            "item": [(item, texts.get(item, item)) for item in gallery.item_ids],
        }

    @cached_property
    def _said(self) -> dict[str, str]:
        captions = self.engine.gallery.captions
        if captions is None:
            return {}
        return dict(zip(captions["caption_id"], captions["text"], strict=True))
