# Where every output lies, and what the rules ask the configuration.

import inspect
import json
import os

from polymatch.errors import DataError, one_line_errors
from polymatch.provenance import code_hash, file_hash, folder_hash, settings_hash
from polymatch.settings.offered import offered
from polymatch.settings.starts import needed_features

DATA = f"results/{CONFIG.data.name}"
SPACE = f"{DATA}/{CONFIG.encoder.name}"
RUN = f"{SPACE}/runs/{{model}}/{{seed}}"
LOG = "results/logs"

# The splits are read from these by every stage after the features.
TABLES = {
    "manifest": f"{DATA}/manifest.parquet",
    "captions": f"{DATA}/captions.parquet",
}
EMBEDDINGS = {
    "embedded_items": f"{SPACE}/embeddings/items.h5",
    "embedded_captions": f"{SPACE}/embeddings/captions.h5",
}
# What a model may start from -> the stores that it is given.
STORES = {
    "embeddings": EMBEDDINGS,
    **{
        sound: {
            "embedded_items": f"{SPACE}/features/{sound}.h5",
            "embedded_captions": f"{SPACE}/features/captions.h5",
        }
        for sound in ("audio", "audio_all", "fused")
    },
    "features": {
        "embedded_items": f"{SPACE}/features/pooled.h5",
        "embedded_captions": f"{SPACE}/features/captions.h5",
    },
    "regions": {
        "embedded_items": f"{SPACE}/features/regions.h5",
        "embedded_captions": f"{DATA}/words.h5",
    },
    "frames": {
        "embedded_items": f"{SPACE}/features/frames.h5",
        "embedded_captions": f"{DATA}/words.h5",
    },
}
# What a concept space is trained with.
TAGS = {"tags": f"{DATA}/tags.parquet", "tag_vocabulary": f"{DATA}/tag_vocabulary.json"}
WORD_VECTORS = f"{DATA}/word_vectors.h5"

# Sections that no table of ours depends on: changing one makes none of them again.
UNSEEN = {"cluster", "external", "report", "scoring"}

RUNS = CONFIG.runs()
SCORED = [
    (run, kind) for run in RUNS for kind in CONFIG.model_entry(run.model).scored_by
]
# Jobs use the interpreter that runs Snakemake, unless a rule's own environment comes before it.
os.environ |= {
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
}
# Where one is active, conda puts a rule's environment into its place in PATH, which may be behind
# the above; otherwise in front.
os.environ.pop("CONDA_SHLVL", None)


def given_features():
    """Files of a data set that brings its features, and the stores that they become.

    What is missing, and a model that needs what is not brought, is said before any job.
    """
    from polymatch.sources import check_starts, given_source, given_stores

    with one_line_errors():
        starts = {name: one.starts_from for name, one in CONFIG.entries.items()}
        check_starts(CONFIG.data.source, starts)
        files = given_source(CONFIG.data.source).input_files(CONFIG.data)
        return files, given_stores(CONFIG.data)


GIVEN_FILES, GIVEN_STORES = given_features() if CONFIG.encoder.given else ([], [])

# What the encoder is asked for: the models' starts, and lists of what it could not give.
FEATURES = sorted({"pooled", *needed_features(CONFIG)})
SOUND = {"audio", "audio_all", "fused"} & {*FEATURES}
EXTRACTED = [
    *(f"{name}.h5" for name in FEATURES),
    "problems.csv",
    *(["silent.csv"] if SOUND else []),
]


def encoder_python(side):
    """The interpreter that runs the encoder of a side; a resource too, for the same reason."""
    return CONFIG.encoder.side(side).python or "python"


def encoder_options(wildcards):
    """What the encoders' jobs are told beside: whether weights may be fetched, and to where.

    It is a resource, since those do not make a job run again.
    """
    root = CONFIG.data_root or "resources"
    return f"{'--download ' if CONFIG.download else ''}--data-root {root}"


