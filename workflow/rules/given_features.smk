# Features that come with the data set -> the same stores that extraction writes.


rule import_features:
    input:
        **TABLES,
        files=GIVEN_FILES,
    output:
        [f"{SPACE}/features/{name}.h5" for name in GIVEN_STORES],
        problems=f"{SPACE}/features/problems.csv",
    log:
        f"{LOG}/import_features/{CONFIG.data.name}.{CONFIG.encoder.name}.log",
    benchmark:
        f"{LOG}/import_features/{CONFIG.data.name}.{CONFIG.encoder.name}.tsv"
    conda:
        environment("torch")
    threads: 1
    resources:
        **asks("import_features", mem_mb=2500, runtime=60),
    params:
        script=script("import_features.py"),
        data=CONFIG.data.model_dump_json(),
        encoder=CONFIG.encoder.model_dump_json(),
        folder=lambda wildcards, output: Path(output.problems).parent,
        code=source_code("import_features.py"),
    shell:
        "python {params.script} --data {params.data:q} --encoder {params.encoder:q} "
        "--manifest {input.manifest} --captions {input.captions} --folder {params.folder} "
        "--problems {output.problems} 2>&1 | tee {log}"
