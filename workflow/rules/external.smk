# Similarity matrices made elsewhere -> a table each, with paired tests against a model of ours.


def external_files(wildcards):
    """What an entry of `external` needs: its files, and of this data set what says whose they are."""
    matrix = CONFIG.external_entry(wildcards.external)
    files = {"similarity": matrix.similarity, "ids": list(matrix.id_files.values())}
    for path in sum(files.values(), []):
        # One under results may be made by another rule; of any other Snakemake would say less.
        if not path.startswith("results/") and not Path(path).is_file():
            raise ConfigError(f"external.{wildcards.external}: {path}: no such file")
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
        mem_mb=lambda wildcards, input: 1000 + int(2 * input.size_mb),
        runtime=60,
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
