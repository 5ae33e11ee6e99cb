# Everything measured -> tables and figures that a person reads.

ROWS = {
    "metrics": [run_path(run, f"{kind}.metrics.json") for run, kind in SCORED],
    "ranks": [run_path(run, f"{kind}.ranks.parquet") for run, kind in SCORED],
    "latencies": [
        run_path(CONFIG.runs_of(run.model)[0], f"{kind}.latency.json")
        for run, kind in SCORED
    ],
}
GROWTHS = [
    run_path(CONFIG.runs_of(name)[0], f"{kind}.growth.csv")
    for name in CONFIG.models
    for kind in CONFIG.model_entry(name).scored_by
]
GROWTH_FIGURE = (
    figure_files("results/figures/gallery_growth") if CONFIG.benchmark.gallery else []
)
SIMULATED = [
    run_path(CONFIG.runs_of(name)[0], kind)
    for name in CONFIG.models
    if CONFIG.simulated(name)
    for kind in CONFIG.model_entry(name).scored_by
]
DEPLOYABILITY_FIGURE = (
    figure_files("results/figures/deployability") if SIMULATED else []
)
CERTIFICATES = [
    run_path(run, "certificate.json")
    for run in RUNS
    if CONFIG.model_entry(run.model).certified
]


rule summarise:
    input:
        metrics=ROWS["metrics"],
        latencies=sorted(set(ROWS["latencies"])),
        deployabilities=[f"{path}.deployability.json" for path in SIMULATED],
        certificates=CERTIFICATES,
        histories=[run_path(run, "history.csv") for run in RUNS],
    output:
        report(
            "results/summary.csv",
            caption="../report/summary.rst",
            category="Tables",
        ),
    log:
        f"{LOG}/summarise.log",
    benchmark:
        f"{LOG}/summarise.tsv"
    localrule: True
    conda:
        environment("report")
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("summarise.py"),
        config=CONFIG.model_dump_json(exclude={"pictures", "sweeps", "tables", *UNSEEN}),
        space=lambda wildcards, input: Path(input.histories[0]).parents[3],
        code=code("summarise.py"),
        stages=json.dumps({name: run_code(name) for name in CONFIG.models}),
    shell:
        "python {params.script} --config {params.config:q} --space {params.space} "
        "--code {params.stages:q} --out {output} 2>&1 | tee {log}"


rule compare:
    input:
        summary="results/summary.csv",
        ranks=ROWS["ranks"],
    output:
        table=report(
            "results/leaderboard.csv",
            caption="../report/leaderboard.rst",
            category="Tables",
        ),
        markdown=report(
            "results/leaderboard.md",
            caption="../report/leaderboard.rst",
            category="Tables",
        ),
        latex=report(
            "results/leaderboard.tex",
            caption="../report/leaderboard.rst",
            category="Tables",
        ),
    log:
        f"{LOG}/compare.log",
    benchmark:
        f"{LOG}/compare.tsv"
    conda:
        environment("torch")
    threads: 1
    resources:
        **asks("compare", mem_mb=1000, runtime=30),
    params:
        script=script("compare.py"),
        config=CONFIG.model_dump_json(exclude={"pictures", "sweeps", "tables", *UNSEEN}),
        space=lambda wildcards, input: Path(input.ranks[0]).parents[3],
        code=evaluation_code("compare.py"),
    shell:
        "python {params.script} --config {params.config:q} --space {params.space} "
        "--summary {input.summary} --out {output.table} --markdown {output.markdown} "
        "--latex {output.latex} 2>&1 | tee {log}"


rule plot_latency:
    input:
        "results/leaderboard.csv",
    output:
        report(
            "results/figures/r1_latency.pdf",
            caption="../report/r1_latency.rst",
            category="Figures",
        ),
        multiext("results/figures/r1_latency", ".svg", ".png", ".csv"),
    log:
        f"{LOG}/plot_latency.log",
    benchmark:
        f"{LOG}/plot_latency.tsv"
    localrule: True
    conda:
        environment("report")
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_latency.py"),
        code=code("plot_latency.py"),
    shell:
        "python {params.script} --leaderboard {input} --out {output} 2>&1 | tee {log}"