def remote():
    """The data set's files that a rule fetches, by the record of it, and those placed by hand.

    What is missing and may not be fetched is listed before any job.
    """
    from polymatch.data.expected import expected_table, missing_files
    from polymatch.sources import remote_files

    root = Path(CONFIG.data.root)
    with one_line_errors():
        files = remote_files(CONFIG.data)
        missing = missing_files(files, root)
        # An archive that was placed by hand is unpacked, which needs no network.
        absent = [file for file in missing if not (root / file.name).is_file()]
        if absent and not CONFIG.download:
            raise DataError(
                f"{root}: {len(absent)} of {len(files)} files are missing; set `download: true` "
                f"to fetch them, or place them by hand:\n{expected_table(absent, root)}"
            )
    records = {f"{DATA}/downloads/{file.name}.json": file for file in files}
    fetched = {
        record: file
        for record, file in records.items()
        if file in missing or Path(record).exists()
    }
    return fetched, [file for record, file in records.items() if record not in fetched]


REMOTE, BY_HAND = remote()


def raw_files():
    """Hash of the raw files that are not fetched but placed by hand, pictures and clips."""
    root = Path(CONFIG.data.root)
    if CONFIG.encoder.given:
        return []
    if REMOTE or BY_HAND:
        folders = [root / file.unpacked.folder for file in BY_HAND if file.unpacked]
        return [folder_hash(folder) for folder in folders]
    return folder_hash(root)


RAW_FILES = raw_files()


# What the figures that need more than the right answers are computed from.
JUDGED = {}
if CONFIG.evaluation.asp:
    JUDGED["semantic"] = f"{DATA}/semantic.npz"
if CONFIG.evaluation.pmrp:
    JUDGED["categories"] = f"{DATA}/categories.parquet"


def annotation_files():
    """Files that people annotated, named in the config; what is missing is said before any job."""
    from polymatch.data.annotations import annotation_files as named

    folders = {
        str(Path(CONFIG.data.root) / file.unpacked.folder): record
        for record, file in REMOTE.items()
        if file.unpacked
    }
    with one_line_errors():
        return named(CONFIG.evaluation, folders)


ANNOTATIONS = annotation_files()


wildcard_constraints:
    model="[^/]+",
    seed=r"\d+",
    shard=r"\d+",
    shards=r"\d+",
    kind="[a-z]+",
    sweep="[^/]+",
    study="[^/]+",
    table="[^/]+",


def script(name):
    """Path of a script, from the folder that the workflow runs in."""
    return os.path.relpath(Path(workflow.basedir) / "workflow/scripts" / name)


def code(name, *modules):
    """Hash of a script and the library modules that it imports (`modules`: by name)."""
    return code_hash(Path(workflow.basedir) / "workflow/scripts" / name, *modules)


def environment(name):
    """Conda environment of a kind of rule, for `--sdm conda`."""
    return str(Path(workflow.basedir) / "envs" / f"{name}.yaml")


# One job of a cluster trains all seeds of a model, where the config says so.
TRAINED_TOGETHER = "train_{model}" if CONFIG.cluster.seeds_together else None


def asks(rule, mem_mb, runtime, **others):
    """Resources of a rule: what its jobs ask a cluster for, by the config's `cluster`.

    mem_mb: of the first attempt, a number or a function of the wildcards and the input
    runtime: of the first attempt, in minutes
    """
    own = CONFIG.cluster.rules.get(rule)
    amounts = {
        "mem_mb": own and own.mem_mb or mem_mb,
        "runtime": own and own.runtime or runtime,
    }
    grown = {name: at_attempt(amount) for name, amount in amounts.items()}
    return grown | others | CONFIG.cluster.places(rule)


def at_attempt(amount):
    """A resource that grows with every attempt."""
    takes = len(inspect.signature(amount).parameters) if callable(amount) else 0

    def of_job(wildcards, input, attempt):
        needed = amount(*[wildcards, input][:takes]) if callable(amount) else amount
        return CONFIG.cluster.grown(needed, attempt)

    return of_job


