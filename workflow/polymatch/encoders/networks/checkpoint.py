"""Where the files of a model lie: in a local folder, or at one commit of the model hub.

A model on the hub is named with a commit, so that it is the same next year, and is fetched only
when that is asked for. Weights are safetensors; pickled ones are neither fetched nor read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polymatch.encoders.base import LoadOptions
from polymatch.errors import ConfigError, DataError

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "README.md"]
_PICKLED = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}


@dataclass(frozen=True)
class Pinned:
    """A model of the hub whose commit this project knows: its size there, and its licence."""

    revision: str
    size: str
    licence: str


@dataclass(frozen=True)
class Checkpoint:
    """The files of a model.

    Attributes:
        name: as the user wrote it, for messages and prompts.
        revision: model@commit, or a local folder's name and the SHA-256 of its weights.
        sha256: of each file of weights of a local folder; empty where a commit pins them.
    """

    name: str
    folder: Path
    revision: str
    licence: str
    sha256: Mapping[str, str] = field(default_factory=dict)


def find_checkpoint(
    encoder: str, options: LoadOptions, default: str, pinned: Mapping[str, Pinned]
) -> Checkpoint:
    """The files of ``options.model``, or of ``default``; from the hub if they may be fetched.

    Args:
        encoder: name for messages.
        pinned: commits of models that need no ``options.revision``.

    Raises:
        ConfigError: a model of the hub has no commit to stand on, or a local one has.
        DataError: the files are not there, cannot be fetched, or hold no safetensors.
    """
    model = options.model or default
    local = Path(model).expanduser()
    if local.is_dir():
        return _local(encoder, local, options)
    if local.is_file():
        raise ConfigError(f"encoder {encoder}: {model} is a file; name the folder that holds it")
    if not _HUB_NAME.fullmatch(model):
        raise DataError(f"encoder {encoder}: {model}: no such folder")
    known = pinned.get(model)
    revision = options.revision or (known.revision if known else None)
    if revision is None:
        raise ConfigError(
            f"encoder {encoder}: {model!r} is no folder here, and as a name on the model hub it "
            f"needs `revision`: the commit that `git ls-remote https://huggingface.co/{model} HEAD`"
            " prints"
        )
    if not _COMMIT.fullmatch(revision):
        raise ConfigError(
            f"encoder {encoder}: revision {revision!r} of {model} is no commit (40 digits 0-9a-f); "
            f"`git ls-remote https://huggingface.co/{model} {revision}` prints it"
        )
    size = f", {known.size}" if known and known.revision == revision else ""
    folder = _snapshot(encoder, model, revision, size, options.download)
    weight_files(folder)
    licence = known.licence if known else _licence(folder)
    return Checkpoint(model, folder, f"{model}@{revision}", licence)


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a model's weights, by name; one, or those that an index lists.

    Raises:
        DataError: there are none, some are missing, or they are pickled.
    """
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.is_file():
        return [whole]
    if index.is_file():
        try:
            names = sorted(
                set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            )
        except (ValueError, KeyError, AttributeError) as error:
            raise DataError(f"{index}: no index of weights ({error}); fetch it again") from error
        missing = [name for name in names if not (folder / Path(name).name).is_file()]
        if missing:
            raise DataError(
                f"{folder}: {len(missing)} of {len(names)} files of weights are missing "
                f"({missing[0]}, ...); fetch the model again"
            )
        return [folder / Path(name).name for name in names]
    pickled = sorted(p.name for p in folder.iterdir() if p.suffix in _PICKLED)
    if pickled:
        raise DataError(
            f"{folder}: the weights are pickled ({pickled[0]}), which can run any program, so they "
            "are not read; take a revision with model.safetensors, or convert them where you trust "
            "their source (`save_pretrained` writes safetensors)"
        )
    raise DataError(f"{folder}: no model.safetensors and no index of several")


def _local(encoder: str, folder: Path, options: LoadOptions) -> Checkpoint:
    if options.revision is not None:
        raise ConfigError(
            f"encoder {encoder}: {folder} is a local folder, which has no `revision`; take it out"
        )
    sums = {}
    for path in weight_files(folder):
        with path.open("rb") as file:
            sums[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    one = next(iter(sums.values()))
    if len(sums) > 1:  # the sum of all is that of the list that `sha256sum` prints
        listed = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
        one = hashlib.sha256(listed.encode()).hexdigest()
    revision = f"{folder.resolve().name}, SHA-256 {one}"
    return Checkpoint(str(folder), folder, revision, _licence(folder), sums)


def _snapshot(encoder: str, model: str, revision: str, size: str, download: bool) -> Path:
    """The files of a commit, from the hub's cache if they are there; nothing else is asked for."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    what = f"encoder {encoder}: the weights of {model} (revision {revision}{size})"
    by_hand = (
        f"run `hf download {model} --revision {revision} --local-dir FOLDER` where there is a "
        "network and name that folder as `model`"
    )
    wanted: dict[str, Any] = {
        "repo_id": model,
        "revision": revision,
        "allow_patterns": _WANTED,
        "ignore_patterns": ["*/*"],  # other formats and adapters lie in folders
    }
    offline = constants.HF_HUB_OFFLINE
    try:
        cached = Path(snapshot_download(**wanted, local_files_only=True))
        if offline or not download or _has_weights(cached):
            return cached
    except LocalEntryNotFoundError:
        if not download:
            raise DataError(
                f"{what} are not on this machine; set `download: true`, or {by_hand}"
            ) from None
        if offline:
            raise DataError(
                f"{what} are not on this machine, and HF_HUB_OFFLINE forbids to fetch them; "
                f"unset it, or {by_hand}"
            ) from None
    try:
        return Path(snapshot_download(**wanted))
    except Exception as error:  # whatever a network and a disk can do to it
        cause = " ".join(str(error).split())[:200]
        raise DataError(
            f"{what} could not be fetched ({cause}); try again, or {by_hand}"
        ) from error


def _has_weights(folder: Path) -> bool:
    try:
        return bool(weight_files(folder))
    except DataError:
        return False


def _licence(folder: Path) -> str:
    """What the model card says, if it says."""
    from huggingface_hub import ModelCard

    unknown = "not stated beside the weights; ask where they came from"
    if not (folder / "README.md").is_file():
        return unknown
    try:
        found = ModelCard.load(folder / "README.md").data.license
    except Exception:  # a card is written by hand, and nothing here stands on it
        found = None
    return f"{found} (its model card)" if found else unknown
