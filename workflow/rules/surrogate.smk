# Embeddings -> teacher -> the polynomial that a model is trained and scored with.


rule build_teacher:
    input:
        **TABLES,
        **EMBEDDINGS,
    output:
        f"{SPACE}/teachers/{{teacher}}.parquet",
    log:
        f"{LOG}/build_teacher/{{teacher}}.log",
    benchmark:
        f"{LOG}/build_teacher/{{teacher}}.tsv"
    conda:
        environment("torch")
    threads: 2
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        script=script("build_teacher.py"),
        data=CONFIG.data.model_dump_json(),
        settings=lambda wildcards: CONFIG.teacher_entry(
            wildcards.teacher
        ).model_dump_json(),
        code=code("build_teacher.py"),
    shell:
        "python {params.script} --data {params.data:q} --settings {params.settings:q} "
        "--manifest {input.manifest} --captions {input.captions} --items {input.embedded_items} "
        "--embedded-captions {input.embedded_captions} --out {output} "
        "--threads {threads} 2>&1 | tee {log}"


rule fit_surrogate:
    input:
        teacher=lambda wildcards: f"{SPACE}/teachers/{entry(wildcards).teacher}.parquet",
    output:
        f"{SPACE}/surrogates/{{model}}.json",
    log:
        f"{LOG}/fit_surrogate/{{model}}.log",
    benchmark:
        f"{LOG}/fit_surrogate/{{model}}.tsv"
    conda:
        environment("torch")
    threads: 1
    resources:
        mem_mb=1500,
        runtime=20,
    params:
        script=script("fit_surrogate.py"),
        degree=lambda wildcards: entry(wildcards).degree,
        alpha=lambda wildcards: entry(wildcards).alpha,
        published=lambda wildcards: "--published" if entry(wildcards).published else "",
        code=code("fit_surrogate.py"),
    shell:
        "python {params.script} --teacher {input.teacher} --degree {params.degree} "
        "--alpha {params.alpha} {params.published} --out {output} 2>&1 | tee {log}"
