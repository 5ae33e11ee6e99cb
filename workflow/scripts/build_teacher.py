"""Build a teacher: moments of the distance and match probabilities of pairs of embeddings."""

from pathlib import Path

import torch

from arguments import add_embeddings, parser, reader, section
from polymatch.errors import one_line_errors
from polymatch.settings.stages import TeacherSettings
from polymatch.surrogate import build_teacher


def main() -> None:
    args = parser(__doc__)
    add_embeddings(args)
    args.add_argument("--settings", type=section(TeacherSettings), required=True)
    args.add_argument("--out", type=Path, required=True)
    given = args.parse_args()
    torch.set_num_threads(given.threads)
    train = reader(given).training_set("train", given.data.train_captions)
    settings = given.settings
    teacher = build_teacher(
        train.items,
        train.captions,
        source=settings.source,
        estimator=settings.estimator,
        pairs=settings.n_pairs,
        samples=settings.K,
        scale=settings.a,
        shift=settings.b,
        log_variance=settings.log_variance,
        bounds=(settings.min_logvar, settings.max_logvar),
        seed=settings.seed,
    )
    teacher.save(given.out)


if __name__ == "__main__":
    with one_line_errors():
        main()
