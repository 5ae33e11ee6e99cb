# Pictures, clips and captions -> features of the frozen encoders; in one job each, or in shards.


rule extract_items:
    input:
        manifest=TABLES["manifest"],
    output:
        [part_of_features(name) for name in EXTRACTED],
    log:
        f"{LOG}/extract_items/{CONFIG.data.name}.{CONFIG.encoder.name}{SHARD_LOG}.log",
    benchmark:
        f"{LOG}/extract_items/{CONFIG.data.name}.{CONFIG.encoder.name}{SHARD_LOG}.tsv"
    conda:
        encoder_environment("items")
    threads: 4
    resources:
        **asks(
            "extract_items",
            mem_mb=CONFIG.encoder.side("items").memory_mb,
            runtime=240,
            python=encoder_python("items"),
            options=encoder_options,
        ),
    params:
        script=script("extract_items.py"),
        data=CONFIG.data.model_dump_json(),
        encoder=CONFIG.encoder.of("items").model_dump_json(),
        device=CONFIG.device,
        files=RAW_FILES,
        code=encoder_code("extract_items.py"),
    shell:
        "{resources.python} {params.script} --data {params.data:q} --encoder {params.encoder:q} {resources.options} "
        f"{FEATURE_OPTIONS} "
        "--manifest {input.manifest} --out {output} --device {params.device} "
        "--threads {threads} 2>&1 | tee {log}"


rule extract_captions:
    input:
        captions=TABLES["captions"],
    output:
        part_of_features("captions.h5"),
    log:
        f"{LOG}/extract_captions/{CONFIG.data.name}.{CONFIG.encoder.name}{SHARD_LOG}.log",
    benchmark:
        f"{LOG}/extract_captions/{CONFIG.data.name}.{CONFIG.encoder.name}{SHARD_LOG}.tsv"
    conda:
        encoder_environment("captions")
    threads: 4
    resources:
        **asks(
            "extract_captions",
            mem_mb=CONFIG.encoder.side("captions").memory_mb,
            runtime=120,
            python=encoder_python("captions"),
            options=encoder_options,
        ),
    params:
        script=script("extract_captions.py"),
        data=CONFIG.data.name,
        kinds=sorted({*CONFIG.data.train_captions, *CONFIG.data.test_captions}),
        encoder=CONFIG.encoder.of("captions").model_dump_json(),
        device=CONFIG.device,
        code=encoder_code("extract_captions.py", "captions"),
    shell:
        "{resources.python} {params.script} --dataset {params.data} --kinds {params.kinds:q} "
        "--encoder {params.encoder:q} {resources.options} "
        f"{FEATURE_OPTIONS} "
        "--captions {input.captions} --out {output} "
        "--device {params.device} --threads {threads} 2>&1 | tee {log}"


if SHARDED:

    rule gather_features:
        input:
            parts=feature_parts,
            lists=lists_beside,
        output:
            f"{SPACE}/features/{{name}}",
        log:
            f"{LOG}/gather_features/{CONFIG.data.name}.{CONFIG.encoder.name}.{{name}}.log",
        benchmark:
            f"{LOG}/gather_features/{CONFIG.data.name}.{CONFIG.encoder.name}.{{name}}.tsv"
        wildcard_constraints:
            name=r"[a-z_]+\.(h5|csv)",
        conda:
            environment("data")
        threads: 1
        resources:
            **asks("gather_features", mem_mb=1000, runtime=60),
        params:
            script=script("gather_features.py"),
            made_by=made_by,
            code=code("gather_features.py"),
        shell:
            "python {params.script} {input.parts} --out {output} 2>&1 | tee {log}"


if CONFIG.encoder.shards == "auto":

    checkpoint count_items:
        input:
            **TABLES,
        output:
            f"{DATA}/counts.json",
        log:
            f"{LOG}/count_items/{CONFIG.data.name}.log",
        benchmark:
            f"{LOG}/count_items/{CONFIG.data.name}.tsv"
        conda:
            environment("data")
        threads: 1
        resources:
            **asks("count_items", mem_mb=1000, runtime=10),
        params:
            script=script("count_work.py"),
            data=CONFIG.data.model_dump_json(),
            code=code("count_work.py"),
        shell:
            "python {params.script} --data {params.data:q} --manifest {input.manifest} "
            "--captions {input.captions} --out {output} 2>&1 | tee {log}"
