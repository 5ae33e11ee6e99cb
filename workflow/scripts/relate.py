"""Write the semantic similarity of the test items and texts: what ASP compares a ranking with."""

from pathlib import Path

from arguments import add_tables, parser
from polymatch.data.semantic_store import write_semantics
from polymatch.data.semantics import Semantics
from polymatch.data.splits import SplitReader, matched_rows
from polymatch.data.tables import read_table
from polymatch.errors import one_line_errors


def main() -> None:
    args = parser(__doc__)
    add_tables(args)
    args.add_argument("--out", type=Path, required=True, help=".npz to write")
    given = args.parse_args()
    # All items, also those whose pictures were left out later: a reader picks the ones it has.
    manifest, captions = (
        read_table(path, schema)
        for path, schema in ((given.manifest, "manifest"), (given.captions, "captions"))
    )
    splits = SplitReader(given.data.name, manifest, captions, Path(), Path())
    items, queries = splits.gallery("test", given.data.test_captions)
    item_rows, texts = matched_rows(items, queries.positives).T
    matrix = Semantics(queries.texts, item_rows, texts).matrix()
    write_semantics(given.out, matrix, items, queries.texts)
    share = matrix.nnz / (matrix.shape[0] * matrix.shape[1])
    print(f"{matrix.shape[0]} items x {matrix.shape[1]} texts, {share:.1%} have a word in common")


if __name__ == "__main__":
    with one_line_errors():
        main()
