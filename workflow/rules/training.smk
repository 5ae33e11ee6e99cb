# Embeddings or features -> a trained head, a run each.


rule train:
    input:
        unpack(stores),
        unpack(taught),
        **TABLES,
        surrogate=surrogate_of,
        published=lambda wildcards: entry(wildcards).published_files,
        members=members("model.safetensors"),
        member_settings=members("settings.json"),
    output:
        weights=f"{RUN}/model.safetensors",
        settings=f"{RUN}/settings.json",
        history=f"{RUN}/history.csv",
        last=f"{RUN}/last/model.safetensors",
        last_settings=f"{RUN}/last/settings.json",
    log:
        f"{LOG}/train/{{model}}.{{seed}}.log",
    benchmark:
        f"{LOG}/train/{{model}}.{{seed}}.tsv"
    group:
        TRAINED_TOGETHER
    conda:
        environment("torch")
    threads: lambda wildcards: entry(wildcards).processes
    resources:
        **asks("train", mem_mb=training_memory, runtime=240),
    params:
        script=script("train.py"),
        data=CONFIG.data.model_dump_json(),
        model=entry_json,
        surrogate=lambda wildcards, input: (
            f"--surrogate {input.surrogate}" if input.surrogate else ""
        ),
        members=lambda wildcards, input: (
            f"--members {input.members}" if input.members else ""
        ),
        taught=taught_arguments,
        python=python,
        device=CONFIG.device,
        code=family_code("train.py"),
    shell:
        "{params.python} {params.script} --data {params.data:q} --model {params.model:q} "
        "--seed {wildcards.seed} --name {wildcards.model} {params.surrogate} {params.members} {params.taught} "
        "--manifest {input.manifest} --captions {input.captions} --items {input.embedded_items} "
        "--embedded-captions {input.embedded_captions} --history {output.history} "
        "--last $(dirname {output.last}) --code {params.code} "
        "--device {params.device} --threads 1 2>&1 | tee {log}"
