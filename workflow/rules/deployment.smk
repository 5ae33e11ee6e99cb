# Latency, memory, their growth, and deployability: for each model and similarity, on its first seed.


rule measure:
    input:
        unpack(stores),
        **TABLES,
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
        **asks("measure", mem_mb=4000, runtime=60),
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


rule deploy:
    input:
        unpack(stores),
        **TABLES,
        weights=runs_simulated,
        settings=settings_simulated,
    output:
        record=f"{RUN}/{{kind}}.deployability.json",
        analog=f"{RUN}/{{kind}}.analog.csv",
        operators=f"{RUN}/{{kind}}.operators.csv",
        onnx=expand(
            f"{RUN}/onnx/{{kind}}/{{stage}}.onnx",
            stage=["items", "captions", "scorer"],
            allow_missing=True,
        ),
    log:
        f"{LOG}/deploy/{{model}}.{{seed}}.{{kind}}.log",
    benchmark:
        f"{LOG}/deploy/{{model}}.{{seed}}.{{kind}}.tsv"
    conda:
        environment("deployment")
    threads: 1
    resources:
        **asks("deploy", mem_mb=1500, runtime=120),
    params:
        script=script("deploy.py"),
        data=CONFIG.data.model_dump_json(),
        settings=CONFIG.deployment.model_dump_json(exclude={"models"}),
        onnx=lambda wildcards, output: Path(output.onnx[0]).parent,
        code=family_code("deploy.py"),
    shell:
        "python {params.script} --data {params.data:q} --settings {params.settings:q} "
        "--weights {input.weights} --name {wildcards.model:q} --kind {wildcards.kind} "
        "--manifest {input.manifest} --captions {input.captions} --items {input.embedded_items} "
        "--embedded-captions {input.embedded_captions} --onnx {params.onnx} "
        "--operators {output.operators} --analog {output.analog} --out {output.record} "
        "--threads {threads} 2>&1 | tee {log}"
