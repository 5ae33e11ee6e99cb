"""A few real emoji with captions, encoded, and an untrained run of every family on them."""

import shutil
from pathlib import Path

import pandas as pd
import torch

from polymatch.data.features import FeatureStore, FeatureWriter
from polymatch.data.pictures import count_frames
from polymatch.data.splits import SplitReader
from polymatch.data.tables import write_table
from polymatch.data.vocabulary import Vocabulary
from polymatch.data.words import write_words
from polymatch.encoders import extract_captions, extract_items, load_encoder
from polymatch.models import build_model, load_model
from polymatch.models.alignment import assemble as assemble_alignment
from polymatch.models.cca import choose_alignment
from polymatch.models.model import save_model
from polymatch.models.pruned import assemble as prune
from polymatch.search.run import TrainedRun
from polymatch.settings.config import load_config
from polymatch.surrogate import PolynomialSurrogate, build_teacher
from polymatch.training.scoring import write_scores

EMOJI = Path(__file__).parents[2] / "resources/emoji"
ITEMS, TEST, WIDTH, TAGS = 32, 12, 8, 5
FEATURES = ("pooled", "frames", "regions")

GAUSSIANS = {"family": "probabilistic", "hidden": 16}
SIDE = {"rnn_size": 6, "channels": [4, 4], "kernels": [2, 3]}
DUAL = {"family": "dual_encoding", "embed_dim": 8, "word_dim": 5, "items": SIDE, "captions": SIDE}
REGIONS = {"family": "alignment", "embed_dim": 10, "sim_dim": 8, "word_dim": 6}
HEAD = {"output_dim": 8, "hidden_dim": 16}
MODELS = {
    "aligned": {"family": "aligned"},
    "pcme": GAUSSIANS | {"loss": "sampled", "similarities": ["mean", "mc", "closed"]},
    "soft": GAUSSIANS | {"loss": "soft", "similarities": ["match"]},
    "pcmepp": GAUSSIANS | {"loss": "pcmepp", "similarities": ["csd"]},
    "poly": GAUSSIANS
    | {"loss": "poly", "similarities": ["poly", "mean"], "teacher": "domain", "degree": 3},
    "mlp": {
        "family": "projection",
        "head": {"type": "mlp", **HEAD},
        "loss": {"type": "softmax"},
    },
    "cross_modal": {
        "family": "projection",
        "head": {"type": "cross_modal", **HEAD, "num_heads": 2},
        "loss": {"type": "softmax"},
    },
    "saf": REGIONS | {"module": "saf"},
    "sgr": REGIONS | {"module": "sgr"},
    "sgraf": {"family": "alignment", "module": "sgraf", "members": ["saf", "sgr"]},
    "dual": DUAL | {"similarities": ["hybrid", "latent", "concept"]},
    "pruned": {"family": "pruned", "of": "dual", "rate": 0.3, "similarities": ["hybrid"]},
}
CONFIG = {
    "data": {"name": "few", "source": "emoji", "root": str(EMOJI)},
    "alignment": {"width": [WIDTH], "shrinkage": [1.0], "root": [0.5]},
    "seeds": [0, 1],
    "device": "cpu",
    "teachers": {"domain": {"source": "domain", "n_pairs": 500, "K": 3}},
    "models": MODELS,
    "words": {"min_count": 1},
}


def make_runs(results):
    """Write the data set's tables and stores, and a run of each model, below ``results``."""
    config = load_config(CONFIG)
    data, space = results / "few", results / "few/efficientnet_minilm"
    write_tables(data)
    encode(data, space)
    align(config, data, space)
    torch.manual_seed(0)
    for name in MODELS:
        save_model(model_of(config, name, data, space), space / f"runs/{name}/0")
    for name in ("mlp",):
        shutil.copytree(space / f"runs/{name}/0", space / f"runs/{name}/1")
    return config


