"""Build a teacher: moments of the distance and match probabilities of pairs of Gaussians."""

from pathlib import Path

import torch

from arguments import add_embeddings, parser, reader, section
from polymatch.errors import one_line_errors
from polymatch.models import load_model
from polymatch.settings.stages import TeacherSettings
from polymatch.surrogate import configured_teacher
from polymatch.training.scoring import encode


def main() -> None:
    args = parser(__doc__)
    add_embeddings(args)
    args.add_argument("--settings", type=section(TeacherSettings), required=True)
    args.add_argument("--weights", type=Path, help="model.safetensors of the run (source pcme)")
    args.add_argument("--out", type=Path, required=True)
    given = args.parse_args()
    if (given.settings.source == "pcme") != (given.weights is not None):
        args.error("--weights is for teachers of source pcme, and they need it")
    torch.set_num_threads(given.threads)
    train = reader(given).training_set("train", given.data.train_captions)
    if given.weights is None:
        teacher = configured_teacher(given.settings, train.items, train.captions)
    else:
        items, captions = encode(load_model(given.weights.parent), train)
        log_variances = (items.logvar, captions.logvar)
        teacher = configured_teacher(given.settings, items.mu, captions.mu, log_variances)
    teacher.save(given.out)


if __name__ == "__main__":
    with one_line_errors():
        main()
