"""MSR-VTT: 10,000 clips of YouTube with 20 sentences each, by 1K-A or by the official split.

Source: Xu et al., MSR-VTT: A Large Video Description Dataset for Bridging Video and Language, CVPR
2016. Below ``data.root`` lie ``msrvtt_data/`` as CLIP4Clip packs it (annotation and lists), or the
two files of the release, and ``videos/all/video*.mp4`` as Frozen in Time packs them.

A test clip of 1K-A has the one sentence of its list (:mod:`.msrvtt_lists`), which for 32 of the
1,000 is not quite one of the annotation's; its id is the list's ``key``, that of every other
sentence its ``sen_id``.

Clips are cut from longer videos, which `url` names. No video has clips in two official splits. The
9k list, though, has 415 clips of 341 videos that 372 of the 1,000 test clips are cut from too: it
is used as published, and a group that its lists part is a group in each split. Take the 7k list to
have none.

Deviation: the published codes choose the epoch on test. Here 1K-A's val is cut from train: whole
videos, `data.val_share` of those that test has no clip of, whose names hash lowest.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from polymatch.data.remote import RemoteFile
from polymatch.errors import ConfigError, DataError
from polymatch.settings.msrvtt import MsrvttSettings
from polymatch.settings.stages import DataSettings
from polymatch.sources.given_arrays import lowest
from polymatch.sources.info import SourceInfo
from polymatch.sources.msrvtt_annotation import (
    SPLITS,
    Annotation,
    Sentence,
    annotation_files,
    read_annotation,
)
from polymatch.sources.msrvtt_lists import (
    PINS,
    read_test_list,
    read_train_list,
    refuse_leak,
    refuse_other_clips,
    test_list,
    train_list,
)
from polymatch.sources.msrvtt_remote import FILES
from polymatch.sources.raw_tables import RawTables

INFO = SourceInfo(
    name="msrvtt",
    title="MSR-VTT's clips with 20 sentences each",
    licence="LicenseRef-none-stated",
    citation="Xu et al., MSR-VTT: A Large Video Description Dataset for Bridging Video and "
    "Language, CVPR 2016; 1K-A: Yu et al., A Joint Sequence Fusion Model, ECCV 2018",
    revision="1.0 (2016)",
    url="https://www.microsoft.com/en-us/research/publication/"
    "msr-vtt-a-large-video-description-dataset-for-bridging-video-and-language/",
)

VIDEOS = "videos/all"


def read(data: DataSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the clips of the configured split and their sentences.

    Raises:
        ConfigError: no clip is left for train, or none can be val.
        DataError: a file is missing or broken, a list is not the published one, has a clip in
            train and test, or more than one sentence a test clip; see :mod:`.msrvtt_lists`.
    """
    settings, root = _settings(data), Path(data.root)
    annotation = read_annotation(root)
    if settings.split == "official":
        split_of = _official(annotation, settings)
        asked: dict[str, Sentence] = {}
        listed = {clip: annotation.clips[clip].where for clip in split_of}
    else:
        split_of, listed, asked = _one_k(root, annotation, settings, data.val_share)
    tables = RawTables()
    groups = _groups(annotation, split_of)
    for clip, split in split_of.items():
        problem = ""
        if clip not in annotation.clips:
            problem = f"{listed[clip]}: clip {clip!r} is none of the annotation's; take it out"
        path = f"{VIDEOS}/{clip}.mp4"
        tables.add_item(clip, path, split, groups[clip], listed[clip], problem)
    for clip, split in split_of.items():
        which = settings.train_sentences if split == "train" else settings.asked
        own = [asked[clip]] if clip in asked else annotation.of(clip, which)
        for one in own:
            tables.add_caption(one.caption_id, clip, one.text, one.where)
    for clip, one in annotation.strangers():
        tables.add_caption(one.caption_id, clip, one.text, one.where, one.problem)
    return tables.frames(data.frames)


