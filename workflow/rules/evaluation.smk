# A trained head -> similarity on the test split -> metrics, ranks, and the surrogate's certificate.


rule score:
    input:
        unpack(stores),
        **TABLES,
        weights=f"{RUN}/model.safetensors",
        settings=f"{RUN}/settings.json",
    output:
        f"{RUN}/{{kind}}.npy",
    log:
        f"{LOG}/score/{{model}}.{{seed}}.{{kind}}.log",
    benchmark:
        f"{LOG}/score/{{model}}.{{seed}}.{{kind}}.tsv"
    wildcard_constraints:
        model=f"(?!{DIVIDED}/)[^/]+",
    conda:
        environment("torch")
    threads: 1
    resources:
        **asks("score", mem_mb=scoring_memory, runtime=60),
    params:
        script=script("score.py"),
        data=CONFIG.data.model_dump_json(),
        device=CONFIG.device,
        code=family_code("score.py"),
    shell:
        "python {params.script} --data {params.data:q} --weights {input.weights} "
        "--kind {wildcards.kind} --manifest {input.manifest} --captions {input.captions} "
        "--items {input.embedded_items} --embedded-captions {input.embedded_captions} --out {output} "
        "--device {params.device} --threads {threads} 2>&1 | tee {log}"


rule relate:
    input:
        **TABLES,
    output:
        f"{DATA}/semantic.npz",
    log:
        f"{LOG}/relate/{CONFIG.data.name}.log",
    benchmark:
        f"{LOG}/relate/{CONFIG.data.name}.tsv"
    conda:
        environment("torch")
    threads: 1
    resources:
        # Most of 5,000 x 25,000 captions have a word in common.
        **asks("relate", mem_mb=4000, runtime=30),
    params:
        script=script("relate.py"),
        data=CONFIG.data.model_dump_json(),
        code=code("relate.py"),
    shell:
        "python {params.script} --data {params.data:q} --manifest {input.manifest} "
        "--captions {input.captions} --out {output} 2>&1 | tee {log}"


rule categorise:
    input:
        manifest=TABLES["manifest"],
        annotation=ANNOTATIONS["pmrp"],
    output:
        f"{DATA}/categories.parquet",
    log:
        f"{LOG}/categorise/{CONFIG.data.name}.log",
    benchmark:
        f"{LOG}/categorise/{CONFIG.data.name}.tsv"
    conda:
        environment("data")
    threads: 1
    resources:
        **asks("categorise", mem_mb=2000, runtime=30),
    params:
        script=script("categorise.py"),
        source=CONFIG.evaluation.pmrp,
        code=code("categorise.py"),
    shell:
        "python {params.script} --source {params.source:q} --manifest {input.manifest} "
        "--out {output} 2>&1 | tee {log}"


rule evaluate:
    input:
        **TABLES,
        **JUDGED,
        annotations=ANNOTATIONS["eccv"] + ANNOTATIONS["cxc"],
        embedded_items=lambda wildcards: stores(wildcards)["embedded_items"],
        similarity=f"{RUN}/{{kind}}.npy",
    output:
        metrics=f"{RUN}/{{kind}}.metrics.json",
        ranks=f"{RUN}/{{kind}}.ranks.parquet",
        curve=f"{RUN}/{{kind}}.recall_curve.csv",
        histogram=f"{RUN}/{{kind}}.rank_histogram.csv",
    log:
        f"{LOG}/evaluate/{{model}}.{{seed}}.{{kind}}.log",
    benchmark:
        f"{LOG}/evaluate/{{model}}.{{seed}}.{{kind}}.tsv"
    wildcard_constraints:
        model=f"(?!{APART}/)[^/]+",
    conda:
        environment("torch")
    threads: 1
    resources:
        **asks("evaluate", mem_mb=1000, runtime=60),
    params:
        script=script("evaluate.py"),
        data=CONFIG.data.model_dump_json(),
        evaluation=CONFIG.evaluation.model_dump_json(),
        judged=[word for name, path in JUDGED.items() for word in (f"--{name}", path)],
        code=evaluation_code("evaluate.py"),
    shell:
        "python {params.script} --data {params.data:q} --evaluation {params.evaluation:q} "
        "--manifest {input.manifest} --captions {input.captions} "
        "--items {input.embedded_items} --similarity {input.similarity} --metrics {output.metrics} --ranks {output.ranks} "
        "--curve {output.curve} --histogram {output.histogram} "
        "{params.judged} --threads {threads} 2>&1 | tee {log}"


rule certify:
    input:
        unpack(stores),
        **TABLES,
        weights=f"{RUN}/model.safetensors",
        settings=f"{RUN}/settings.json",
    output:
        f"{RUN}/certificate.json",
    log:
        f"{LOG}/certify/{{model}}.{{seed}}.log",
    benchmark:
        f"{LOG}/certify/{{model}}.{{seed}}.tsv"
    conda:
        environment("torch")
    threads: 1
    resources:
        **asks("certify", mem_mb=1500, runtime=60),
    params:
        script=script("certify.py"),
        data=CONFIG.data.model_dump_json(),
        teacher=lambda wildcards: CONFIG.teacher_entry(
            entry(wildcards).teacher
        ).model_dump_json(),
        pairs=CONFIG.evaluation.certificate_pairs,
        queries=CONFIG.evaluation.certificate_queries,
        seed=CONFIG.evaluation.seed,
        code=family_code("certify.py"),
    shell:
        "python {params.script} --data {params.data:q} --teacher {params.teacher:q} "
        "--weights {input.weights} --manifest {input.manifest} --captions {input.captions} "
        "--items {input.embedded_items} --embedded-captions {input.embedded_captions} "
        "--pairs {params.pairs} --queries {params.queries} --seed {params.seed} --out {output} "
        "--threads {threads} 2>&1 | tee {log}"
