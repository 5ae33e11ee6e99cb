"""Compare sources and estimators of teachers, and hold their surrogates against trained runs."""

from pathlib import Path

import torch

from arguments import add_embeddings, parser, reader, section
from polymatch.data.splits import RetrievalSet, TrainingSet
from polymatch.data.tables import write_table
from polymatch.errors import one_line_errors
from polymatch.models import load_model
from polymatch.settings.stages import TeacherComparisonSettings
from polymatch.surrogate.comparison import Sides, compare_teachers
from polymatch.training.scoring import encode


def gaussians(weights: Path, data: RetrievalSet | TrainingSet) -> Sides:
    items, captions = encode(load_model(weights.parent), data)
    return Sides(*items, *captions)


def main() -> None:
    args = parser(__doc__)
    add_embeddings(args)
    args.add_argument("--settings", type=section(TeacherComparisonSettings), required=True)
    args.add_argument("--weights", type=Path, help="model.safetensors of the source pcme's run")
    args.add_argument("--heads", type=Path, nargs="*", default=[], help="likewise, to judge on")
    args.add_argument("--out", type=Path, required=True, help="CSV to write")
    args.add_argument("--points", type=Path, required=True, help="Parquet to write, for the figure")
    given = args.parse_args()
    torch.set_num_threads(given.threads)
    splits = reader(given)
    train = splits.training_set("train", given.data.train_captions)
    test = splits.retrieval_set("test", given.data.test_captions)
    embeddings = Sides(train.items, None, train.captions, None)
    sources = {"fixed": embeddings, "domain": embeddings}
    if given.weights:
        sources["pcme"] = gaussians(given.weights, train)
    heads = {
        (path.parent.parent.name, int(path.parent.name)): gaussians(path, test)
        for path in given.heads
    }
    comparison = compare_teachers(sources, heads, given.settings)
    write_table(comparison.table, given.out, "teachers")
    write_table(comparison.points, given.points, "teacher_points")


if __name__ == "__main__":
    with one_line_errors():
        main()
