"""Train one run: a model with a seed; one that is ready is validated only. Runs under torchrun."""

import argparse
from pathlib import Path

import torch

from arguments import add_embeddings, add_taught, parser, reader
from polymatch import distributed
from polymatch.data.features import FeatureStore
from polymatch.data.tables import write_table
from polymatch.errors import one_line_errors
from polymatch.models import first_model, save_model
from polymatch.provenance import file_hash, settings_hash
from polymatch.settings.families import parse_model
from polymatch.training.loop import train
from polymatch.training.resume import ResumePoint, deciding


def resume_point(given: argparse.Namespace) -> ResumePoint | None:
    """Where this training's state is saved: beside its outputs."""
    if not given.model.trained:
        return None
    files = [given.manifest, given.captions, given.items, given.embedded_captions, given.surrogate]
    files += [given.tags, given.tag_vocabulary, given.word_vectors, *given.members]
    made_by = settings_hash(
        deciding(given.model),
        given.data,
        given.seed,
        given.code,
        [file_hash(f) for f in files if f],
    )
    path = given.history.with_name("resume.pt")
    return ResumePoint(path, made_by, given.model.training.checkpoint_seconds)


def main() -> None:
    args = parser(__doc__)
    add_embeddings(args)
    add_taught(args)
    args.add_argument("--model", type=parse_model, required=True, help="model entry, JSON")
    args.add_argument("--name", required=True, help="name of the model, for the progress line")
    args.add_argument("--seed", type=int, required=True)
    args.add_argument("--surrogate", type=Path)
    args.add_argument("--members", type=Path, nargs="*", default=[], help="weights of its parts")
    args.add_argument("--history", type=Path, required=True, help="CSV; the model goes beside it")
    args.add_argument("--last", type=Path, help="folder for the last epoch's model too")
    args.add_argument("--code", default="", help="hash of the code: no other's state is resumed")
    args.add_argument("--device", default="auto")
    given = args.parse_args()
    torch.set_num_threads(given.threads)
    data, splits = given.data, reader(given)
    train_set = splits.stored_training_set("train", data.train_captions).within(given.model.held_mb)
    device = distributed.start(given.device)
    torch.manual_seed(given.seed)
    members = [weights.parent for weights in given.members]
    model = first_model(given.model, *train_set.widths, members)
    if given.surrogate:
        # Here, since it costs a second that other families need not wait for.
        from polymatch.surrogate import PolynomialSurrogate

        model.attach({"surrogate": PolynomialSurrogate.load(given.surrogate).to_dict()})
    if given.word_vectors:
        model.take_word_vectors(torch.from_numpy(FeatureStore(given.word_vectors).read()))
    resume = resume_point(given)
    history = train(
        model.to(device),
        train_set,
        splits.retrieval_set("val", data.test_captions),
        seed=given.seed,
        label=f"{given.name} seed {given.seed}",
        resume=resume,
        last=given.last,
        tensorboard=given.history.with_name("tensorboard"),
    )
    if distributed.rank() == 0:
        save_model(model, given.history.parent)
        write_table(history, given.history, "history")
        if resume is not None:
            resume.remove()
    distributed.stop()


if __name__ == "__main__":
    with one_line_errors():
        main()
