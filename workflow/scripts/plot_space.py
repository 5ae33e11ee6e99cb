"""Draw a run's space: items and captions of the test split by PCA and t-SNE."""

from pathlib import Path

import numpy as np
import torch

from arguments import add_embeddings, parser, reader, section
from polymatch.device import pick_device
from polymatch.errors import one_line_errors
from polymatch.models import load_model
from polymatch.reporting.figures import save_figure
from polymatch.reporting.space import group_of, matched_and_unmatched, space_of
from polymatch.reporting.space_figure import space_figure, space_points
from polymatch.settings.pictures import PicturesSettings
from polymatch.training.scoring import encode


def main() -> None:
    args = parser(__doc__)
    add_embeddings(args)
    args.add_argument("--pictures", type=section(PicturesSettings), required=True)
    args.add_argument("--weights", type=Path, required=True, help="model.safetensors of the run")
    args.add_argument("--kind", required=True, help="which similarity")
    args.add_argument("--similarity", type=Path, required=True, help=".npy, items x captions")
    args.add_argument("--title", required=True)
    args.add_argument(
        "--out", type=Path, nargs="+", required=True, help="by suffix: pdf, svg, png, csv"
    )
    args.add_argument("--device", default="auto")
    given = args.parse_args()
    torch.set_num_threads(given.threads)
    splits, settings = reader(given), given.pictures
    test = splits.retrieval_set("test", given.data.test_captions)
    model = load_model(given.weights.parent, pick_device(given.device))
    items, captions = (side.cpu().numpy() for side in model.vectors(*encode(model, test)))
    space = space_of(items, captions, test.matches(), settings, given.threads)
    similarity = np.load(given.similarity, mmap_mode="r")
    drawn = [test.item_ids[row] for row in space.pairs[:, 0]]
    points = space_points(
        space,
        drawn,
        group_of(splits.manifest, drawn, settings.colour_by),
        matched_and_unmatched(similarity, test.matches(), settings.seed),
    )
    title = f"{given.title}, {given.kind}; test, {len(space.pairs)} of {len(items)} items"
    figure = space_figure(points, given.kind, settings.colours, title)
    save_figure(figure, given.out, points, "space")


if __name__ == "__main__":
    with one_line_errors():
        main()
