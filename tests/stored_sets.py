"""A data set of random features in stores, for tests of what reads it in parts."""

import numpy as np
import pandas as pd

from polymatch.data.features import write_features
from polymatch.data.splits import SplitReader

ATTRIBUTES = {
    "encoder": "e",
    "revision": "1",
    "preprocessing": "p",
    "dataset": "toy",
    "command": "test",
}


def tables(folder, items, captions, widths, seed=0):
    """A data set in files: ``captions`` of train about ``items`` items in any order, 5 of val.

    Some captions read the same; the stores hold more than train, in an order of their own.
    """
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    ids = [f"i{row}" for row in range(items + 5)]
    owner = [*random.integers(0, items, captions), *range(items, items + 5)]
    manifest = pd.DataFrame({"item_id": ids, "split": ["train"] * items + ["val"] * 5})
    table = pd.DataFrame(
        {
            "caption_id": [f"c{row}" for row in range(captions + 5)],
            "item_id": [ids[row] for row in owner],
            "text": [f"text {number}" for number in random.integers(0, 2 * captions, captions)]
            + [f"val {row}" for row in range(5)],
            "kind": "name",
        }
    )
    for name, names, width in (
        ("i.h5", ids, widths[0]),
        ("c.h5", table["caption_id"].tolist(), widths[1]),
    ):
        order = random.permutation(len(names))
        features = random.normal(size=(len(names), width)).astype(np.float32)
        write_features(
            folder / name, [names[row] for row in order], features, attributes=ATTRIBUTES
        )
    reader = SplitReader("toy", manifest, table, folder / "i.h5", folder / "c.h5")
    return reader, [manifest, table]
