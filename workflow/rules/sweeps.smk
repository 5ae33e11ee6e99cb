# Runs of a sweep's combinations -> its table, its figure and the entry that is best on val.


rule sweep:
    input:
        ranks=sweep_files("{kind}.ranks.parquet"),
        histories=sweep_files("history.csv"),
        latencies=sweep_files("{kind}.latency.json", first_seed=True),
    output:
        table=report(
            "results/sweeps/{sweep}.csv",
            caption="../report/sweep.rst",
            category="Sweeps",
            labels={"sweep": "{sweep}", "what": "table"},
        ),
        best="results/sweeps/{sweep}.best.yaml",
    log:
        f"{LOG}/sweep/{{sweep}}.log",
    benchmark:
        f"{LOG}/sweep/{{sweep}}.tsv"
    conda:
        environment("report")
    threads: 1
    resources:
        **asks("sweep", mem_mb=1000, runtime=30),
    params:
        script=script("sweep.py"),
        config=CONFIG.model_dump_json(exclude={"pictures", "tables", *UNSEEN}),
        space=lambda wildcards, input: Path(input.histories[0]).parents[3],
        code=evaluation_code("sweep.py"),
    shell:
        "python {params.script} --config {params.config:q} --sweep {wildcards.sweep} "
        "--space {params.space} --table {output.table} --best {output.best} 2>&1 | tee {log}"


rule plot_sweep:
    input:
        "results/sweeps/{sweep}.csv",
    output:
        report(
            "results/sweeps/{sweep}.pdf",
            caption="../report/sweep.rst",
            category="Sweeps",
            labels={"sweep": "{sweep}", "what": "figure"},
        ),
        multiext("results/sweeps/{sweep}", ".svg", ".png"),
    log:
        f"{LOG}/plot_sweep/{{sweep}}.log",
    benchmark:
        f"{LOG}/plot_sweep/{{sweep}}.tsv"
    localrule: True
    conda:
        environment("report")
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_sweep.py"),
        config=CONFIG.model_dump_json(exclude={"pictures", "tables", *UNSEEN}),
        code=code("plot_sweep.py"),
    shell:
        "python {params.script} --config {params.config:q} --sweep {wildcards.sweep} "
        "--table {input} --out {output} 2>&1 | tee {log}"