def entry(wildcards):
    """Settings of the model that the wildcards name."""
    return CONFIG.model_entry(wildcards.model)


def entry_json(wildcards):
    return entry(wildcards).model_dump_json()


def family_code(name):
    """Code hash of a script together with the wildcards' family."""
    return lambda wildcards: code(name, *entry(wildcards).modules)


def stores(wildcards):
    """What the wildcards' model is given."""
    return STORES[entry(wildcards).starts_from]


def source_code(name):
    """Hash of a script that reads the raw files, with the source's own module."""
    return code(name, f"polymatch.sources.{CONFIG.data.source}")


def encoder_code(name, side="items"):
    """Hash of a script that runs the encoder of a side, with the encoder's own module."""
    return code(name, f"polymatch.encoders.{CONFIG.encoder.side(side).module}")


def encoder_environment(side):
    """Conda environment of the encoder of a side."""
    if CONFIG.encoder.given:
        return environment("encoder")
    return environment(offered(CONFIG.encoder.side(side).module).environment)


def feature_code():
    """Hashes of all the code that makes features."""
    if CONFIG.encoder.given:
        return [source_code("import_features.py")]
    return [
        encoder_code("extract_items.py"),
        encoder_code("extract_captions.py", "captions"),
    ]


def evaluation_code(name):
    """Hash of a script that computes metrics, with the modules of those that the config adds."""
    package = "polymatch.evaluation.measures"
    return code(name, *(f"{package}.{metric}" for metric in CONFIG.evaluation.metrics))


def teacher_code(teacher):
    """Code hash of building a teacher, with the family of the model that it is made from."""
    run = CONFIG.teacher_run(teacher)
    return code(
        "build_teacher.py",
        *(CONFIG.model_entry(run.model).modules if run else []),
    )


def code_of_words(model):
    """Hashes of the stages that a model's words, tags and word vectors come from."""
    starts = model.starts_from in ("regions", "frames")
    hashes = [code("tokenise.py")] if starts else []
    hashes += [code("tag.py")] if model.needs_tags else []
    if model.needs_word_vectors:
        own = CONFIG.words.vectors == "encoder"
        hashes.append(
            encoder_code("word_vectors.py", "captions")
            if own
            else code("word_vectors.py")
        )
    return hashes


def run_code(model):
    """Hash of all the code between the raw files and a model's figures."""
    family = CONFIG.model_entry(model).modules
    teacher = CONFIG.surrogate_teacher(model)
    source = CONFIG.teacher_run(teacher) if teacher else None
    return settings_hash(
        source_code("prepare.py"),
        *feature_code(),
        *code_of_words(CONFIG.model_entry(model)),
        *(code(f"{stage}.py") for stage in ("align", "build_teacher", "fit_surrogate")),
        evaluation_code("evaluate.py"),
        *([run_code(source.model)] if source else []),
        *(run_code(member) for member in CONFIG.model_entry(model).members_of),
        code("train.py", *family),
        code("score.py", *family),
    )


def taught_by(*entries):
    """What else models are trained with: tags, word vectors."""
    files = TAGS if any(one.needs_tags for one in entries) else {}
    if any(one.needs_word_vectors for one in entries):
        files = files | {"word_vectors": WORD_VECTORS}
    return files


def arguments_of(files):
    """Files by name, as options."""
    return " ".join(
        f"--{name.replace('_', '-')} {path}" for name, path in files.items()
    )


def taught(wildcards):
    return taught_by(entry(wildcards))


def taught_arguments(wildcards):
    return arguments_of(taught(wildcards))


def surrogate_of(wildcards):
    """The surrogate that the wildcards' model needs, if it needs one."""
    if not entry(wildcards).needs_surrogate:
        return []
    return f"{SPACE}/surrogates/{CONFIG.surrogate_model(wildcards.model)}.json"


