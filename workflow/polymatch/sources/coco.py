"""COCO's pictures with captions, by Karpathy's split of 2014 or by COCO's own lists of 2017.

Source: Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014; Chen et al., Microsoft
COCO Captions, 2015. Below ``data.root`` lie ``train2014/`` and ``val2014/`` with
``caption_datasets/dataset_coco.json`` (:mod:`.karpathy`), or ``train2017/`` and ``val2017/`` with
``annotations_trainval2017/captions_{train,val}2017.json``.

An item's id is COCO's of the picture, a caption's that of the annotation, both without zeros in
front, so that COCO's instances (PMRP), ECCV Caption and CxC name the same. A few pictures have six
or seven captions; the field's figures on 5,000 pictures of test are of five each (25,000), and so
is what is asked for here, unless `data.coco.test_sentences` says otherwise. All are trained on.

Deviation: who uses 2017 mostly validates and tests on val2017; here it is test alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from polymatch.data.remote import RemoteFile
from polymatch.settings.coco import CocoSettings
from polymatch.settings.stages import DataSettings
from polymatch.sources.coco_2017 import caption_lists, read_2017
from polymatch.sources.coco_remote import OF_2014, OF_2017
from polymatch.sources.info import SourceInfo
from polymatch.sources.karpathy import captions_file, karpathy_file, read_karpathy
from polymatch.sources.raw_files import identifier, text

INFO = SourceInfo(
    name="coco",
    title="COCO's pictures with five captions each",
    licence="CC-BY-4.0 AND LicenseRef-Flickr-terms-of-use",
    citation="Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014; Chen et al., "
    "Microsoft COCO Captions, 2015; split: Karpathy and Fei-Fei, CVPR 2015",
    revision="as given",
    url="https://cocodataset.org",
)

NAME = "dataset_coco.json"


def read(data: DataSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the pictures of the configured split and their captions, in the order of the files.

    Raises:
        DataError: a file of captions is missing or broken, or an id comes twice.
    """
    settings, root = _settings(data), Path(data.root)
    asked = 5 if settings.test_sentences == "five" else None
    if settings.split == "2017":
        return read_2017(root, data.val_share, asked)
    left_out = () if settings.restval else ("restval",)
    return read_karpathy(karpathy_file(root, NAME), _named, left_out, asked)


def input_files(data: DataSettings) -> list[Path]:
    """The files that say what there is; DataError if one is missing."""
    root = Path(data.root)
    if _settings(data).split == "2017":
        return list(caption_lists(root))
    return [karpathy_file(root, NAME)]


def protocol(data: DataSettings) -> str:
    """The name of the split and of what is asked for.

    >>> protocol(DataSettings(source="coco"))
    'Karpathy, first five captions'
    """
    settings = _settings(data)
    split = "2017" if settings.split == "2017" else "Karpathy"
    if settings.split == "karpathy" and not settings.restval:
        split += " without restval"
    return f"{split}, {'first five' if settings.test_sentences == 'five' else 'all'} captions"


def remote_files(data: DataSettings) -> list[RemoteFile]:
    """All that the configured split and PMRP read."""
    if _settings(data).split == "2017":
        return list(OF_2017)
    captions = captions_file(
        NAME,
        NAME,
        408_860_810,
        "af76e819987c9ced8452fdb4da823524e033f7baa097cf40bab83bdab4c469ea",
    )
    return [captions, *OF_2014]


def _settings(data: DataSettings) -> CocoSettings:
    return data.coco or CocoSettings()


def _named(record: dict[str, Any], where: str) -> tuple[str, str]:
    folder, name = text(record, "filepath", where), text(record, "filename", where)
    return identifier(record, "cocoid", where), f"{folder}/{name}"
