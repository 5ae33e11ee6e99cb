"""A trained run, found by its name: what it was trained on and where that lies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from polymatch.errors import ConfigError, DataError
from polymatch.settings.config import Config
from polymatch.settings.explain import suggest
from polymatch.settings.families import families
from polymatch.settings.model import ModelSettings, Start

CHECKPOINT = ("model.safetensors", "settings.json")


@dataclass(frozen=True)
class TrainedRun:
    """One model with one seed, on the data set and encoder of its configuration.

    Attributes:
        model, seed: its name and seed. folder: where its checkpoint is.
        settings: the entry that it was trained by.
        data, space: folders of the data set's tables, and of the encoder's features.
    """

    config: Config
    model: str
    seed: int
    folder: Path
    settings: ModelSettings
    data: Path
    space: Path

    @classmethod
    def open(cls, config: Config, name: str, results: Path | str = "results") -> TrainedRun:
        """Find the run ``MODEL`` (its first seed), ``MODEL/SEED``, or the folder of a run.

        Raises:
            ConfigError: there is no such model or seed; the closest names are said. Or the folder
                is one of another data set or encoder than the configuration's.
            DataError: the run has no checkpoint.
        """
        data = Path(results) / config.data.name
        space = data / config.encoder.name
        if _is_run(Path(name)):
            folder = Path(name)
            _check_place(config, folder.resolve())
            model, number = folder.resolve().parts[-2:]
            return cls(config, model, int(number), *_of_folder(folder))
        model, _, given = name.partition("/")
        seeds = [run.seed for run in config.runs_of(_known(config, model))]
        if given and given not in map(str, seeds):
            listed = ", ".join(map(str, seeds))
            raise ConfigError(f"run {name!r}: {model!r} has no seed {given!r}; it has {listed}")
        seed = int(given) if given else seeds[0]
        folder = space / "runs" / model / str(seed)
        missing = [part for part in CHECKPOINT if not (folder / part).is_file()]
        if missing:
            raise DataError(
                f"{folder}: no checkpoint here ({missing[0]} is missing); train it first: "
                f"snakemake --cores 2 {folder / CHECKPOINT[0]}"
            )
        return cls(config, model, seed, folder, _settings(folder), data, space)

    @property
    def name(self) -> str:
        """``MODEL/SEED``."""
        return f"{self.model}/{self.seed}"

    @property
    def kinds(self) -> list[str]:
        """The similarities that it can be searched by; the first is the usual one."""
        return self.settings.scored_by

    @property
    def starts_from(self) -> Start:
        """What the model is given."""
        return self.settings.starts_from

    @property
    def manifest(self) -> Path:
        """Table of the items."""
        return self.data / "manifest.parquet"

    @property
    def captions(self) -> Path:
        """Table of the captions."""
        return self.data / "captions.parquet"

    @property
    def item_store(self) -> Path:
        """Store of what the model is given of an item."""
        start = self.starts_from
        if start == "embeddings":
            return self.space / "embeddings/items.h5"
        return self.space / "features" / f"{'pooled' if start == 'features' else start}.h5"

    @property
    def caption_store(self) -> Path:
        """Store of what the model is given of a caption."""
        if self.reads_words:
            return self.data / "words.h5"
        folder = "embeddings" if self.starts_from == "embeddings" else "features"
        return self.space / folder / "captions.h5"

    @property
    def reads_words(self) -> bool:
        """Whether it reads captions word by word."""
        return self.starts_from in ("regions", "frames")

    @property
    def alignment(self) -> Path:
        """The maps from the encoders' features to the space that `embeddings` are in."""
        return self.space / "embeddings/alignment.safetensors"

    @property
    def vocabulary(self) -> Path:
        """The words that captions are made of."""
        return self.data / "vocabulary.json"

    @property
    def encoders_given(self) -> bool:
        """Whether the features came with the data set, so that there is no encoder to ask."""
        return self.config.encoder.given

    @property
    def root(self) -> Path:
        """Folder that the items' files lie in."""
        return Path(self.config.data.root)


def _is_run(folder: Path) -> bool:
    return folder.is_dir() and all((folder / part).is_file() for part in CHECKPOINT)


def _known(config: Config, model: str) -> str:
    if model not in config.entries:
        raise ConfigError(f"unknown run {model!r}; {suggest(model, config.models)}")
    return model


def _check_place(config: Config, folder: Path) -> None:
    """A run lies in DATA/ENCODER/runs/MODEL/SEED, of the configuration's data and encoder."""
    parts = folder.parts
    if len(parts) < 5 or parts[-3] != "runs" or not parts[-1].isdigit():
        raise ConfigError(
            f"{folder}: not the folder of a run, which is .../DATA/ENCODER/runs/MODEL/SEED"
        )
    found, asked = parts[-5:-3], (config.data.name, config.encoder.name)
    if found != asked:
        raise ConfigError(
            f"{folder}: a run on {'/'.join(found)}, but the configuration is of {'/'.join(asked)}; "
            "name its own with --configfile"
        )


def _of_folder(folder: Path) -> tuple[Path, ModelSettings, Path, Path]:
    space = folder.resolve().parents[2]
    return folder, _settings(folder), space.parent, space


def _settings(folder: Path) -> ModelSettings:
    try:
        raw = json.loads((folder / "settings.json").read_text(encoding="utf-8"))["settings"]
        return families()[raw["family"]].model_validate(raw)
    except (ValueError, KeyError, TypeError) as error:
        first = str(error).partition("\n")[0]
        raise DataError(
            f"{folder}: broken settings.json ({first}); delete the run and train it again"
        ) from error
