"""Polymatch: cross-modal retrieval heads on frozen encoders, compared on one protocol."""

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")

# A config file is whole by itself: the default is not merged below another one.
if not workflow.overwrite_configfiles:

    configfile: Path(workflow.basedir) / "config/config.yaml"


# For --sdm apptainer alone: what the Dockerfile makes, converted (docs/environments.md).
container: str(Path(workflow.basedir) / "polymatch.sif")


sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

from polymatch.errors import one_line_errors
from polymatch.settings.config import load_config

with one_line_errors():
    CONFIG = load_config(config)


include: "workflow/rules/targets.smk"
include: "workflow/rules/shards.smk"
include: "workflow/rules/downloads.smk"
include: "workflow/rules/sources.smk"
include: f"workflow/rules/{'given_features' if CONFIG.encoder.given else 'features'}.smk"
include: "workflow/rules/tiny.smk"
include: "workflow/rules/words.smk"
include: "workflow/rules/tags.smk"
include: "workflow/rules/embeddings.smk"
include: "workflow/rules/surrogate.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/evaluation_shards.smk"
include: "workflow/rules/deployment.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/pictures.smk"
include: "workflow/rules/sweeps.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/external.smk"
include: "workflow/rules/page.smk"
include: "workflow/rules/studies.smk"
include: "workflow/rules/tuning.smk"


with one_line_errors():
    CONFIG.cluster.check_rules(rule.name for rule in workflow.rules)


rule all:
    default_target: True
    input:
        "results/summary.csv",
        "results/leaderboard.csv",
        "results/leaderboard.md",
        "results/leaderboard.tex",
        figure_files("results/figures/r1_latency"),
        figure_files("results/figures/recall_curves"),
        figure_files("results/figures/rank_histograms"),
        figure_files("results/figures/rulegraph"),
        RANK_TABLES,
        GROWTH_FIGURE,
        TEACHER_TABLES,
        ERROR_MAPS,
        DEPLOYABILITY_FIGURE,
        CURVES,
        PICTURES,
        EXTERNAL,
        "results/report.html",


rule sweeps:
    input:
        expand(
            "results/sweeps/{sweep}.{kind}",
            sweep=CONFIG.sweeps,
            kind=["csv", "pdf", "svg", "best.yaml"],
        ),


rule tables:
    input:
        expand(
            "results/tables/{table}.{kind}",
            table=CONFIG.tables,
            kind=["csv", "md", "pdf", "svg"],
        ),


rule external:
    input:
        EXTERNAL,