def input_files(data: DataSettings) -> list[Path]:
    """The files that say what there is; DataError if one is missing."""
    settings, root = _settings(data), Path(data.root)
    files = annotation_files(root)
    if settings.split == "1k-a":
        files += [test_list(root), train_list(root, settings.train)]
    return files


def protocol(data: DataSettings) -> str:
    """The name of the split and of what is asked for.

    >>> protocol(DataSettings(source="msrvtt"))
    '1K-A (9k), one sentence a clip'
    """
    settings = _settings(data)
    split = "official" if settings.split == "official" else f"1K-A ({settings.train})"
    own = ", own lists" if settings.lists == "own" else ""
    asked = "one sentence a clip" if settings.asked == "one" else "all sentences"
    trained = ", trained on one" if settings.train_sentences == "one" else ""
    return f"{split}{own}, {asked}{trained}"


def remote_files(data: DataSettings) -> list[RemoteFile]:
    """All that :func:`read` and the clips' encoder read."""
    return list(FILES)


def _settings(data: DataSettings) -> MsrvttSettings:
    return data.msrvtt or MsrvttSettings()


def _official(annotation: Annotation, settings: MsrvttSettings) -> dict[str, str]:
    """The official split of each clip."""
    split_of = {}
    for clip, about in annotation.clips.items():
        if about.split not in SPLITS:
            raise DataError(
                f"{about.where}: split {about.split!r} of {clip!r} is unknown (known: "
                f"{', '.join(SPLITS)}); take the annotation with its splits"
            )
        split_of[clip] = SPLITS[about.split]
    if settings.lists == "pinned":
        for split in ("train", "val", "test"):
            places = {
                clip: annotation.clips[clip].where for clip, s in split_of.items() if s == split
            }
            refuse_other_clips(
                places,
                annotation.paths[-1 if split == "test" else 0],
                PINS[f"official {split}"],
                "take the annotation as it was released, or set `data.msrvtt.lists` to 'own'",
            )
    return split_of


def _one_k(
    root: Path, annotation: Annotation, settings: MsrvttSettings, val_share: float
) -> tuple[dict[str, str], dict[str, str], dict[str, Sentence]]:
    """1K-A: the split of each clip, its place in its list, and the sentences of test."""
    test_path, train_path = test_list(root), train_list(root, settings.train)
    asked, train = read_test_list(test_path), read_train_list(train_path)
    places = {clip: sentence.where for clip, sentence in asked.items()}
    if settings.lists == "pinned":
        refuse_other_clips(places, test_path, PINS["test"])
    refuse_leak(asked, train)
    if settings.lists == "pinned":
        refuse_other_clips(train, train_path, PINS[settings.train])
    tested = {_source(annotation, clip) for clip in asked}
    free = list(dict.fromkeys(_source(annotation, clip) for clip in train))
    free = [source for source in free if source not in tested]
    val = lowest(free, val_share) if free else set()
    split_of = {
        clip: "val" if _source(annotation, clip) in val else "train" for clip in train
    } | dict.fromkeys(asked, "test")
    if not val or "train" not in split_of.values():
        raise ConfigError(
            f"data.val_share: {val_share} of the {len(free)} videos of {train_path} that test has "
            f"no clip of leaves {'no train' if val else 'no val'}; change it or the list"
        )
    return split_of, {**train, **places}, asked


def _source(annotation: Annotation, clip: str) -> str:
    about = annotation.clips.get(clip)
    return about.source if about else clip


def _groups(annotation: Annotation, split_of: dict[str, str]) -> dict[str, str]:
    """The group of each clip: the video it is cut from, in each split that the lists put it in."""
    splits: dict[str, set[str]] = {}
    for clip, split in split_of.items():
        splits.setdefault(_source(annotation, clip), set()).add(split)
    groups = {}
    for clip, split in split_of.items():
        source = _source(annotation, clip)
        groups[clip] = source if len(splits[source]) == 1 else f"{source} ({split})"
    return groups
