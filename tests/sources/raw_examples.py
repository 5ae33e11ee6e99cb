"""Raw data sets in small, in the exact formats that upstream ships: MSR-VTT, COCO, Flickr30K.

What they show is in :mod:`.raw_scenes`: captions say it, so that a head can learn them. Sizes are
arguments.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from .raw_scenes import COLOURS, SHAPES, Scene, write_picture, write_video


def write_msrvtt(
    root: Path,
    clips: tuple[int, int, int] = (12, 4, 8),
    test: int = 4,
    sentences: int = 20,
    clips_a_source: int = 2,
    sound_every: int = 3,
    videos: bool = True,
    frames: int = 12,
) -> None:
    """MSR-VTT under ``root``: ``msrvtt_data/`` as CLIP4Clip packs it, the release, ``videos/all``.

    Args:
        clips: of the official train, validate and test; video0, video1, ...
        test: of the last ``clips``, those of 1K-A; the other ones of test are in the 9k list only.
        sentences: of a clip.
        clips_a_source: neighbours that are cut from one video of YouTube.
        sound_every: one clip of so many has a sound track; 0: none has.
    """
    folder, all_clips = root / "msrvtt_data", sum(clips)
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"video{number}" for number in range(all_clips)]
    splits = [
        s for s, n in zip(("train", "validate", "test"), clips, strict=True) for _ in range(n)
    ]
    about = [
        {
            "category": number % 20,
            "url": f"https://www.youtube.com/watch?v=mini{number // clips_a_source:07}",
            "video_id": names[number],
            "start time": 10.5 * (number % clips_a_source),
            "end time": 10.5 * (number % clips_a_source) + frames / 12,
            "split": splits[number],
            "id": number,
        }
        for number in range(all_clips)
    ]
    texts = [Scene(number).sentences(sentences) for number in range(all_clips)]
    said = [
        {"caption": text, "video_id": names[number], "sen_id": number * sentences + place}
        for number, own in enumerate(texts)
        for place, text in enumerate(own)
    ]
    info = {"contributor": "nobody", "year": "2016", "version": "1.0", "description": "in small"}
    write_json(folder / "MSRVTT_data.json", {"info": info, "videos": about, "sentences": said})
    official = sum(clips[:2])
    for name, chosen in {
        "train_val_videodatainfo.json": set(names[:official]),
        "test_videodatainfo.json": set(names[official:]),
    }.items():
        part = {
            "info": info,
            "videos": [one for one in about if one["video_id"] in chosen],
            "sentences": [one for one in said if one["video_id"] in chosen],
        }
        write_json(root / name, part)
    asked = range(all_clips - test, all_clips)
    rows = ["key,vid_key,video_id,sentence"]
    rows += [
        f'ret{row},msr{number},video{number},"{texts[number][row % sentences]}"'
        for row, number in enumerate(asked)
    ]
    write_lines(folder / "MSRVTT_JSFUSION_test.csv", rows)
    write_lines(folder / "MSRVTT_train.9k.csv", ["video_id", *names[: all_clips - test]])
    write_lines(folder / "MSRVTT_train.7k.csv", ["video_id", *names[:official]])
    for number in range(all_clips if videos else 0):
        sound = bool(sound_every) and number % sound_every == 0
        write_video(root / f"videos/all/video{number}.mp4", Scene(number), frames, sound)


def karpathy_image(number: int, split: str, count: int, first: int) -> dict[str, object]:
    """One of ``images`` of Karpathy's files, but for its name; ``first``: its first sentence."""
    sentences = [
        {
            "tokens": text.replace(",", "").split(),
            "raw": f"{text.capitalize()}.",
            "imgid": number,
            "sentid": first + place,
        }
        for place, text in enumerate(Scene(number).sentences(count))
    ]
    sentids = [first + place for place in range(count)]
    return {"sentids": sentids, "imgid": number, "sentences": sentences, "split": split}


