# Embeddings -> teacher -> the polynomial that a model is trained and scored with.


rule build_teacher:
    input:
        **TABLES,
        **EMBEDDINGS,
        checkpoint=teacher_checkpoint,
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
        **asks("build_teacher", mem_mb=2000, runtime=60),
    params:
        script=script("build_teacher.py"),
        data=CONFIG.data.model_dump_json(),
        settings=lambda wildcards: CONFIG.teacher_entry(
            wildcards.teacher
        ).model_dump_json(),
        weights=lambda wildcards, input: (
            f"--weights {input.checkpoint[0]}" if input.checkpoint else ""
        ),
        code=lambda wildcards: teacher_code(wildcards.teacher),
    shell:
        "python {params.script} --data {params.data:q} --settings {params.settings:q} "
        "{params.weights} --manifest {input.manifest} --captions {input.captions} --items {input.embedded_items} "
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
        **asks("fit_surrogate", mem_mb=1500, runtime=20),
    params:
        script=script("fit_surrogate.py"),
        degree=lambda wildcards: entry(wildcards).degree,
        alpha=lambda wildcards: entry(wildcards).alpha,
        published=lambda wildcards: "--published" if entry(wildcards).published else "",
        code=code("fit_surrogate.py"),
    shell:
        "python {params.script} --teacher {input.teacher} --degree {params.degree} "
        "--alpha {params.alpha} {params.published} --out {output} 2>&1 | tee {log}"


rule map_errors:
    input:
        surrogate=f"{SPACE}/surrogates/{{model}}.json",
        teacher=lambda wildcards: f"{SPACE}/teachers/{entry(wildcards).teacher}.parquet",
    output:
        report(
            f"{SPACE}/surrogates/{{model}}.error_map.pdf",
            caption="../report/error_map.rst",
            category="Surrogates",
            labels={"model": "{model}"},
        ),
        multiext(f"{SPACE}/surrogates/{{model}}.error_map", ".svg", ".png", ".csv"),
    log:
        f"{LOG}/map_errors/{{model}}.log",
    benchmark:
        f"{LOG}/map_errors/{{model}}.tsv"
    conda:
        environment("pictures")
    threads: 1
    resources:
        **asks("map_errors", mem_mb=1000, runtime=20),
    params:
        script=script("map_errors.py"),
        code=code("map_errors.py"),
    shell:
        "python {params.script} --surrogate {input.surrogate} --teacher {input.teacher} "
        "--title {wildcards.model:q} --out {output} 2>&1 | tee {log}"


ERROR_MAPS = [
    figure_files(f"{SPACE}/surrogates/{name}.error_map")
    for name in sorted(
        {
            CONFIG.surrogate_model(name)
            for name in CONFIG.models
            if CONFIG.model_entry(name).needs_surrogate
        }
    )
]


# Runs whose head gives Gaussians: a teacher is judged on their test pairs.
GAUSSIAN_RUNS = [
    run for run in RUNS if CONFIG.model_entry(run.model).family == "probabilistic"
]
COMPARED = CONFIG.comparison_run()
TEACHER_TABLES = (
    ["results/teachers.csv", *figure_files("results/figures/teachers")]
    if GAUSSIAN_RUNS
    else []
)


rule compare_teachers:
    input:
        **TABLES,
        **EMBEDDINGS,
        pcme=(
            [run_path(COMPARED, f) for f in ("model.safetensors", "settings.json")]
            if COMPARED
            else []
        ),
        heads=[run_path(run, "model.safetensors") for run in GAUSSIAN_RUNS],
        settings=[run_path(run, "settings.json") for run in GAUSSIAN_RUNS],
    output:
        table=report(
            "results/teachers.csv",
            caption="../report/teachers.rst",
            category="Tables",
        ),
        points=f"{SPACE}/teacher_points.parquet",
    log:
        f"{LOG}/compare_teachers.log",
    benchmark:
        f"{LOG}/compare_teachers.tsv"
    conda:
        environment("torch")
    # Every core is taken, so that the times in the table are of this job alone.
    threads: workflow.resource_settings.cores or 1
    resources:
        **asks("compare_teachers", mem_mb=2000, runtime=60),
    params:
        script=script("compare_teachers.py"),
        data=CONFIG.data.model_dump_json(),
        settings=CONFIG.teacher_comparison.model_dump_json(),
        weights=lambda wildcards, input: (
            f"--weights {input.pcme[0]}" if input.pcme else ""
        ),
        code=code("compare_teachers.py", "polymatch.models.probabilistic"),
    shell:
        "python {params.script} --data {params.data:q} --settings {params.settings:q} "
        "{params.weights} --heads {input.heads} --manifest {input.manifest} "
        "--captions {input.captions} --items {input.embedded_items} "
        "--embedded-captions {input.embedded_captions} --out {output.table} "
        "--points {output.points} 2>&1 | tee {log}"


rule plot_teachers:
    input:
        f"{SPACE}/teacher_points.parquet",
    output:
        report(
            "results/figures/teachers.pdf",
            caption="../report/teachers_figure.rst",
            category="Figures",
        ),
        multiext("results/figures/teachers", ".svg", ".png", ".csv"),
    log:
        f"{LOG}/plot_teachers.log",
    benchmark:
        f"{LOG}/plot_teachers.tsv"
    localrule: True
    conda:
        environment("report")
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_teachers.py"),
        code=code("plot_teachers.py"),
    shell:
        "python {params.script} --points {input} --out {output} 2>&1 | tee {log}"
