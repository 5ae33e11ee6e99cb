# Everything measured -> tables and figures that a person reads.

ROWS = {
    "metrics": [run_path(run, f"{kind}.metrics.json") for run, kind in SCORED],
    "ranks": [run_path(run, f"{kind}.ranks.parquet") for run, kind in SCORED],
    "latencies": [
        run_path(CONFIG.runs_of(run.model)[0], f"{kind}.latency.json") for run, kind in SCORED
    ],
}
CERTIFICATES = [
    run_path(run, "certificate.json")
    for run in RUNS
    if CONFIG.model_entry(run.model).needs_surrogate
]


rule summarise:
    input:
        metrics=ROWS["metrics"],
        latencies=sorted(set(ROWS["latencies"])),
        certificates=CERTIFICATES,
        histories=[run_path(run, "history.csv") for run in RUNS],
        embeddings=EMBEDDINGS["embedded_items"],
    output:
        report(
            "results/summary.csv",
            caption="../captions/summary.rst",
            category="Tables",
        ),
    params:
        script=script("summarise.py"),
        config=CONFIG.model_dump_json(),
        space=SPACE,
        code=code("summarise.py"),
        stages=json.dumps({name: run_code(name) for name in CONFIG.models}),
    log:
        f"{LOG}/summarise.log",
    benchmark:
        f"{LOG}/summarise.tsv"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    conda:
        environment("report")
    shell:
        "{PYTHON} {params.script} --config {params.config:q} --space {params.space} "
        "--code {params.stages:q} --out {output} 2>&1 | tee {log}"


rule compare:
    input:
        summary="results/summary.csv",
        ranks=ROWS["ranks"],
    output:
        report(
            "results/leaderboard.csv",
            caption="../captions/leaderboard.rst",
            category="Tables",
        ),
    params:
        script=script("compare.py"),
        config=CONFIG.model_dump_json(),
        space=SPACE,
        code=code("compare.py"),
    log:
        f"{LOG}/compare.log",
    benchmark:
        f"{LOG}/compare.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    conda:
        environment("torch")
    shell:
        "{PYTHON} {params.script} --config {params.config:q} --space {params.space} "
        "--summary {input.summary} --out {output} 2>&1 | tee {log}"


rule plot_latency:
    input:
        "results/leaderboard.csv",
    output:
        report(
            "results/figures/r1_latency.pdf",
            caption="../captions/r1_latency.rst",
            category="Figures",
        ),
        "results/figures/r1_latency.png",
    params:
        script=script("plot_latency.py"),
        code=code("plot_latency.py"),
    log:
        f"{LOG}/plot_latency.log",
    benchmark:
        f"{LOG}/plot_latency.tsv"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    conda:
        environment("report")
    shell:
        "{PYTHON} {params.script} --leaderboard {input} --out {output} 2>&1 | tee {log}"


rule plot_curve:
    input:
        f"{RUN}/history.csv",
    output:
        report(
            f"{RUN}/curve.pdf",
            caption="../captions/curve.rst",
            category="Training curves",
            labels={"model": "{model}", "seed": "{seed}"},
        ),
    params:
        script=script("plot_curve.py"),
        code=code("plot_curve.py"),
    log:
        f"{LOG}/plot_curve/{{model}}.{{seed}}.log",
    benchmark:
        f"{LOG}/plot_curve/{{model}}.{{seed}}.tsv"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    conda:
        environment("report")
    shell:
        "{PYTHON} {params.script} --history {input} "
        "--title {wildcards.model:q}', seed {wildcards.seed}' --out {output} 2>&1 | tee {log}"