def write_coco(
    root: Path,
    train: int = 10,
    restval: int = 4,
    val: int = 4,
    test: int = 6,
    captions: Sequence[int] = (5, 5, 6, 5, 7),
    pictures: bool = True,
) -> None:
    """COCO under ``root``: 2014 with Karpathy's file and the instances, and 2017.

    The same pictures are in both: those of test are val2017, all others train2017.

    Args:
        captions: how many sentences the pictures have, over and over.
    """
    splits = ["train"] * train + ["restval"] * restval + ["val"] * val + ["test"] * test
    images, old, annotations = [], [], []
    new: dict[str, list[dict[str, object]]] = {"train2017": [], "val2017": []}
    said: dict[str, list[dict[str, object]]] = {"train2017": [], "val2017": []}
    first = 1
    for number, split in enumerate(splits):
        cocoid = 1000 + 37 * number
        folder = "train2014" if split == "train" else "val2014"
        name = f"COCO_{folder}_{cocoid:012}.jpg"
        image = karpathy_image(number, split, captions[number % len(captions)], first)
        first += len(image["sentids"])
        images.append({"filepath": folder, **image, "filename": name, "cocoid": cocoid})
        size = {"height": 48, "width": 64, "id": cocoid}
        year = "val2017" if split == "test" else "train2017"
        new[year].append({"license": 3, "file_name": f"{cocoid:012}.jpg", **size})
        said[year] += [
            {"image_id": cocoid, "id": one["sentid"], "caption": one["raw"]}
            for one in image["sentences"]
        ]
        if folder == "val2014":
            old.append({"license": 3, "file_name": name, **size})
            words = Scene(number).words()
            shown = (1 + SHAPES.index(words["shape"]), 11 + list(COLOURS).index(words["colour"]))
            annotations += [
                {
                    "segmentation": [[1.0, 1.0, 9.0, 1.0, 9.0, 9.0]],
                    "area": 32.0,
                    "iscrowd": 0,
                    "image_id": cocoid,
                    "bbox": [1.0, 1.0, 8.0, 8.0],
                    "category_id": category,
                    "id": 10 * number + category,
                }
                for category in shown
            ]
        if pictures:
            for path in (root / folder / name, root / year / f"{cocoid:012}.jpg"):
                write_picture(path, Scene(number))
    named = [*enumerate(SHAPES, start=1), *enumerate(COLOURS, start=11)]
    categories = [{"supercategory": "drawn", "id": key, "name": name} for key, name in named]
    info = {"description": "in small", "year": 2014}
    write_json(root / "caption_datasets/dataset_coco.json", {"images": images, "dataset": "coco"})
    write_json(
        root / "annotations_trainval2014/instances_val2014.json",
        {
            "info": info,
            "images": old,
            "licenses": [],
            "annotations": annotations,
            "categories": categories,
        },
    )
    for year, listed in new.items():
        write_json(
            root / f"annotations_trainval2017/captions_{year}.json",
            {"info": info, "licenses": [], "images": listed, "annotations": said[year]},
        )


def write_flickr30k(
    root: Path, train: int = 10, val: int = 4, test: int = 6, pictures: bool = True
) -> None:
    """Flickr30K under ``root``: Karpathy's file and ``flickr30k-images/``; five sentences each."""
    splits = ["train"] * train + ["val"] * val + ["test"] * test
    images = []
    for number, split in enumerate(splits):
        name = f"{1000092795 + 7919 * number}.jpg"
        images.append({**karpathy_image(number, split, 5, 5 * number), "filename": name})
        if pictures:
            write_picture(root / "flickr30k-images" / name, Scene(number))
    write_json(
        root / "caption_datasets/dataset_flickr30k.json", {"images": images, "dataset": "flickr30k"}
    )


def write_json(path: Path, value: object) -> None:
    """A file as upstream writes it: one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """A text file of ``lines``."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
