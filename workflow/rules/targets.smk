# Where every output lies, and what the rules ask the configuration.

import json
import os

from polymatch.provenance import code_hash, folder_hash, settings_hash

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

RUNS = CONFIG.runs()
SCORED = [
    (run, kind) for run in RUNS for kind in CONFIG.model_entry(run.model).scored_by
]
# Jobs use the interpreter that runs Snakemake, unless a rule's own environment comes before it.
os.environ |= {
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
}


wildcard_constraints:
    model="[^/]+",
    seed=r"\d+",
    kind="[a-z]+",


def script(name):
    """Path of a script, from the folder that the workflow runs in."""
    return os.path.relpath(Path(workflow.basedir) / "workflow/scripts" / name)


def code(name, *modules):
    """Hash of a script and the library modules that it imports (`modules`: by name)."""
    return code_hash(Path(workflow.basedir) / "workflow/scripts" / name, *modules)


def environment(name):
    """Conda environment of a kind of rule, for `--sdm conda`."""
    return str(Path(workflow.basedir) / "envs" / f"{name}.yaml")


def entry(wildcards):
    """Settings of the model that the wildcards name."""
    return CONFIG.model_entry(wildcards.model)


def entry_json(wildcards):
    return entry(wildcards).model_dump_json()


def family_modules(settings):
    """Library modules that are loaded by the name of a model's family."""
    rooms = ("models", "losses") if settings.trained else ("models",)
    return [f"polymatch.{room}.{settings.family}" for room in rooms]


def family_code(name):
    """Code hash of a script together with the wildcards' family."""
    return lambda wildcards: code(name, *family_modules(entry(wildcards)))


def run_code(model):
    """Hash of all the code between the raw files and a model's figures."""
    family = family_modules(CONFIG.model_entry(model))
    return settings_hash(
        code("prepare.py", f"polymatch.sources.{CONFIG.data.source}"),
        code("extract_items.py", f"polymatch.encoders.{CONFIG.encoder.name}"),
        code("extract_captions.py", f"polymatch.encoders.{CONFIG.encoder.name}"),
        *(
            code(f"{stage}.py")
            for stage in ("align", "build_teacher", "fit_surrogate", "evaluate")
        ),
        code("train.py", *family),
        code("score.py", *family),
    )


def surrogate_of(wildcards):
    """The surrogate that the wildcards' model needs, if it needs one."""
    if not entry(wildcards).needs_surrogate:
        return []
    return f"{SPACE}/surrogates/{wildcards.model}.json"


def run_path(run, name):
    return f"{RUN.format(model=run.model, seed=run.seed)}/{name}"


def runs_simulated(wildcards):
    """Weights of all the model's runs; the one that is exported and audited comes first."""
    runs = CONFIG.runs_of(wildcards.model)
    first = [run for run in runs if run.seed == int(wildcards.seed)]
    others = [run for run in runs if run not in first]
    return [run_path(run, "model.safetensors") for run in first + others]


def settings_simulated(wildcards):
    return [
        f"{Path(weights).parent}/settings.json" for weights in runs_simulated(wildcards)
    ]


CURVES = [
    run_path(run, "curve.pdf") for run in RUNS if CONFIG.model_entry(run.model).trained
]
