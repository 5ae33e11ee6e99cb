# Similarity matrices made elsewhere -> a table each, with paired tests against a model of ours.


rule score_external:
    input:
        unpack(external_files),
    output:
        table=report(
            "results/external/{external}.csv",
            caption="../report/external.rst",
            category="External",
            labels={"matrix": "{external}"},
        ),
        ranks="results/external/{external}.ranks.parquet",
    log:
        f"{LOG}/score_external/{{external}}.log",
    benchmark:
        f"{LOG}/score_external/{{external}}.tsv"
    wildcard_constraints:
        external="[^/]+",
    conda:
        environment("torch")
    threads: 1
    resources:
        # The matrix that is ranked, float32 of float16 files at the most, and a block of each file.
        **asks(
            "score_external",
            mem_mb=lambda wildcards, input: 1000 + int(2 * input.size_mb),
            runtime=60,
        ),
    params:
        script=script("score_external.py"),
        external=lambda wildcards: CONFIG.external_entry(
            wildcards.external
        ).model_dump_json(),
        arguments=external_arguments,
        data=CONFIG.data.model_dump_json(),
        evaluation=CONFIG.evaluation.model_dump_json(),
        code=evaluation_code("score_external.py"),
    shell:
        "python {params.script} --name {wildcards.external} --external {params.external:q} "
        "--data {params.data:q} --evaluation {params.evaluation:q} {params.arguments} "
        "--table {output.table} --ranks {output.ranks} --threads {threads} 2>&1 | tee {log}"