def run_path(run, name):
    return f"{RUN.format(model=run.model, seed=run.seed)}/{name}"


def members(name):
    """Files called so of the runs that the wildcards' model is put together from, if it is."""
    return lambda wildcards: [
        f"{SPACE}/runs/{member}/{wildcards.seed}/{name}"
        for member in entry(wildcards).members_of
    ]


def python(wildcards):
    """The command that runs a training script: python, or as many processes as are asked for."""
    processes = entry(wildcards).processes
    if processes == 1:
        return "python"
    return f"python -m torch.distributed.run --standalone --nproc-per-node {processes}"


def training_memory(wildcards):
    """Memory of all processes of a training, in MB."""
    model = entry(wildcards)
    # Pairs of a batch of 128 are scored by 1,024 numbers a word, with gradients; a batch of 128
    # videos has 130 MB of frames, and a GRU's numbers for each.
    needed = (
        4000 if model.starts_from in ("regions", "frames") and model.trained else 1500
    )
    return (needed + model.held_mb) * model.processes


def scoring_memory(wildcards):
    """Memory of scoring, in MB: 5,000 pictures have 1.5 GB of regions, 3,000 videos of frames."""
    return 5000 if entry(wildcards).starts_from in ("regions", "frames") else 2500


def teacher_checkpoint(wildcards):
    """The trained run whose Gaussians the wildcards' teacher is made from, if it is."""
    run = CONFIG.teacher_run(wildcards.teacher)
    names = ("model.safetensors", "settings.json") if run else ()
    return [run_path(run, name) for name in names]


def runs_simulated(wildcards):
    """Weights of the runs in the simulation; the one that is exported and audited comes first."""
    runs = CONFIG.runs_of(wildcards.model)
    first = [run for run in runs if run.seed == int(wildcards.seed)]
    others = [run for run in runs if run not in first]
    simulated = (first + others)[: CONFIG.deployment.runs]
    return [run_path(run, "model.safetensors") for run in simulated]


def settings_simulated(wildcards):
    return [
        f"{Path(weights).parent}/settings.json" for weights in runs_simulated(wildcards)
    ]


def figure_files(stem):
    """A figure in every format, and the data that it is drawn from."""
    return [f"{stem}.{kind}" for kind in ("pdf", "svg", "png", "csv")]


CURVES = [
    figure_files(f"{SPACE}/runs/{name}/curves")
    for name in CONFIG.models
    if CONFIG.model_entry(name).trained
]


# Of every run, drawn or not.
RANK_TABLES = [
    run_path(run, f"{kind}.{table}.csv")
    for run, kind in SCORED
    for table in ("recall_curve", "rank_histogram")
]


PICTURES = [
    file
    for run, kind in CONFIG.pictured()
    for file in (
        *figure_files(run_path(run, f"{kind}.space")),
        *figure_files(run_path(run, f"{kind}.retrieved")),
        # Its data are the run's two tables.
        *figure_files(run_path(run, f"{kind}.ranks_figure"))[:-1],
    )
]


EXTERNAL = [f"results/external/{name}.csv" for name in CONFIG.external]


def sweep_files(name, first_seed=False):
    """Files of the runs in the wildcards' sweep, one for each similarity if the name has {kind}."""

    def files(wildcards):
        models = CONFIG.sweep_models(wildcards.sweep)
        runs = [CONFIG.runs_of(model)[: 1 if first_seed else None] for model in models]
        return sorted(
            {
                run_path(run, name.format(kind=kind))
                for run in sum(runs, [])
                for kind in CONFIG.model_entry(run.model).scored_by
            }
        )

    return files


def table_files(name, first_seed=False):
    """Files called so of the runs in the wildcards' table, by the first similarity of each."""

    def files(wildcards):
        with one_line_errors():
            rows = CONFIG.table_rows(wildcards.table)
        return sorted(
            {
                run_path(run, f"{row.entry.scored_by[0]}.{name}")
                for row in rows
                for run in CONFIG.runs_of(row.name)[: 1 if first_seed else None]
            }
        )

    return files


