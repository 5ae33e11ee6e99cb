"""Put ranks of shares together: metrics with intervals, ranks for paired tests, and curves."""

import json
from pathlib import Path

from arguments import parser
from gallery import add_gallery, read_gallery
from polymatch.data.tables import write_table
from polymatch.errors import one_line_errors
from polymatch.evaluation.query_ranks import RetrievalRanks
from polymatch.evaluation.record import score_ranks
from polymatch.evaluation.shares import merged_ranks
from polymatch.files import written_atomically
from polymatch.reporting.rank_curves import rank_histogram, recall_curve


def main() -> None:
    args = parser(__doc__)
    add_gallery(args)
    args.add_argument("--parts", type=Path, nargs="+", required=True, help="Parquet, in order")
    args.add_argument("--metrics", type=Path, required=True, help="JSON to write")
    args.add_argument("--ranks", type=Path, required=True, help="Parquet to write")
    args.add_argument("--curve", type=Path, required=True, help="CSV to write: R@K over K")
    args.add_argument("--histogram", type=Path, required=True, help="CSV to write: of the ranks")
    given = args.parse_args()
    items, queries = read_gallery(given)
    parts = [RetrievalRanks.load(path) for path in given.parts]
    ranks = merged_ranks(parts, items, given.evaluation.folds)
    scored = score_ranks(ranks, given.evaluation, len(items), len(queries.positives))
    ranks.save(given.ranks)
    with written_atomically(given.metrics) as path:
        path.write_text(json.dumps(scored.record(), indent=1) + "\n", encoding="utf-8")
    curve = recall_curve(scored.ranks, given.evaluation.resamples, given.evaluation.seed)
    write_table(curve, given.curve, "recall_curve")
    write_table(rank_histogram(scored.ranks), given.histogram, "rank_histogram")


if __name__ == "__main__":
    with one_line_errors():
        main()
