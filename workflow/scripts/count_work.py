"""Count the items and captions that there are to encode, or to score: what shards are chosen by."""

import json
from pathlib import Path

from arguments import add_tables, parser
from polymatch.data.captions import select_kinds
from polymatch.data.splits import SplitReader
from polymatch.errors import one_line_errors
from polymatch.files import written_atomically


def main() -> None:
    args = parser(__doc__)
    add_tables(args)
    args.add_argument("--items", type=Path, help="item embeddings: count the test split's instead")
    args.add_argument("--out", type=Path, required=True, help="JSON to write")
    given = args.parse_args()
    data, store = given.data, given.items or Path()
    splits = SplitReader.open(data, given.manifest, given.captions, store, Path())
    if given.items:
        items, queries = splits.gallery("test", data.test_captions)
        counts = {"items": len(items), "captions": len(queries.texts)}
    else:
        kinds = sorted({*data.train_captions, *data.test_captions})
        captions = select_kinds(splits.captions, kinds)
        counts = {"items": len(splits.manifest), "captions": len(captions)}
    with written_atomically(given.out) as path:
        path.write_text(json.dumps(counts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with one_line_errors():
        main()
