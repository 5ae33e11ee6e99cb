# The same in shards, a job each: similarity by items, put together or not; ranks by queries.


checkpoint count_pairs:
    input:
        **TABLES,
        embedded_items=lambda wildcards: STORES[wildcards.start]["embedded_items"],
    output:
        COUNTS,
    log:
        f"{LOG}/count_pairs/{CONFIG.data.name}.{CONFIG.encoder.name}.{{start}}.log",
    benchmark:
        f"{LOG}/count_pairs/{CONFIG.data.name}.{CONFIG.encoder.name}.{{start}}.tsv"
    wildcard_constraints:
        start="[a-z_]+",
    conda:
        environment("data")
    threads: 1
    resources:
        **asks("count_pairs", mem_mb=1000, runtime=10),
    params:
        script=script("count_work.py"),
        data=CONFIG.data.model_dump_json(),
        code=code("count_work.py"),
    shell:
        "python {params.script} --data {params.data:q} --manifest {input.manifest} "
        "--captions {input.captions} --items {input.embedded_items} --out {output} 2>&1 | tee {log}"


rule score_shard:
    input:
        unpack(stores),
        **TABLES,
        weights=f"{RUN}/model.safetensors",
        settings=f"{RUN}/settings.json",
    output:
        temp(f"{SCORES}.npy"),
    log:
        f"{LOG}/score_shard/{{model}}.{{seed}}.{{kind}}.{{shards}}.{{shard}}.log",
    benchmark:
        f"{LOG}/score_shard/{{model}}.{{seed}}.{{kind}}.{{shards}}.{{shard}}.tsv"
    wildcard_constraints:
        model=DIVIDED,
    conda:
        environment("torch")
    threads: 1
    resources:
        **asks("score_shard", mem_mb=2500, runtime=60),
    params:
        script=script("score.py"),
        data=CONFIG.data.model_dump_json(),
        device=CONFIG.device,
        code=family_code("score.py"),
    shell:
        "python {params.script} --data {params.data:q} --weights {input.weights} "
        f"--kind {{wildcards.kind}} {SHARD_OPTIONS} "
        "--manifest {input.manifest} --captions {input.captions} "
        "--items {input.embedded_items} --embedded-captions {input.embedded_captions} --out {output} "
        "--device {params.device} --threads {threads} 2>&1 | tee {log}"


rule gather_scores:
    input:
        score_parts(".npy"),
    output:
        f"{RUN}/{{kind}}.npy",
    log:
        f"{LOG}/gather_scores/{{model}}.{{seed}}.{{kind}}.log",
    benchmark:
        f"{LOG}/gather_scores/{{model}}.{{seed}}.{{kind}}.tsv"
    wildcard_constraints:
        model=DIVIDED,
    conda:
        environment("torch")
    threads: 1
    resources:
        **asks("gather_scores", mem_mb=1000, runtime=30),
    params:
        script=script("gather_scores.py"),
        code=code("gather_scores.py"),
    shell:
        "python {params.script} {input} --out {output} 2>&1 | tee {log}"


rule rank_shard:
    input:
        **TABLES,
        **JUDGED,
        annotations=ANNOTATIONS["eccv"] + ANNOTATIONS["cxc"],
        embedded_items=lambda wildcards: stores(wildcards)["embedded_items"],
        counted=counts_of,
        similarity=score_parts(".npy"),
    output:
        temp(f"{SCORES}.ranks.parquet"),
    log:
        f"{LOG}/rank_shard/{{model}}.{{seed}}.{{kind}}.{{shards}}.{{shard}}.log",
    benchmark:
        f"{LOG}/rank_shard/{{model}}.{{seed}}.{{kind}}.{{shards}}.{{shard}}.tsv"
    wildcard_constraints:
        model=APART,
    conda:
        environment("torch")
    threads: 1
    resources:
        **asks("rank_shard", mem_mb=ranking_memory, runtime=60),
    params:
        script=script("rank_shard.py"),
        data=CONFIG.data.model_dump_json(),
        evaluation=CONFIG.evaluation.model_dump_json(),
        judged=[word for name, path in JUDGED.items() for word in (f"--{name}", path)],
        code=code("rank_shard.py"),
    shell:
        "python {params.script} --data {params.data:q} --evaluation {params.evaluation:q} "
        "--manifest {input.manifest} --captions {input.captions} --items {input.embedded_items} "
        "--similarity {input.similarity} --shard {wildcards.shard} --out {output} "
        "{params.judged} --threads {threads} 2>&1 | tee {log}"


rule gather_ranks:
    input:
        **TABLES,
        embedded_items=lambda wildcards: stores(wildcards)["embedded_items"],
        ranks=score_parts(".ranks.parquet"),
    output:
        metrics=f"{RUN}/{{kind}}.metrics.json",
        ranks=f"{RUN}/{{kind}}.ranks.parquet",
        curve=f"{RUN}/{{kind}}.recall_curve.csv",
        histogram=f"{RUN}/{{kind}}.rank_histogram.csv",
    log:
        f"{LOG}/gather_ranks/{{model}}.{{seed}}.{{kind}}.log",
    benchmark:
        f"{LOG}/gather_ranks/{{model}}.{{seed}}.{{kind}}.tsv"
    wildcard_constraints:
        model=APART,
    conda:
        environment("torch")
    threads: 1
    resources:
        **asks("gather_ranks", mem_mb=2000, runtime=60),
    params:
        script=script("gather_ranks.py"),
        data=CONFIG.data.model_dump_json(),
        evaluation=CONFIG.evaluation.model_dump_json(),
        code=evaluation_code("gather_ranks.py"),
    shell:
        "python {params.script} --data {params.data:q} --evaluation {params.evaluation:q} "
        "--manifest {input.manifest} --captions {input.captions} --items {input.embedded_items} "
        "--parts {input.ranks} --metrics {output.metrics} --ranks {output.ranks} "
        "--curve {output.curve} --histogram {output.histogram} 2>&1 | tee {log}"
