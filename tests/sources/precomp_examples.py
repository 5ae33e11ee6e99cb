"""SCAN's precomputed sets in small, as upstream writes them, and what the source makes of them."""

from __future__ import annotations

import numpy as np

from polymatch.data import FeatureStore, build_manifest
from polymatch.settings.stages import DataSettings
from polymatch.sources import given_stores, read_source, scan_precomp

REGIONS, WIDTH, PER_IMAGE = 3, 5, 5
ABOUT = {"encoder": "butd", "dataset": "few", "command": "test"}
# images of each split; whether its array has a row a caption, as upstream in all but train
SPLITS = {"train": (8, False), "dev": (3, True), "test": (4, True)}
FIRST_ID = {"train": 100, "dev": 500, "test": 900, "testall": 900}


def regions(name, images):
    """Regions [images, R, F] of a split, the same every time."""
    random = np.random.default_rng(FIRST_ID.get(name, 7))
    return random.standard_normal((images, REGIONS, WIDTH)).astype(np.float32)


def write(root, name, images, repeated, ids="caption", dtype=np.float32):
    """Files of one split; ``ids``: a line for each ``caption`` or ``image``, None for no file."""
    root.mkdir(parents=True, exist_ok=True)
    array = regions(name, images).astype(dtype)
    np.save(root / f"{name}_ims.npy", array.repeat(PER_IMAGE, 0) if repeated else array)
    numbers = range(FIRST_ID[name], FIRST_ID[name] + images)
    lines = [f"A picture of {image}, said {k} times ." for image in numbers for k in range(5)]
    (root / f"{name}_caps.txt").write_bytes("".join(f"{line}\n" for line in lines).encode())
    if ids:
        named = [image for image in numbers for _ in range(PER_IMAGE if ids == "caption" else 1)]
        (root / f"{name}_ids.txt").write_text("".join(f"{image}\n" for image in named))


def write_all(root, **changes):
    for name, (images, repeated) in SPLITS.items():
        write(root, name, images, repeated, **changes)
    return root


def data(root, precomp=None, **changes):
    raw = {"name": "few", "source": "scan_precomp", "root": str(root), "precomp": precomp or {}}
    return DataSettings.model_validate(raw | changes)


def prepared(settings):
    return build_manifest(
        *read_source(settings), settings.root, settings.on_bad_item, pictures=False
    )


def imported(settings, folder):
    """Tables, the store of regions, and the items that were left out as they were written."""
    tables = prepared(settings)
    stores = {name: folder / f"{name}.h5" for name in given_stores(settings)}
    problems = scan_precomp.write_features(
        settings, tables.manifest, tables.captions, stores, ABOUT
    )
    return tables, FeatureStore(stores["regions"]), problems
