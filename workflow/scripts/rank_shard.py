"""Rank a share of the queries by a similarity matrix that lies in shards."""

from pathlib import Path

from arguments import parser
from gallery import add_evidence, add_gallery, evidence, read_gallery
from polymatch.errors import one_line_errors
from polymatch.evaluation.row_shards import RowShards
from polymatch.evaluation.shares import share_of_ranks


def main() -> None:
    args = parser(__doc__)
    add_gallery(args)
    add_evidence(args)
    args.add_argument("--similarity", type=Path, nargs="+", required=True, help=".npy, in order")
    args.add_argument("--shard", type=int, required=True, help="of as many shares, from 0")
    args.add_argument("--out", type=Path, required=True, help="Parquet to write")
    given = args.parse_args()
    items, queries = read_gallery(given)
    share_of_ranks(
        RowShards(given.similarity),
        items,
        queries.positives,
        evidence(given, items, queries),
        given.evaluation.folds,
        share=given.shard,
        shares=len(given.similarity),
        threads=given.threads,
    ).save(given.out)


if __name__ == "__main__":
    with one_line_errors():
        main()
