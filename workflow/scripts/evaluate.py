"""Turn a similarity matrix into metrics with intervals, and ranks for paired tests."""

import json
from pathlib import Path

import numpy as np

from arguments import add_tables, parser, section
from polymatch.data.splits import SplitReader
from polymatch.errors import one_line_errors
from polymatch.evaluation import bootstrap_intervals, metrics_of, retrieval_ranks
from polymatch.files import written_atomically
from polymatch.settings.stages import EvaluationSettings


def main() -> None:
    args = parser(__doc__)
    add_tables(args)
    args.add_argument("--evaluation", type=section(EvaluationSettings), required=True)
    args.add_argument("--items", type=Path, required=True, help="item embeddings, HDF5")
    args.add_argument("--similarity", type=Path, required=True, help=".npy, items x captions")
    args.add_argument("--metrics", type=Path, required=True, help="JSON to write")
    args.add_argument("--ranks", type=Path, required=True, help="Parquet to write")
    given = args.parse_args()
    data, evaluation = given.data, given.evaluation
    splits = SplitReader.open(data, given.manifest, given.captions, given.items, Path())
    items, queries = splits.gallery("test", data.test_captions)
    ranks = retrieval_ranks(
        np.load(given.similarity, mmap_mode="r"), items, queries.positives, threads=given.threads
    )
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
