"""Run the frozen encoder over the pictures and write its features."""

from pathlib import Path

import torch

from arguments import parser, section
from polymatch.data.tables import read_table, write_table
from polymatch.device import pick_device
from polymatch.encoders import load_encoder
from polymatch.encoders.extract import extract_items
from polymatch.errors import one_line_errors
from polymatch.settings.stages import DataSettings, EncoderSettings


def main() -> None:
    args = parser(__doc__)
    args.add_argument("--data", type=section(DataSettings), required=True)
    args.add_argument("--encoder", type=section(EncoderSettings), required=True)
    args.add_argument("--manifest", type=Path, required=True)
    for feature in ("frames", "pooled", "regions"):
        args.add_argument(f"--{feature}", type=Path, required=True, help="HDF5 to write")
    args.add_argument("--problems", type=Path, required=True, help="items left out, CSV")
    args.add_argument("--device", default="auto")
    given = args.parse_args()
    torch.set_num_threads(given.threads)
    problems = extract_items(
        read_table(given.manifest, "manifest"),
        given.data.root,
        load_encoder(given.encoder.name, pick_device(given.device)),
        {"frames": given.frames, "pooled": given.pooled, "regions": given.regions},
        {"dataset": given.data.name, "command": "extract_items"},
        given.encoder.batch_size,
        given.data.on_bad_item,
        readers=given.threads,
    )
    write_table(problems, given.problems, "problems")


if __name__ == "__main__":
    with one_line_errors():
        main()
