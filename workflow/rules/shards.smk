# How work is divided: into as many jobs as the config says, or as what was counted asks for.

import re

# The number of shards is in the path: one of three is never taken for one of four.
SHARDS = f"{SPACE}/features/shards/of_{{shards}}/{{shard}}"
SCORES = f"{RUN}/{{kind}}.shards/of_{{shards}}/{{shard}}"
COUNTS = f"{SPACE}/counts/{{start}}.json"

SHARDED = CONFIG.encoder.shards != 1
SHARD_OPTIONS = "--shard {wildcards.shard} --shards {wildcards.shards}"
FEATURE_OPTIONS = SHARD_OPTIONS if SHARDED else ""
SHARD_LOG = ".{shards}.{shard}" if SHARDED else ""


def named(models):
    """These models as a pattern of names; one that nothing fits if there is none."""
    return f"(?:{'|'.join(map(re.escape, models)) or '(?!)'})"


# Models whose scoring is divided, and of these those whose matrix is never put together.
DIVIDED = named(filter(CONFIG.divided, CONFIG.entries))
APART = named([] if CONFIG.scoring.keep else filter(CONFIG.divided, CONFIG.entries))


def part_of_features(name):
    """Where a job writes a file of features: in its place, or as a part that is gathered."""
    return temp(f"{SHARDS}/{name}") if SHARDED else f"{SPACE}/features/{name}"


def counted(path):
    """Numbers of items and captions, as their checkpoint wrote them."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def feature_parts(wildcards):
    """The parts of a file of features, when it is known how many they are."""
    side = "captions" if wildcards.name == "captions.h5" else "items"
    number = 0
    if CONFIG.encoder.shards == "auto":
        number = counted(checkpoints.count_items.get().output[0])[side]
    shards = CONFIG.encoder.shards_of(side, number)
    return expand(f"{SHARDS}/{wildcards.name}", shards=shards, shard=range(shards))


def made_by(wildcards):
    """What decides the parts of a file of features; they are gone when that changes."""
    if wildcards.name == "captions.h5":
        kinds = sorted({*CONFIG.data.train_captions, *CONFIG.data.test_captions})
        identity = [kinds, encoder_code("extract_captions.py", "captions")]
        return [*identity, CONFIG.encoder.of("captions").model_dump_json()]
    identity = [RAW_FILES, encoder_code("extract_items.py")]
    return [*identity, CONFIG.encoder.of("items").model_dump_json()]


def lists_beside(wildcards):
    """What was left out of the items' features, so that it is listed beside them."""
    lists = [name for name in EXTRACTED if name.endswith(".csv")]
    of_items = wildcards.name not in ("captions.h5", *lists)
    return [f"{SPACE}/features/{name}" for name in lists if of_items]


def score_shards(wildcards):
    """Shards that the wildcards' matrix is scored in, when it is known how many they are."""
    model, work = entry(wildcards), {"items": 0, "captions": 0}
    if CONFIG.scoring.shards == "auto":
        work = counted(checkpoints.count_pairs.get(start=model.starts_from).output[0])
    return CONFIG.scoring.shards_of(model.pair_seconds, **work)


def score_parts(suffix):
    """Files called so of all shards of the wildcards' matrix, of their number if that is named."""

    def files(wildcards):
        number = int(wildcards.get("shards") or score_shards(wildcards))
        return expand(
            f"{SCORES}{suffix}",
            shards=number,
            shard=range(number),
            model=wildcards.model,
            seed=wildcards.seed,
            kind=wildcards.kind,
        )

    return files


def counts_of(wildcards):
    """Where the numbers of test items and captions are that the wildcards' model has."""
    return COUNTS.format(start=entry(wildcards).starts_from)


def ranking_memory(wildcards, input):
    """Memory of ranking a share of the queries, in MB.

    Panels of 256 MB and what is cut out of them, names of all items and captions, and for ASP the
    semantic similarity, of which a pair takes 8 bytes, once stored and once cut.
    """
    work = counted(input.counted)
    names = (work["items"] + work["captions"]) / 500
    pairs = work["items"] * work["captions"] * 16 / 1e6 if "semantic" in JUDGED else 0
    return int(1200 + names + pairs)
