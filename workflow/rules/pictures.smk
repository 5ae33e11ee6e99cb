# A run's space, what it retrieves and where the right answers land, as pictures: of any run when asked
# for, in the main job of some.


rule plot_space:
    input:
        unpack(stores),
        **TABLES,
        weights=f"{RUN}/model.safetensors",
        settings=f"{RUN}/settings.json",
        similarity=f"{RUN}/{{kind}}.npy",
    output:
        report(
            f"{RUN}/{{kind}}.space.pdf",
            caption="../report/space.rst",
            category="Spaces",
            labels={"model": "{model}", "seed": "{seed}", "similarity": "{kind}"},
        ),
        multiext(f"{RUN}/{{kind}}.space", ".svg", ".png", ".csv"),
    log:
        f"{LOG}/plot_space/{{model}}.{{seed}}.{{kind}}.log",
    benchmark:
        f"{LOG}/plot_space/{{model}}.{{seed}}.{{kind}}.tsv"
    conda:
        environment("pictures")
    threads: 1
    resources:
        **asks("plot_space", mem_mb=1500, runtime=60),
    params:
        script=script("plot_space.py"),
        data=CONFIG.data.model_dump_json(),
        pictures=CONFIG.pictures.model_dump_json(exclude={"models", "queries"}),
        device=CONFIG.device,
        code=family_code("plot_space.py"),
    shell:
        "python {params.script} --data {params.data:q} --pictures {params.pictures:q} "
        "--weights {input.weights} --kind {wildcards.kind} --similarity {input.similarity} "
        "--manifest {input.manifest} --captions {input.captions} --items {input.embedded_items} "
        "--embedded-captions {input.embedded_captions} "
        "--title {wildcards.model:q}', seed {wildcards.seed}' --out {output} "
        "--device {params.device} --threads {threads} 2>&1 | tee {log}"


rule plot_retrieved:
    input:
        **TABLES,
        embedded_items=lambda wildcards: stores(wildcards)["embedded_items"],
        similarity=f"{RUN}/{{kind}}.npy",
        ranks=f"{RUN}/{{kind}}.ranks.parquet",
    output:
        report(
            f"{RUN}/{{kind}}.retrieved.pdf",
            caption="../report/retrieved.rst",
            category="Retrieved",
            labels={"model": "{model}", "seed": "{seed}", "similarity": "{kind}"},
        ),
        multiext(f"{RUN}/{{kind}}.retrieved", ".svg", ".png", ".csv"),
    log:
        f"{LOG}/plot_retrieved/{{model}}.{{seed}}.{{kind}}.log",
    benchmark:
        f"{LOG}/plot_retrieved/{{model}}.{{seed}}.{{kind}}.tsv"
    conda:
        environment("pictures")
    threads: 1
    resources:
        **asks("plot_retrieved", mem_mb=1000, runtime=30),
    params:
        script=script("plot_retrieved.py"),
        data=CONFIG.data.model_dump_json(),
        pictures=CONFIG.pictures.model_dump_json(include={"queries", "seed"}),
        code=code("plot_retrieved.py"),
    shell:
        "python {params.script} --data {params.data:q} --pictures {params.pictures:q} "
        "--manifest {input.manifest} --captions {input.captions} --items {input.embedded_items} "
        "--similarity {input.similarity} --ranks {input.ranks} "
        "--title {wildcards.model:q}', seed {wildcards.seed}, {wildcards.kind}; test' "
        "--out {output} 2>&1 | tee {log}"


rule plot_ranks:
    input:
        curve=f"{RUN}/{{kind}}.recall_curve.csv",
        histogram=f"{RUN}/{{kind}}.rank_histogram.csv",
    output:
        report(
            f"{RUN}/{{kind}}.ranks_figure.pdf",
            caption="../report/ranks.rst",
            category="Ranks",
            labels={"model": "{model}", "seed": "{seed}", "similarity": "{kind}"},
        ),
        multiext(f"{RUN}/{{kind}}.ranks_figure", ".svg", ".png"),
    log:
        f"{LOG}/plot_ranks/{{model}}.{{seed}}.{{kind}}.log",
    benchmark:
        f"{LOG}/plot_ranks/{{model}}.{{seed}}.{{kind}}.tsv"
    conda:
        environment("report")
    threads: 1
    resources:
        **asks("plot_ranks", mem_mb=500, runtime=10),
    params:
        script=script("plot_ranks.py"),
        code=code("plot_ranks.py"),
    shell:
        "python {params.script} --curve {input.curve} --histogram {input.histogram} "
        "--title {wildcards.model:q}', seed {wildcards.seed}, {wildcards.kind}; test' "
        "--out {output} 2>&1 | tee {log}"
