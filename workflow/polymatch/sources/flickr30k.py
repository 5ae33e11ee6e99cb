"""Flickr30K: 29,000 / 1,014 / 1,000 pictures with five sentences each, by Karpathy's split.

Source: Young et al., From Image Descriptions to Visual Denotations, TACL 2014. Below ``data.root``
lie ``caption_datasets/dataset_flickr30k.json`` (:mod:`.karpathy`) and ``flickr30k-images/``.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from polymatch.data.remote import RemoteFile, Unpacked
from polymatch.settings.stages import DataSettings
from polymatch.sources.info import SourceInfo
from polymatch.sources.karpathy import captions_file, karpathy_file, read_karpathy
from polymatch.sources.raw_files import text

INFO = SourceInfo(
    name="flickr30k",
    title="Flickr30K's pictures with five sentences each",
    licence="LicenseRef-Flickr-terms-of-use",
    citation="Young et al., From Image Descriptions to Visual Denotations, TACL 2014; split: "
    "Karpathy and Fei-Fei, Deep Visual-Semantic Alignments, CVPR 2015",
    revision="as given",
    url="https://shannon.cs.illinois.edu/DenotationGraph/",
)

PICTURES = "flickr30k-images"
NAME = "dataset_flickr30k.json"


def read(data: DataSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the pictures and their sentences; a picture's id is its name without suffix.

    Raises:
        DataError: the file of sentences is missing or broken, or an id comes twice.
    """
    return read_karpathy(karpathy_file(Path(data.root), NAME), _named)


def input_files(data: DataSettings) -> list[Path]:
    """The files that say what there is; DataError if one is missing."""
    return [karpathy_file(Path(data.root), NAME)]


def protocol(data: DataSettings) -> str:
    """The name of what is asked for.

    >>> protocol(DataSettings(source="flickr30k"))
    'Karpathy, all captions'
    """
    return "Karpathy, all captions"


def remote_files(data: DataSettings) -> list[RemoteFile]:
    """All that :func:`read` and the pictures' encoder read."""
    pictures = RemoteFile(
        name=f"{PICTURES}.tar.gz",
        urls=(),
        bytes=None,
        sha256=None,
        about="31,783 pictures; their owners send a link to who fills in the form at "
        "https://shannon.cs.illinois.edu/DenotationGraph/",
        licence="LicenseRef-Flickr-terms-of-use",
        unpacked=Unpacked(PICTURES, 6_000_000_000, strip=f"{PICTURES}/"),
    )
    captions = captions_file(
        NAME,
        "dataset_flickr32k.json",
        111_042_326,
        "64c85af0e9d187091cb88890e56b3f640ac48386196a930d3ff8433d73165135",
    )
    return [captions, pictures]


def _named(record: dict[str, Any], where: str) -> tuple[str, str]:
    name = text(record, "filename", where)
    return PurePosixPath(name).stem, f"{PICTURES}/{name}"
