# Runs of a table's rows -> the table, and its figure.


rule size_table:
    input:
        ranks=table_files("ranks.parquet"),
        latencies=table_files("latency.json", first_seed=True),
    output:
        table=report(
            "results/tables/{table}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}", "what": "table"},
        ),
        markdown="results/tables/{table}.md",
        pdf=report(
            "results/tables/{table}.pdf",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}", "what": "figure"},
        ),
        drawn=multiext("results/tables/{table}", ".svg", ".png"),
    log:
        f"{LOG}/size_table/{{table}}.log",
    benchmark:
        f"{LOG}/size_table/{{table}}.tsv"
    conda:
        environment("report")
    threads: 1
    resources:
        **asks("size_table", mem_mb=1000, runtime=30),
    params:
        script=script("size_table.py"),
        config=CONFIG.model_dump_json(exclude={"pictures", *UNSEEN}),
        space=lambda wildcards, input: Path(input.ranks[0]).parents[3],
        code=evaluation_code("size_table.py"),
    shell:
        "python {params.script} --config {params.config:q} --name {wildcards.table} "
        "--space {params.space} --table {output.table} --markdown {output.markdown} "
        "--figures {output.pdf} {output.drawn} 2>&1 | tee {log}"