rule plot_growth:
    input:
        GROWTHS,
    output:
        report(
            "results/figures/gallery_growth.pdf",
            caption="../report/gallery_growth.rst",
            category="Figures",
        ),
        multiext("results/figures/gallery_growth", ".svg", ".png", ".csv"),
    log:
        f"{LOG}/plot_growth.log",
    benchmark:
        f"{LOG}/plot_growth.tsv"
    localrule: True
    conda:
        environment("report")
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_growth.py"),
        code=code("plot_growth.py"),
    shell:
        "python {params.script} --growth {input} --out {output} 2>&1 | tee {log}"


rule plot_deployability:
    input:
        [f"{path}.analog.csv" for path in SIMULATED],
    output:
        report(
            "results/figures/deployability.pdf",
            caption="../report/deployability.rst",
            category="Figures",
        ),
        multiext("results/figures/deployability", ".svg", ".png", ".csv"),
    log:
        f"{LOG}/plot_deployability.log",
    benchmark:
        f"{LOG}/plot_deployability.tsv"
    localrule: True
    conda:
        environment("report")
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_deployability.py"),
        code=code("plot_deployability.py"),
    shell:
        "python {params.script} --analog {input} --out {output} 2>&1 | tee {log}"


rule plot_curves:
    input:
        lambda wildcards: [
            run_path(run, "history.csv") for run in CONFIG.runs_of(wildcards.model)
        ],
    output:
        report(
            f"{SPACE}/runs/{{model}}/curves.pdf",
            caption="../report/curves.rst",
            category="Training curves",
            labels={"model": "{model}"},
        ),
        multiext(f"{SPACE}/runs/{{model}}/curves", ".svg", ".png", ".csv"),
    log:
        f"{LOG}/plot_curves/{{model}}.log",
    benchmark:
        f"{LOG}/plot_curves/{{model}}.tsv"
    conda:
        environment("report")
    threads: 1
    resources:
        **asks("plot_curves", mem_mb=500, runtime=10),
    params:
        script=script("plot_curves.py"),
        code=code("plot_curves.py"),
    shell:
        "python {params.script} --histories {input} --title {wildcards.model:q} "
        "--out {output} 2>&1 | tee {log}"


rule plot_all_ranks:
    input:
        ROWS["ranks"],
    output:
        curves=report(
            "results/figures/recall_curves.pdf",
            caption="../report/recall_curves.rst",
            category="Figures",
        ),
        curves_beside=multiext("results/figures/recall_curves", ".svg", ".png", ".csv"),
        histograms=report(
            "results/figures/rank_histograms.pdf",
            caption="../report/rank_histograms.rst",
            category="Figures",
        ),
        histograms_beside=multiext(
            "results/figures/rank_histograms", ".svg", ".png", ".csv"
        ),
    log:
        f"{LOG}/plot_all_ranks.log",
    benchmark:
        f"{LOG}/plot_all_ranks.tsv"
    conda:
        environment("report")
    threads: 1
    resources:
        **asks("plot_all_ranks", mem_mb=1000, runtime=30),
    params:
        script=script("plot_all_ranks.py"),
        evaluation=CONFIG.evaluation.model_dump_json(include={"resamples", "seed"}),
        code=code("plot_all_ranks.py"),
    shell:
        "python {params.script} --evaluation {params.evaluation:q} --ranks {input} "
        "--curves {output.curves} {output.curves_beside} "
        "--histograms {output.histograms} {output.histograms_beside} 2>&1 | tee {log}"


rule plot_rules:
    output:
        report(
            "results/figures/rulegraph.pdf",
            caption="../report/rulegraph.rst",
            category="Figures",
        ),
        multiext("results/figures/rulegraph", ".svg", ".png", ".csv"),
    log:
        f"{LOG}/plot_rules.log",
    benchmark:
        f"{LOG}/plot_rules.tsv"
    localrule: True
    conda:
        environment("report")
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_rules.py"),
        snakefile=os.path.relpath(workflow.main_snakefile),
        # Functions of the input, since neither makes the graph another one: `shape` and `rules` do.
        python=lambda wildcards, input: sys.executable,
        config=lambda wildcards, input: CONFIG.model_dump_json(),
        order=lambda wildcards, input: [rule.name for rule in workflow.rules],
        shape=config_shape(),
        rules=[file_hash(workflow.main_snakefile), folder_hash(RULES)],
        code=code("plot_rules.py"),
    shell:
        "python {params.script} --python {params.python} --snakefile {params.snakefile:q} "
        "--config {params.config:q} --order {params.order} --out {output} 2>&1 | tee {log}"
