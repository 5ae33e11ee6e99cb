"""A small model of every family that trains, in each of its ways, with data to train it on."""

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from polymatch.data.frames import Frames
from polymatch.data.splits import RetrievalSet, TrainingSet
from polymatch.models import build_model
from polymatch.models.pruned import assemble
from polymatch.settings.families import parse_model
from polymatch.surrogate import PolynomialSurrogate, build_teacher

N, VAL, WIDTH, WORDS, TAGS = 70, 20, 12, 15, 4
TRAINING = {"epochs": 2, "lr": 3e-3, "batch_size": 16}

GAUSSIANS = {"family": "probabilistic", "similarities": ["mean"], "hidden": 16, "dropout": 0.3}
DUAL = {
    "family": "dual_encoding",
    "embed_dim": 8,
    "word_dim": 5,
    "items": {"rnn_size": 6, "kernels": [2, 3], "channels": [8, 10]},
    "captions": {"rnn_size": 6, "kernels": [2, 3], "channels": [8, 10]},
    "similarities": ["hybrid"],
}
REGIONS = {"family": "alignment", "embed_dim": 10, "sim_dim": 8, "word_dim": 6}


def projection(head, loss, num_heads=None, **more):
    sizes = {"output_dim": 8, "dropout": 0.3}
    hidden = {} if head == "siglip" else {"hidden_dim": 16}
    attention = {"num_heads": num_heads} if num_heads else {}
    return {
        "family": "projection",
        "head": {"type": head, **sizes, **hidden, **attention},
        "loss": {"type": loss, **more},
    }


ENTRIES = {
    "sampled": GAUSSIANS | {"loss": "sampled"},
    "soft": GAUSSIANS | {"loss": "soft"},
    "pcmepp": GAUSSIANS | {"loss": "pcmepp"},
    "means": GAUSSIANS | {"loss": "mean", "variance": {"kind": "none"}},
    "refreshed": GAUSSIANS
    | {
        "loss": "poly",
        "teacher": "t",
        "similarities": ["poly"],
        "degree": 3,
        "refresh": {"every": 2, "n_pairs": 200},
    },
    "mlp": projection("mlp", "softmax"),
    "align": projection("align", "align", learnable=True),
    "attention": projection("attention", "softmax", num_heads=4, learnable=True),
    "cross_modal": projection("cross_modal", "sigmoid", num_heads=4, learnable=True),
    "queue": projection("clip", "queue", queue_size=24),
    "blip": projection("align", "blip"),
    "siglip": projection("siglip", "sigmoid", learnable=True),
    "saf": REGIONS | {"module": "saf", "loss": {"daa_weight": 1}},
    "sgr": REGIONS | {"module": "sgr", "loss": {"daa_weight": 0}},
    "dual": DUAL,
    "pruned": {"family": "pruned", "of": "dual", "fine_tune": True, "similarities": ["hybrid"]},
    "units": {
        "family": "pruned",
        "of": "dual",
        "method": "units",
        "rate": 0.4,
        "fine_tune": True,
        "similarities": ["hybrid"],
    },
}


# What it is refitted to is float32.
SINGLE = {"refreshed"}


def made(name, seed=0, **training):
    """The model called ``name``, its training set and val; in float64 but for SINGLE."""
    with precision(torch.float32):
        model, train_set, val_set = built(name, seed, training)
    if name in SINGLE:
        return model, train_set, val_set
    concepts = train_set.concepts
    return (
        model.double(),
        replace(
            train_set,
            items=doubled(train_set.items),
            captions=doubled(train_set.captions),
            concepts=concepts if concepts is None else doubled(concepts),
        ),
        replace(val_set, items=doubled(val_set.items), captions=doubled(val_set.captions)),
    )


@contextmanager
def precision(dtype):
    """Make new tensors of this kind."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class DoubleFrames(Frames):
    def to(self, device):
        return DoubleFrames(torch.as_tensor(self.rows).double(), torch.as_tensor(self.offsets))


def doubled(features):
    if isinstance(features, Frames):
        return DoubleFrames(features.rows, features.offsets)
    return features if features.dtype.kind != "f" else torch.as_tensor(features).double()


def trained(name, train, seed=0, **options):
    """Train a model: itself and its history."""
    model, *sets = made(name, seed)
    with precision(torch.float32 if name in SINGLE else torch.float64):
        return model, train(model, *sets, seed=0, **options)


def built(name, seed, training):
    torch.manual_seed(seed)
    raw = ENTRIES[name] | {"training": TRAINING | training}
    family = raw["family"]
    if family == "pruned":
        torch.manual_seed(0)  # what is pruned is a run that there is already
        member = build_model(parse_model(json.dumps(DUAL)), WIDTH, (WORDS, TAGS))
        model = assemble(parse_model(json.dumps(raw)), [member])
    else:
        widths = {"alignment": ((3, WIDTH), WORDS), "dual_encoding": (WIDTH, (WORDS, TAGS))}
        model = build_model(parse_model(json.dumps(raw)), *widths.get(family, (WIDTH, WIDTH)))
    if name == "refreshed":
        model.attach({"surrogate": surrogate().to_dict()})
    kind = {"alignment": "regions", "dual_encoding": "frames", "pruned": "frames"}
    return model, *data(kind.get(family, "vectors"))


def surrogate():
    means = torch.nn.functional.normalize(torch.randn(60, WIDTH), dim=1)
    teacher = build_teacher(means, means, source="fixed", pairs=400, seed=0, progress=False)
    return PolynomialSurrogate.fit(
        teacher.ed, teacher.vd, teacher.probability, 3, 1e-3, teacher=teacher.metadata
    )


def data(kind):
    """Pairs to train on and VAL of val; some captions share an item, some a text."""
    random = np.random.default_rng(0)
    items = random.normal(size=(N, WIDTH)).astype(np.float32)
    words = random.integers(1, WORDS, (N, 7)).astype(np.int32)
    words[np.arange(7) >= random.integers(1, 7, (N, 1))] = 0
    given = {
        "vectors": items,
        "regions": random.normal(size=(N, 3, WIDTH)).astype(np.float32),
        "frames": items,
    }[kind]
    captions = items @ random.normal(size=(WIDTH, WIDTH)).astype(np.float32)
    captions = captions if kind == "vectors" else words
    pairs = np.arange(N - VAL)
    pairs[::5] = pairs[1::5]
    texts = np.arange(N - VAL)
    texts[2::9] = texts[3::9]
    tagged = (random.random((N - VAL, TAGS)) < 0.5).astype(np.float32)
    ids = [str(number) for number in range(VAL)]
    train, val = given[VAL:], given[:VAL]
    if kind == "frames":
        train, val = frames(N - VAL, random), frames(VAL, random)
    return (
        TrainingSet(
            train,
            captions[VAL:],
            pairs,
            texts,
            [f"word{number % 7} text{number % 3}" for number in range(N - VAL)],
            None if kind == "vectors" else WORDS,
            tagged if kind == "frames" else None,
        ),
        RetrievalSet(ids, val, ids, captions[:VAL], [(i,) for i in ids]),
    )


def frames(count, random):
    ends = np.cumsum([0, *random.integers(1, 6, count)])
    return Frames(random.normal(size=(ends[-1], WIDTH)).astype(np.float32), ends)


def outcome(model, history):
    """What a training has come to: every weight and buffer, and the history without its times."""
    columns = [column for column in history if column != "seconds"]
    table = {column: torch.tensor(history[column].astype(float)) for column in columns}
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()} | table


def keep(folder, name, model, history):
    """Write an outcome."""
    torch.save(outcome(model, history), Path(folder) / f"{name}.pt")
