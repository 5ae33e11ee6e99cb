"""Map features of both sides into the space that every head starts from."""

from pathlib import Path

import torch

from arguments import add_tables, parser, section
from polymatch.data.features import FeatureStore, FeatureWriter
from polymatch.data.splits import SplitReader
from polymatch.data.tables import write_table
from polymatch.errors import one_line_errors
from polymatch.models.cca import choose_alignment
from polymatch.settings.stages import AlignmentSettings


def main() -> None:
    args = parser(__doc__)
    add_tables(args)
    args.add_argument("--alignment", type=section(AlignmentSettings), required=True)
    args.add_argument("--pooled", type=Path, required=True, help="item features, HDF5")
    args.add_argument("--caption-features", type=Path, required=True, help="of captions, HDF5")
    args.add_argument("--items", type=Path, required=True, help="item embeddings to write")
    args.add_argument("--embedded-captions", type=Path, required=True, help="likewise, captions")
    args.add_argument("--maps", type=Path, required=True, help="the two maps, safetensors to write")
    args.add_argument("--candidates", type=Path, required=True, help="validation figures, CSV")
    given = args.parse_args()
    torch.set_num_threads(given.threads)
    data = given.data
    splits = SplitReader.open(
        data, given.manifest, given.captions, given.pooled, given.caption_features
    )
    alignment, candidates = choose_alignment(
        splits.stored_training_set("train", data.train_captions),
        splits.retrieval_set("val", data.test_captions),
        given.alignment,
    )
    print(candidates[candidates["chosen"]].to_string(index=False))
    for source, target, embed in (
        (given.pooled, given.items, alignment.items),
        (given.caption_features, given.embedded_captions, alignment.captions),
    ):
        store = FeatureStore(source)
        preprocessing = f"{given.alignment.method}; {store.attributes['preprocessing']}"
        attributes = {**store.attributes, "preprocessing": preprocessing, "command": "align"}
        with FeatureWriter(target, alignment.width, attributes) as writer:
            for ids, block in store.blocks():
                writer.append(ids, embed(block))
    alignment.save(given.maps)
    write_table(candidates, given.candidates, "candidates")


if __name__ == "__main__":
    with one_line_errors():
        main()
