"""Turn a similarity matrix into metrics with intervals, ranks for paired tests, and curves."""

import json
from pathlib import Path

import numpy as np

from arguments import parser
from gallery import add_evidence, add_gallery, evidence, read_gallery
from polymatch.data.tables import write_table
from polymatch.errors import one_line_errors
from polymatch.evaluation.record import score_matrix
from polymatch.files import written_atomically
from polymatch.reporting.rank_curves import rank_histogram, recall_curve


def main() -> None:
    args = parser(__doc__)
    add_gallery(args)
    add_evidence(args)
    args.add_argument("--similarity", type=Path, required=True, help=".npy, items x captions")
    args.add_argument("--metrics", type=Path, required=True, help="JSON to write")
    args.add_argument("--ranks", type=Path, required=True, help="Parquet to write")
    args.add_argument("--curve", type=Path, required=True, help="CSV to write: R@K over K")
    args.add_argument("--histogram", type=Path, required=True, help="CSV to write: of the ranks")
    given = args.parse_args()
    items, queries = read_gallery(given)
    scored = score_matrix(
        np.load(given.similarity, mmap_mode="r"),
        items,
        queries.positives,
        given.evaluation,
        evidence(given, items, queries),
        threads=given.threads,
    )
    scored.ranks.save(given.ranks)
    with written_atomically(given.metrics) as path:
        path.write_text(json.dumps(scored.record(), indent=1) + "\n", encoding="utf-8")
    curve = recall_curve(scored.ranks, given.evaluation.resamples, given.evaluation.seed)
    write_table(curve, given.curve, "recall_curve")
    write_table(rank_histogram(scored.ranks), given.histogram, "rank_histogram")


if __name__ == "__main__":
    with one_line_errors():
        main()
