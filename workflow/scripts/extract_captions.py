"""Run the frozen encoder over the captions and write its features."""

from pathlib import Path

import torch

from arguments import parser, section
from encoder_arguments import add_loading, loaded
from polymatch.data.captions import select_kinds
from polymatch.data.shards import shard_of
from polymatch.data.tables import read_table
from polymatch.encoders.extract import extract_captions
from polymatch.errors import one_line_errors
from polymatch.settings.encoder import EncoderSettings


def main() -> None:
    args = parser(__doc__)
    args.add_argument("--dataset", required=True, help="name of the data set")
    args.add_argument("--kinds", nargs="+", required=True, help="kinds of caption to encode")
    args.add_argument("--encoder", type=section(EncoderSettings), required=True)
    args.add_argument("--captions", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True, help="HDF5 to write")
    add_loading(args)
    given = args.parse_args()
    torch.set_num_threads(given.threads)
    captions = select_kinds(read_table(given.captions, "captions"), given.kinds)
    rows = shard_of(len(captions), given.shard, given.shards, "encoder.shards", "captions")
    extract_captions(
        captions.iloc[rows],
        loaded(given, "captions"),
        given.out,
        {"dataset": given.dataset, "command": "extract_captions"},
    )


if __name__ == "__main__":
    with one_line_errors():
        main()
