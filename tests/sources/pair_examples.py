"""Files of pre-encoded pairs as upstream writes them, and what the source makes of them."""

from __future__ import annotations

import json

import torch

from polymatch.data import FeatureStore, build_manifest
from polymatch.settings.stages import DataSettings
from polymatch.sources import encoded_pairs, read_source

IMAGE, TEXT = "train2017_image_embeddings.pt", "train2017_text_embeddings.pt"
WIDTHS = (6, 4)
ABOUT = {"encoder": "siglip2_e5", "dataset": "few", "command": "test"}
# images and captions of each, first image id
RAW = {"train2017": (20, 3, 100), "val2017": (5, 2, 900)}
SPLIT = {"train": (12, 3, 100), "val": (5, 2, 900), "test": (4, 3, 500)}


def write(root, name, images, captions, first, dtype=torch.float32, words=True, metadata=None):
    """Files of one name: ``captions`` rows for each of ``images`` images."""
    random = torch.Generator().manual_seed(first)
    unique = torch.randn(images, WIDTHS[0], generator=random)
    ids = [first + row for row in range(images) for _ in range(captions)]
    repeated = torch.zeros(len(ids), WIDTHS[0])  # upstream fills an array of float32
    repeated[:] = unique.repeat_interleave(captions, 0)
    texts = torch.randn(len(ids), WIDTHS[1], generator=random).to(dtype)
    torch.save(repeated, root / f"{name}_image_embeddings.pt")
    torch.save(texts, root / f"{name}_text_embeddings.pt")
    about = {"dataset_name": name, "total_pairs": len(ids), "image_ids": ids}
    if words:
        about |= {
            "captions": [f"a picture of {row}" for row in range(first, first + len(ids))],
            "caption_indices": [row % captions for row in range(len(ids))],
            "image_paths": [f"{name}/{image:012}.jpg" for image in ids],
            "image_model": "google/siglip2-giant-opt-patch16-256",
            "text_model": "intfloat/e5-mistral-7b-instruct",
        }
    path = root / f"{metadata or name}_metadata.json"
    path.write_text(json.dumps(about, indent=2), encoding="utf-8")


def data(root, pairs=None, **changes):
    raw = {"name": "few", "source": "encoded_pairs", "root": str(root)}
    pairs = {"train": "train2017", "val": "val2017"} if pairs is None else pairs
    return DataSettings.model_validate(raw | {"pairs": pairs} | changes)


def prepared(settings):
    return build_manifest(
        *read_source(settings), settings.root, settings.on_bad_item, pictures=False
    )


def imported(settings, folder):
    tables = prepared(settings)
    stores = {name: folder / "out" / f"{name}.h5" for name in ("pooled", "captions")}
    encoded_pairs.write_features(settings, tables.manifest, tables.captions, stores, ABOUT)
    return tables, FeatureStore(stores["pooled"]), FeatureStore(stores["captions"])
