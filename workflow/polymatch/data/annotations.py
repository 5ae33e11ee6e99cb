"""Right answers that people added to COCO: the files of ECCV Caption and Crisscrossed Captions.

ECCV Caption (Chun et al., ECCV 2022) ships two JSON files, ``eccv_image_to_caption.json`` and
``eccv_caption_to_image.json``, each an object of lists of ids. Crisscrossed Captions (Parekh et
al., EACL 2021) ships CSV files of rated pairs, ``sits_val.csv`` and ``sits_test.csv``; a pair is
right from a rating of 3, as in ECCV Caption's own comparison.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path

from polymatch.data.categories import GROUPS
from polymatch.errors import DataError
from polymatch.settings.judged import JudgedSettings

ECCV_FILES = ("eccv_image_to_caption.json", "eccv_caption_to_image.json")
CXC_RIGHT_FROM = 3.0

Answers = dict[str, list[str]]


def annotation_files(
    settings: JudgedSettings, fetched: Mapping[str, str] | None = None
) -> dict[str, list[str]]:
    """The files that each key of the section `evaluation` names.

    Args:
        fetched: folders that archives are unpacked to, each with the record that is there when
            that is done; a record stands for every file in its folder, which may not be there yet.

    Raises:
        DataError: one of them is not there.
    """
    records = {Path(folder): marker for folder, marker in (fetched or {}).items()}
    folder = settings.eccv
    named = {
        "pmrp": [settings.pmrp] if settings.pmrp not in (None, GROUPS) else [],
        "eccv": [str(Path(folder) / name) for name in ECCV_FILES] if folder else [],
        "cxc": [settings.cxc] if settings.cxc else [],
    }
    for key, paths in named.items():
        for place, path in enumerate(paths):
            inside = next((one for one in records if one in Path(path).parents), None)
            if not Path(path).is_file() and (inside is None or inside.exists()):
                raise DataError(f"{path}: no such file; `evaluation.{key}` names it")
            if inside is not None:
                paths[place] = records[inside]
    return named


def read_eccv(folder: Path | str) -> tuple[Answers, Answers]:
    """Captions by image and images by caption, ids as texts.

    Raises:
        DataError: a file is missing or is not an object of lists of ids.
    """
    captions, images = (_answers(Path(folder) / name) for name in ECCV_FILES)
    return captions, images


def read_cxc(path: Path | str) -> tuple[Answers, Answers]:
    """Captions by image and images by caption of the pairs that are right, ids as texts.

    Raises:
        DataError: the file or a column is missing, or a row is not a rated pair.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; `evaluation.cxc` names it")
    captions: Answers = {}
    images: Answers = {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        missing = {"caption", "image", "agg_score"} - set(rows.fieldnames or ())
        if missing:
            raise DataError(f"{path}: the columns {', '.join(sorted(missing))} are missing")
        for number, row in enumerate(rows, start=1):
            # COCO_val2014:sentid:732091, COCO_val2014_000000365325.jpg
            caption = re.search(r"(\d+)$", row["caption"] or "")
            image = re.search(r"(\d+)\.\w+$", row["image"] or "")
            try:
                right = float(row["agg_score"]) >= CXC_RIGHT_FROM
            except (TypeError, ValueError):
                caption = None
            if caption is None or image is None:
                raise DataError(
                    f"{path}: row {number} is not a rated pair: {row['caption']!r}, "
                    f"{row['image']!r}, {row['agg_score']!r}"
                )
            if right:
                item_id, caption_id = (str(int(found[1])) for found in (image, caption))
                captions.setdefault(item_id, []).append(caption_id)
                images.setdefault(caption_id, []).append(item_id)
    return captions, images


def _answers(path: Path) -> Answers:
    if not path.is_file():
        raise DataError(
            f"{path}: no such file; `evaluation.eccv` names the folder of "
            f"{' and '.join(ECCV_FILES)}"
        )
    try:
        read = json.loads(path.read_bytes())
        return {str(query): [str(answer) for answer in read[query]] for query in read}
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: not an object of lists of ids ({error})") from error
