"""Hold a trained run's surrogate, and its ranking, against the exact probability on test pairs."""

import json
from pathlib import Path

import torch

from arguments import add_embeddings, parser, reader, section
from polymatch.errors import one_line_errors
from polymatch.files import written_atomically
from polymatch.models import load_model
from polymatch.settings.stages import TeacherSettings
from polymatch.surrogate import certificate, ranking_certificate
from polymatch.training.scoring import encode


def main() -> None:
    args = parser(__doc__)
    add_embeddings(args)
    args.add_argument("--teacher", type=section(TeacherSettings), required=True)
    args.add_argument("--weights", type=Path, required=True, help="model.safetensors of the run")
    args.add_argument("--pairs", type=int, required=True, help="pairs to compute exactly")
    args.add_argument("--queries", type=int, required=True, help="a direction, to rank exactly")
    args.add_argument("--seed", type=int, default=0)
    args.add_argument("--out", type=Path, required=True)
    given = args.parse_args()
    torch.set_num_threads(given.threads)
    test = reader(given).retrieval_set("test", given.data.test_captions)
    model = load_model(given.weights.parent)
    items, captions = encode(model, test)
    judged = (*items, *captions, model.required_surrogate(), given.teacher.a, given.teacher.b)
    matches = test.matches()
    record = certificate(*judged, pairs=given.pairs, seed=given.seed, positives=matches)
    record |= ranking_certificate(*judged, matches, queries=given.queries, seed=given.seed)
    with written_atomically(given.out) as path:
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with one_line_errors():
        main()