RULES = Path(workflow.basedir) / "workflow/rules"


def config_shape():
    """Hash of what the graph of the rules can depend on in the configuration.

    Fractions cannot matter, and of whole numbers only whether there are none, one or several.
    """

    def shape(part):
        if isinstance(part, dict):
            return {key: shape(value) for key, value in part.items()}
        if isinstance(part, list):
            return [shape(value) for value in part]
        if isinstance(part, float):
            return 0.5
        whole = isinstance(part, int) and not isinstance(part, bool)
        return min(part, 2) if whole else part

    unseen = {"cluster", "sweeps", "tables"}
    return settings_hash(shape(CONFIG.model_dump(mode="json", exclude=unseen)))


def external_files(wildcards):
    """What an entry of `external` needs: its files, and of this data set what says whose they are."""
    with one_line_errors():
        matrix = CONFIG.external_entry(wildcards.external)
        files = {
            "similarity": matrix.similarity,
            "ids": list(matrix.id_files.values()),
        }
        for path in sum(files.values(), []):
            # One under results may be made by another rule.
            if not path.startswith("results/") and not Path(path).is_file():
                raise DataError(f"external.{wildcards.external}: {path}: no such file")
    if matrix.own:
        files |= TABLES | JUDGED
        files["annotations"] = ANNOTATIONS["eccv"] + ANNOTATIONS["cxc"]
        if CONFIG.data.on_bad_item == "skip":
            files["items"] = STORES["features"]["embedded_items"]
    files["against"] = [
        run_path(run, f"{external_kind(wildcards)}.ranks.parquet")
        for run in (CONFIG.runs_of(matrix.against) if matrix.against else [])
    ]
    return files


def external_kind(wildcards):
    """The similarity that an entry of `external` is compared with; nothing without a model."""
    matrix = CONFIG.external_entry(wildcards.external)
    if matrix.against is None:
        return ""
    return matrix.kind or CONFIG.model_entry(matrix.against).scored_by[0]


def external_arguments(wildcards, input):
    """The part of the command line that depends on what the entry is."""
    kind = external_kind(wildcards)
    arguments = [f"--against {input.against} --kind {kind}"] if kind else []
    if "manifest" in input.keys():
        arguments += [f"--manifest {input.manifest} --captions {input.captions}"]
    for name in ("items", "semantic", "categories"):
        if name in input.keys():
            arguments += [f"--{name} {input[name]}"]
    return " ".join(arguments)


def beside_the_page():
    """Tables that were asked for apart from the main job, each with its hash: shown if they are there.

    They are no input of the page, which would make all of them in the main job.
    """
    tables = [
        *(f"results/sweeps/{name}.csv" for name in CONFIG.sweeps),
        *(f"results/tables/{name}.csv" for name in CONFIG.tables),
        *sorted(map(str, Path("results/tuning").glob("*/trials.csv"))),
    ]
    return {path: file_hash(path) for path in tables if Path(path).is_file()}


# How pictures are drawn is no matter of the page, but which there are.
NOT_ON_PAGE = {
    "cluster": True,
    "pictures": {*type(CONFIG.pictures).model_fields} - {"models"},
}
# What the page shows: of single runs, of all models, and what its pictures are of.
PAGE_TABLES = [
    *(run_path(run, "history.csv") for run in RUNS),
    *(path for path in PICTURES if path.endswith(".space.csv")),
]
PAGE_MATRICES = [
    run_path(CONFIG.runs_of(name)[0], f"{kind}.npy")
    for name in CONFIG.models
    for kind in CONFIG.model_entry(name).scored_by
    if CONFIG.report.queries and not CONFIG.divided(name)
]
PAGE_ITEMS = STORES[CONFIG.model_entry(CONFIG.baseline).starts_from]["embedded_items"]
