"""One small data set in every layout that the source `custom` knows, in the upstream forms."""

from __future__ import annotations

import csv
import io
import json
import tarfile

import numpy as np
from PIL import Image

from polymatch.data import build_manifest
from polymatch.settings.stages import DataSettings
from polymatch.sources import read_source

COLOURS = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (40, 60, 200)}
SHAPES = ("square", "bar", "frame")


def names(count=24):
    """File names without suffix."""
    return [f"{1000268201 + row}_{row:04x}" for row in range(count)]


def captions_of(row):
    """Two captions that say what is in the picture."""
    colour, shape = list(COLOURS)[row % 3], SHAPES[row // 3 % 3]
    return [f"A {colour} {shape} , number {row} .", f"There is a {shape} that is {colour}"]


def picture(row, size=24):
    """A shape in its colour; no two are alike."""
    colour = list(COLOURS.values())[row % 3]
    pixels = np.full((size, size, 3), 255, dtype=np.uint8)
    shape = SHAPES[row // 3 % 3]
    pixels[6:18, 6:18] = colour
    if shape == "bar":
        pixels[6:18, 10:18] = 255
    elif shape == "frame":
        pixels[9:15, 9:15] = 255
    pixels[:5] = 9 * row % 256, 5 * row % 256, 128  # to be told apart as JPEG, too
    return Image.fromarray(pixels)


def write_pictures(folder, rows, suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        picture(row).save(folder / f"{names(row + 1)[row]}{suffix}")


def write_table(root, count=24, name="captions.csv", header=("path", "caption"), **csv_options):
    """A row a caption; columns of ``header`` by their usual names."""
    write_pictures(root, range(count))
    rows = [
        dict(zip(header, (f"{names(count)[row]}.png", text), strict=True))
        for row in range(count)
        for text in captions_of(row)
    ]
    write_rows(root / name, rows, **csv_options)
    return root


def write_rows(path, rows, **csv_options):
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps(row) + "\n" for row in rows)
            return
        options = {"delimiter": "\t"} if path.suffix == ".tsv" else {}
        writer = csv.DictWriter(file, list(rows[0]), **(options | csv_options))
        writer.writeheader()
        writer.writerows(rows)


def write_folder(root, count=24):
    """A text file beside each picture."""
    write_pictures(root, range(count))
    for row, name in enumerate(names(count)):
        (root / f"{name}.txt").write_text("\n".join(captions_of(row)) + "\n", encoding="utf-8")
    return root


def write_splits(root, count=24, metadata=None):
    """Folders of the splits, with text files or with an imagefolder's table each."""
    for split, rows in split_rows(count).items():
        write_pictures(root / split, rows)
        told = [(f"{names(count)[row]}.png", text) for row in rows for text in captions_of(row)]
        if metadata:
            lines = [{"file_name": name, "text": text} for name, text in told]
            write_rows(root / split / metadata, lines)
        else:
            for row in rows:
                text = "\n".join(captions_of(row))
                (root / split / f"{names(count)[row]}.txt").write_text(text, encoding="utf-8")
    return root


def split_rows(count=24):
    sixth = count // 6
    return {
        "train": range(4 * sixth),
        "val": range(4 * sixth, 5 * sixth),
        "test": range(5 * sixth, count),
    }


def write_flickr8k(root, count=24, lists=True):
    """As Flickr8k_Dataset.zip and Flickr8k_text.zip unpack, with the mistake of the token file."""
    write_pictures(root / "Flicker8k_Dataset", range(count), ".jpg")
    lines = [
        f"{name}.jpg#{number}\t{text}\n"
        for row, name in enumerate(names(count))
        for number, text in enumerate(captions_of(row))
    ]
    lines.insert(7, "2258277193_586949ec62.jpg.1#0\tpeople waiting for the subway\n")
    (root / "Flickr8k.token.txt").write_text("".join(lines), encoding="utf-8")
    upstream = {"train": "train", "val": "dev", "test": "test"}
    for split, rows in split_rows(count).items() if lists else ():
        listed = "".join(f"{names(count)[row]}.jpg\n" for row in rows)
        (root / f"Flickr_8k.{upstream[split]}Images.txt").write_text(listed)
    return root


def write_kaggle8k(root, count=24):
    """Kaggle's copy of Flickr8k: `Images` and `captions.txt`."""
    write_pictures(root / "Images", range(count), ".jpg")
    with (root / "captions.txt").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("image", "caption"))
        writer.writerows(
            (f"{n}.jpg", t) for r, n in enumerate(names(count)) for t in captions_of(r)
        )
    return root


def write_flickr30k(root, count=24):
    """Flickr30K's archive: `flickr30k-images` and the token file."""
    write_pictures(root / "flickr30k-images", range(count), ".jpg")
    lines = [
        f"{name}.jpg#{number}\t{text}\n"
        for row, name in enumerate(names(count))
        for number, text in enumerate(captions_of(row))
    ]
    (root / "results_20130124.token").write_text("".join(lines), encoding="utf-8")
    return root


def write_kaggle30k(root, count=24):
    """Kaggle's copy of Flickr30K, with the row that lacks a `|`."""
    write_pictures(root / "flickr30k_images", range(count), ".jpg")
    lines = ["image_name| comment_number| comment\n"]
    lines += [
        f"{name}.jpg| {number}{'  ' if (row, number) == (4, 1) else '|'} {text}\n"
        for row, name in enumerate(names(count))
        for number, text in enumerate(captions_of(row))
    ]
    (root / "results.csv").write_text("".join(lines), encoding="utf-8")
    return root


def tar_of(path, members):
    """A tar file of (name, bytes or TarInfo)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def sample(row, key, captions="txt"):
    """The members of a sample, as img2dataset writes them."""
    image = io.BytesIO()
    picture(row).save(image, "png")
    about = json.dumps({"key": key, "caption": captions_of(row)[0], "status": "success"})
    members = [(f"{key}.png", image.getvalue()), (f"{key}.json", about.encode())]
    if captions != "json":
        members.append((f"{key}.{captions}", "\n".join(captions_of(row)).encode()))
    return members


def write_shards(root, count=24, captions="txt"):
    """Shards of eight samples in the folder, without splits."""
    for shard, start in enumerate(range(0, count, 8)):
        rows = range(start, min(start + 8, count))
        members = [m for row in rows for m in sample(row, names(count)[row], captions)]
        tar_of(root / f"{shard:05d}.tar", members)
    return root


def data(root, custom=None, **changes):
    raw = {"name": "mine", "source": "custom", "root": str(root), **changes}
    custom = {"unpacked": str(root.parent / f"{root.name}-unpacked")} | (custom or {})
    if custom.get("layout", "auto") not in ("auto", "webdataset"):
        del custom["unpacked"]
    return DataSettings.model_validate(raw | {"custom": custom})


def prepared(settings):
    return build_manifest(*read_source(settings), settings.root, settings.on_bad_item)
