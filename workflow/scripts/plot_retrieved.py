"""Draw what a run retrieves for a few test queries, failures included."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from arguments import add_tables, parser, section
from polymatch.data import read_thumbnail
from polymatch.data.splits import SplitReader, matched_rows
from polymatch.errors import one_line_errors
from polymatch.evaluation import RetrievalRanks
from polymatch.reporting.figures import save_figure
from polymatch.reporting.retrieved import answers_table, retrieved
from polymatch.reporting.retrieved_figure import THUMBNAIL, retrieved_figure
from polymatch.settings.pictures import PicturesSettings


def main() -> None:
    args = parser(__doc__)
    add_tables(args)
    args.add_argument("--pictures", type=section(PicturesSettings), required=True)
    args.add_argument("--items", type=Path, required=True, help="item embeddings, HDF5")
    args.add_argument("--similarity", type=Path, required=True, help=".npy, items x captions")
    args.add_argument("--ranks", type=Path, required=True, help="Parquet")
    args.add_argument("--title", required=True)
    args.add_argument(
        "--out", type=Path, nargs="+", required=True, help="by suffix: pdf, svg, png, csv"
    )
    given = args.parse_args()
    data, settings = given.data, given.pictures
    splits = SplitReader.open(data, given.manifest, given.captions, given.items, Path())
    items, queries = splits.gallery("test", data.test_captions)
    sheets = retrieved(
        np.load(given.similarity, mmap_mode="r"),
        RetrievalRanks.load(given.ranks),
        matched_rows(items, queries.positives),
        settings.queries,
        settings.seed,
    )
    path_of = splits.manifest.set_index("item_id")["path"]

    @cache
    def picture(item_id: str) -> np.ndarray | None:
        path = path_of[item_id]
        return None if pd.isna(path) else read_thumbnail(Path(data.root) / path, THUMBNAIL)

    answers = answers_table(sheets, queries.texts, items)
    save_figure(retrieved_figure(answers, picture, given.title), given.out, answers, "retrieved")


if __name__ == "__main__":
    with one_line_errors():
        main()
