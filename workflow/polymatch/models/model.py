"""What every model offers, and how a run's model goes to disk and comes back.

A checkpoint is a folder: ``model.safetensors`` (the weights) and ``settings.json`` (the family, its
settings, the widths). No pickle is involved. A model may ask for weights to be stored in fewer
bytes (:mod:`.compact`).
"""

from __future__ import annotations

import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from torch import Tensor, nn

from polymatch import distributed
from polymatch.data.batch import Batch
from polymatch.data.training_set import Width
from polymatch.errors import ConfigError, DataError
from polymatch.files import written_atomically
from polymatch.models.compact import Form, read_weights, save_weights
from polymatch.settings.families import families
from polymatch.settings.model import ModelSettings
from polymatch.whole_batch import whole_batch


class RetrievalModel(nn.Module, ABC):
    """A model: three calls, and nothing outside its module knows more.

    What the two encoders return is the family's own; the caller only hands it to ``similarity``.
    Widths are D of embeddings or features, (R, F) of regions, F of frames, and the number of words,
    or of words and tags, (V, C).
    """

    tile_items = 256
    """Fewest items to score at once: what ``similarity`` does once a caption then weighs little."""

    def __init__(self, settings: ModelSettings, item_width: Any, caption_width: Any) -> None:
        super().__init__()
        self.settings = settings
        self.widths = (item_width, caption_width)

    @abstractmethod
    def encode_items(self, features: Any) -> Any:
        """Encode items given by their embeddings, [N, D], or regions, [N, R, F].

        Or by frames, [N, L, F] filled up with NaN, or as :class:`polymatch.data.frames.Frames`.
        """

    @abstractmethod
    def encode_captions(self, features: Tensor) -> Any:
        """Encode captions given by their embeddings, [M, D], or words, [M, L]."""

    @abstractmethod
    def similarity(self, items: Any, captions: Any, kind: str | None = None) -> Tensor:
        """Return the similarity of every encoded item with every encoded caption, [N, M].

        ``kind`` is one of the settings' ``scored_by``; the first of them if it is not given.
        """

    def score_candidates(self, items: Any, caption: Any, kind: str | None = None) -> Tensor:
        """Scores [C] of a few encoded items with one encoded caption, by what is quickest for few.

        They are those of :meth:`similarity` up to rounding.
        """
        return self.similarity(items, caption, kind)[:, 0]

    def encode_batch(self, batch: Batch) -> tuple[Any, Any]:
        """Encode the items and the captions of a batch: what every loss starts from.

        Of several processes each encodes the rows that it was given, and has those of all in the
        end, as one process would encode them.
        """
        if not batch.shared:
            return self.encode_items(batch.items), self.encode_captions(batch.captions)
        count = len(batch.item_rows)
        with whole_batch(count):
            items = self.encode_items(batch.items)
            captions = self.encode_captions(batch.captions)
        return distributed.gather_encoded(items, count), self.gather_captions(captions, count)

    def gather_captions(self, captions: Any, count: int) -> Any:
        """All captions of a batch, of which each process has encoded its share.

        A model that shares out its similarity by captions may keep them apart.
        """
        return distributed.gather_encoded(captions, count)

    def fused(self, kind: str | None = None) -> list[tuple[str, float]] | None:
        """The kinds that ``kind`` is the sum of, with their weights, each scaled to 0 to 1.

        Scaled over the whole matrix, so that no part of it can be computed alone. None for a
        similarity whose parts can.
        """
        return None

    def take_word_vectors(self, vectors: Tensor) -> None:
        """Start from these vectors of the words, [V, D], in place of random ones.

        Raises:
            ConfigError: the model has no word embedding.
        """
        raise ConfigError(f"family {self.settings.family}: has no use for word vectors")

    def prepare_items(self, items: Any, kind: str | None = None) -> Any:
        """What ``similarity`` takes in place of encoded items, to answer query after query.

        The part of its work for ``kind`` that needs no captions, done once for a gallery that
        stays. Nothing, for a model that does not say otherwise.
        """
        return items

    def vectors(self, items: Any, captions: Any) -> tuple[Tensor, Tensor]:
        """A vector of each encoded item, [N, D], and caption, [M, D], of one space: to be drawn.

        Raises:
            ConfigError: the model encodes into something else and does not say what to take.
        """
        if isinstance(items, Tensor) and isinstance(captions, Tensor):
            return items, captions
        raise ConfigError(
            f"family {self.settings.family}: what it encodes is no single vector; its space can be "
            "drawn once its model has `vectors`"
        )

    def uncertainty(self, encoded: Any) -> Tensor | None:
        """How unsure the model is of each encoded item or caption, [N]; None where it cannot say.

        Of a Gaussian the mean of its variances.
        """
        return None

    def item_points(self, items: Any, kind: str | None = None) -> Tensor:
        """Points [N, E] of encoded items, for an index of nearest neighbours.

        The nearer an item's point is to a caption's, the more similar they are: exactly, or nearly,
        since what an index finds is scored again.

        Raises:
            ConfigError: nothing about an item and a caption alone tells how similar they are.
        """
        raise ConfigError(
            f"family {self.settings.family}: similarity {kind or self.settings.scored_by[0]!r} "
            "looks at every pair by itself, so that no index of points finds its candidates; "
            "search all items instead (without --ann)"
        )

    def caption_points(self, captions: Any, kind: str | None = None) -> Tensor:
        """Points [M, E] of encoded captions, to be looked for among :meth:`item_points`."""
        return self.item_points(captions, kind)

    def samples(self, kind: str | None = None) -> bool:
        """Whether this similarity needs random numbers, drawn or stored, to answer a query."""
        return False

    def attachments(self) -> dict[str, Any]:
        """What the model needs beside weights and settings, as JSON; handed to ``attach``."""
        return {}

    def attach(self, attachments: dict[str, Any]) -> None:
        """Take back what ``attachments`` gave."""

    def stored_forms(self) -> dict[str, Form]:
        """The weights, by their names in ``state_dict``, that its checkpoint has in another form.

        The model that is read back scores as this one does.
        """
        return {}

    def before_epoch(self, epoch: int, sample: Callable[[], tuple[Tensor, Tensor, Tensor]]) -> None:
        """Prepare for epoch ``epoch`` (from 1) of training, before its first batch.

        ``sample`` gives items [N, D], captions [M, D'] and each caption's item [M] of the training
        set: all of it, or a part where it is streamed from disk.
        """

    def diagnostics(self, items: Any, captions: Any) -> dict[str, float]:
        """Figures about encoded items and captions that are worth a column in the history."""
        return {}

    def fits(self, item_width: Any, caption_width: Any) -> bool:
        """Whether it can be given data of these widths."""
        return self.widths == (item_width, caption_width)

    def adopt(self, settings: ModelSettings) -> None:
        """Take an entry's settings in place of those that a published checkpoint tells.

        Raises:
            ConfigError: they contradict the weights.
        """
        self.settings = settings

    @property
    def device(self) -> torch.device:
        """Where the weights are; the CPU for a model without any."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))


def build_model(settings: ModelSettings, item_width: Width, caption_width: Width) -> RetrievalModel:
    """Build the untrained model that ``settings`` describes, of the module named by its family."""
    module = importlib.import_module(f"polymatch.models.{settings.family}")
    return module.Model(settings, item_width, caption_width)


def first_model(
    settings: ModelSettings,
    item_width: Width,
    caption_width: Width,
    members: Sequence[Path] = (),
) -> RetrievalModel:
    """Return the model that training starts from, or the one that ``settings`` say is ready.

    Args:
        members: folders of the trained runs that it is put together from.

    Raises:
        ConfigError: the published model has other widths or sizes than the data and the settings.
        DataError: its files are not what they should be.
    """
    module = importlib.import_module(f"polymatch.models.{settings.family}")
    if members:
        return module.assemble(settings, [load_model(member) for member in members])
    if not settings.published_files:
        return build_model(settings, item_width, caption_width)
    model: RetrievalModel = module.load_published(*settings.published_files)
    where = settings.published_files[0]
    if not model.fits(item_width, caption_width):
        raise ConfigError(
            f"{where}: for inputs of width {model.widths[0]} (items) and {model.widths[1]} "
            f"(captions), but the data set's have {item_width} and {caption_width}; it needs those "
            "that it was trained on"
        )
    model.adopt(settings)
    return model


def save_model(model: RetrievalModel, run_directory: Path | str) -> None:
    """Write a checkpoint into ``run_directory``; the weights last, since they say it is whole."""
    folder = Path(run_directory)
    record = {
        "settings": model.settings.model_dump(mode="json"),
        "item_width": model.widths[0],
        "caption_width": model.widths[1],
        "attachments": model.attachments(),
    }
    with written_atomically(folder / "settings.json") as path:
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    with written_atomically(folder / "model.safetensors") as path:
        weights = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
        save_weights(path, weights, model.stored_forms())


def load_model(run_directory: Path | str, device: str | torch.device = "cpu") -> RetrievalModel:
    """Return the trained model of a run, ready to encode (evaluation mode).

    Raises:
        DataError: the folder holds no checkpoint, or a broken one.
    """
    folder = Path(run_directory)
    try:
        record = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        weights = read_weights(folder / "model.safetensors", device)
    except FileNotFoundError as error:
        missing = error.filename or folder / "model.safetensors"  # safetensors does not name it
        raise DataError(f"{folder}: no checkpoint here ({missing} is missing)") from error
    except (SafetensorError, json.JSONDecodeError) as error:
        raise DataError(
            f"{folder}: broken checkpoint ({error}); delete it and train again"
        ) from error
    family = record["settings"]["family"]
    if family not in families():
        raise ConfigError(f"{folder}: family {family!r} is unknown here")
    try:
        settings = families()[family].model_validate(record["settings"])
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        raise DataError(
            f"{folder}: its settings are of another version of Polymatch (`{key}`); train it again"
        ) from error
    widths = [
        tuple(width) if isinstance(width, list) else width
        for width in (record["item_width"], record["caption_width"])
    ]
    model = build_model(settings, *widths)
    model.attach(record["attachments"])
    model.load_state_dict(weights)
    return model.to(device).eval()
