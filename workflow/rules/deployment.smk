# Latency, memory and their growth: measured for each model and similarity, on its first seed.


rule measure:
    input:
        **TABLES,
        **EMBEDDINGS,
        weights=f"{RUN}/model.safetensors",
        settings=f"{RUN}/settings.json",
    output:
        latency=f"{RUN}/{{kind}}.latency.json",
        growth=f"{RUN}/{{kind}}.growth.csv",
    log:
        f"{LOG}/measure/{{model}}.{{seed}}.{{kind}}.log",
    benchmark:
        f"{LOG}/measure/{{model}}.{{seed}}.{{kind}}.tsv"
    conda:
        environment("torch")
    # Every core is taken, so that nothing else of this workflow runs while it measures.
    threads: workflow.resource_settings.cores or CONFIG.benchmark.threads
    resources:
        # A gallery of 100,000 items of width 1024, both moments and their factors.
        mem_mb=4000,
        runtime=60,
    params:
        script=script("measure.py"),
        data=CONFIG.data.model_dump_json(),
        settings=CONFIG.benchmark.model_dump_json(),
        device=CONFIG.device,
        code=family_code("measure.py"),
    shell:
        "python {params.script} --data {params.data:q} --settings {params.settings:q} "
        "--weights {input.weights} --kind {wildcards.kind} --manifest {input.manifest} "
        "--captions {input.captions} --items {input.embedded_items} "
        "--embedded-captions {input.embedded_captions} --out {output.latency} --growth {output.growth} "
        "--device {params.device} 2>&1 | tee {log}"
