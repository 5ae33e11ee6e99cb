"""Run the frozen encoder over pictures and clips and write its features."""

from pathlib import Path

import torch

from arguments import parser, section
from encoder_arguments import add_loading, loaded
from polymatch.data.shards import shard_of
from polymatch.data.tables import read_table, write_table
from polymatch.encoders.extract import extract_items
from polymatch.errors import one_line_errors
from polymatch.settings.encoder import EncoderSettings
from polymatch.settings.stages import DataSettings


def main() -> None:
    args = parser(__doc__)
    args.add_argument("--data", type=section(DataSettings), required=True)
    args.add_argument("--encoder", type=section(EncoderSettings), required=True)
    args.add_argument("--manifest", type=Path, required=True)
    args.add_argument(
        "--out",
        type=Path,
        nargs="+",
        required=True,
        help="NAME.h5 of each feature, problems.csv (items left out), silent.csv (without sound)",
    )
    add_loading(args)
    given = args.parse_args()
    torch.set_num_threads(given.threads)
    out = {path.name: path for path in given.out}
    manifest = read_table(given.manifest, "manifest")
    problems = extract_items(
        manifest,
        given.data.root,
        loaded(given, "items"),
        {path.stem: path for path in given.out if path.suffix == ".h5"},
        {"dataset": given.data.name, "command": "extract_items"},
        given.encoder.batch_size,
        given.data.on_bad_item,
        given.encoder.stored,
        rows=shard_of(len(manifest), given.shard, given.shards, "encoder.shards", "items"),
        readers=given.threads,
        silent_path=out.get("silent.csv"),
    )
    write_table(problems, out["problems.csv"], "problems")


if __name__ == "__main__":
    with one_line_errors():
        main()