def write_tables(data):
    captions = pd.read_csv(EMOJI / "captions.csv", dtype="str", keep_default_na=False)
    named = captions[captions["kind"] == "name"]
    pictures = named["item_id"].unique()[:: len(named["item_id"].unique()) // ITEMS][:ITEMS]
    captions = named[named["item_id"].isin(pictures)].reset_index(drop=True)
    # One text of two items.
    text = captions.loc[captions["item_id"] == pictures[-2], "text"].iloc[0]
    captions.loc[captions.index[-1], "text"] = text.upper()
    paths = [f"images/{item}.webp" for item in pictures]
    manifest = pd.DataFrame(
        {
            "item_id": pictures,
            "path": paths,
            "n_frames": [count_frames(EMOJI / path) for path in paths],
            "group_id": pictures,
            "split": ["train"] * (ITEMS - TEST - 6) + ["val"] * 6 + ["test"] * TEST,
        }
    ).astype({"n_frames": "Int64"})
    data.mkdir(parents=True)
    write_table(manifest, data / "manifest.parquet", "manifest")
    write_table(captions, data / "captions.parquet", "captions")


def encode(data, space):
    encoder = load_encoder("efficientnet_minilm", "cpu")
    about = {"dataset": "few", "command": "test"}
    manifest = pd.read_parquet(data / "manifest.parquet")
    captions = pd.read_parquet(data / "captions.parquet")
    (space / "features").mkdir(parents=True)
    stores = {name: space / f"features/{name}.h5" for name in FEATURES}
    extract_items(manifest, EMOJI, encoder, stores, about)
    extract_captions(captions, encoder, space / "features/captions.h5", about)
    words = Vocabulary.build(captions["text"], 1)
    words.save(data / "vocabulary.json")
    texts = captions["text"].tolist()
    write_words(data / "words.h5", captions["caption_id"].tolist(), texts, words, about)


def align(config, data, space):
    tables = (data / "manifest.parquet", data / "captions.parquet")
    stores = [space / f"features/{name}.h5" for name in ("pooled", "captions")]
    reader = SplitReader.open(config.data, *tables, *stores)
    alignment, _ = choose_alignment(
        reader.training_set("train", ["name"]),
        reader.retrieval_set("val", ["name"]),
        config.alignment,
    )
    (space / "embeddings").mkdir()
    alignment.save(space / "embeddings/alignment.safetensors")
    embeds = (alignment.items, alignment.captions)
    for path, name, embed in zip(stores, ("items", "captions"), embeds, strict=True):
        store = FeatureStore(path)
        attributes = {**store.attributes, "preprocessing": "cca"}
        with FeatureWriter(space / f"embeddings/{name}.h5", WIDTH, attributes) as writer:
            for ids, block in store.blocks():
                writer.append(ids, embed(block))


def model_of(config, name, data, space):
    entry = config.model_entry(name)
    members = [load_model(space / f"runs/{member}/0") for member in entry.members_of]
    if entry.family == "pruned":
        return prune(entry, members)
    if members:
        return assemble_alignment(entry, members)
    words = len(Vocabulary.load(data / "vocabulary.json"))
    item = FeatureStore(space / "features/pooled.h5").dim
    caption = FeatureStore(space / "features/captions.h5").dim
    widths = {
        "embeddings": (WIDTH, WIDTH),
        "features": (item, caption),
        "regions": ((36, item), words),
        "frames": (item, (words, TAGS)),
    }
    model = build_model(entry, *widths[entry.starts_from])
    if entry.needs_surrogate:
        model.attach({"surrogate": polynomial().to_dict()})
    return model.eval()


def polynomial():
    means = torch.nn.functional.normalize(torch.randn(40, WIDTH), dim=1)
    teacher = build_teacher(means, means, source="domain", pairs=500, seed=0, progress=False)
    return PolynomialSurrogate.fit(
        teacher.ed, teacher.vd, teacher.probability, 3, 1e-3, teacher=teacher.metadata
    )


def matrix(run, kind, path):
    """The run's similarity matrix of test, as its rule writes it, with items and queries."""
    reader = SplitReader.open(
        run.config.data, run.manifest, run.captions, run.item_store, run.caption_store
    )
    test = reader.retrieval_set("test", run.config.data.test_captions)
    write_scores(path, load_model(run.folder), test, kind)
    return test


def opened(config, results, name):
    return TrainedRun.open(config, name, results)


KINDS = [
    (name, kind) for name, entry in load_config(CONFIG).entries.items() for kind in entry.scored_by
]
