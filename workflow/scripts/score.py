"""Write a run's similarity matrix on the test split, items x captions, or a shard of its rows."""

from pathlib import Path

import torch

from arguments import add_embeddings, parser, reader
from polymatch.data.shards import shard_of
from polymatch.device import pick_device
from polymatch.errors import one_line_errors
from polymatch.files import written_atomically
from polymatch.models import load_model
from polymatch.training.scoring import tile_size, whole_tiles, write_scores


def main() -> None:
    args = parser(__doc__)
    add_embeddings(args)
    args.add_argument("--weights", type=Path, required=True, help="model.safetensors of the run")
    args.add_argument("--kind", required=True, help="which similarity")
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--device", default="auto")
    args.add_argument("--shard", type=int, default=0, help="which of the shards, from 0")
    args.add_argument("--shards", type=int, default=1, help="how many there are")
    given = args.parse_args()
    torch.set_num_threads(given.threads)
    splits, kinds = reader(given), given.data.test_captions
    items, queries = splits.gallery("test", kinds)
    rows = shard_of(len(items), given.shard, given.shards)
    model = load_model(given.weights.parent, pick_device(given.device))
    size = tile_size(model, len(queries.texts))
    read = whole_tiles(rows, size, len(items))
    test = splits.retrieval_set("test", kinds, read)
    with written_atomically(given.out) as path:
        asked = slice(rows.start - read.start, rows.stop - read.start)
        write_scores(path, model, test, given.kind, size, asked)


if __name__ == "__main__":
    with one_line_errors():
        main()
