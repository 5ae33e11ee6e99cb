"""Turn a similarity matrix into metrics with intervals, and ranks for paired tests."""

import json
from pathlib import Path

import numpy as np

from arguments import add_tables, parser, section
from polymatch.data.annotations import read_cxc, read_eccv
from polymatch.data.captions import caption_columns
from polymatch.data.categories import category_codes
from polymatch.data.semantic_store import read_semantics
from polymatch.data.splits import SplitReader
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors
from polymatch.evaluation import bootstrap_intervals, judged_ranks, metrics_of
from polymatch.evaluation.annotated import add_annotated
from polymatch.files import written_atomically
from polymatch.settings.stages import EvaluationSettings


def main() -> None:
    args = parser(__doc__)
    add_tables(args)
    args.add_argument("--evaluation", type=section(EvaluationSettings), required=True)
    args.add_argument("--items", type=Path, required=True, help="item embeddings, HDF5")
    args.add_argument("--similarity", type=Path, required=True, help=".npy, items x captions")
    args.add_argument("--semantic", type=Path, help=".npz, for average semantic precision")
    args.add_argument("--categories", type=Path, help="Parquet, for plausible-match R-precision")
    args.add_argument("--metrics", type=Path, required=True, help="JSON to write")
    args.add_argument("--ranks", type=Path, required=True, help="Parquet to write")
    given = args.parse_args()
    data, evaluation = given.data, given.evaluation
    splits = SplitReader.open(data, given.manifest, given.captions, given.items, Path())
    items, queries = splits.gallery("test", data.test_captions)
    similarity = np.load(given.similarity, mmap_mode="r")
    semantic = given.semantic and read_semantics(given.semantic, items, queries.texts)
    categories = given.categories and read_table(given.categories, "categories")
    ranks = judged_ranks(
        similarity,
        items,
        queries.positives,
        semantic=semantic,
        category_codes=None if categories is None else category_codes(categories, items),
        folds=evaluation.folds,
        threads=given.threads,
    )
    answers = {
        "eccv": evaluation.eccv and read_eccv(evaluation.eccv),
        "cxc": evaluation.cxc and read_cxc(evaluation.cxc),
    }
    columns = caption_columns(splits.captions, queries, items) if any(answers.values()) else {}
    ranks = add_annotated(ranks, similarity, answers, items, columns, threads=given.threads)
    intervals = bootstrap_intervals(
        ranks,
        evaluation.k,
        evaluation.resamples,
        evaluation.seed,
        measures=evaluation.metrics,
    )
    ranks.save(given.ranks)
    metrics = metrics_of(ranks, evaluation.k, evaluation.metrics)
    record = {"metrics": metrics, "intervals": intervals}
    record |= {"n_items": len(items), "n_captions": len(queries.texts)}
    with written_atomically(given.metrics) as path:
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with one_line_errors():
        main()
