"""Turn a similarity matrix into metrics with intervals, and ranks for paired tests."""

import json
from pathlib import Path

import numpy as np

from arguments import add_tables, parser, section
from polymatch.data.splits import SplitReader
from polymatch.errors import one_line_errors
from polymatch.evaluation.record import read_evidence, score_matrix
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
    splits = SplitReader.open(given.data, given.manifest, given.captions, given.items, Path())
    items, queries = splits.gallery("test", given.data.test_captions)
    evidence = read_evidence(
        given.evaluation,
        items,
        queries.texts,
        splits.caption_queries("test", given.data.test_captions),
        given.semantic,
        given.categories,
    )
    similarity = np.load(given.similarity, mmap_mode="r")
    scored = score_matrix(
        similarity, items, queries.positives, given.evaluation, evidence, threads=given.threads
    )
    scored.ranks.save(given.ranks)
    with written_atomically(given.metrics) as path:
        path.write_text(json.dumps(scored.record(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with one_line_errors():
        main()
