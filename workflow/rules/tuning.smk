# Embeddings or features -> a study's trials, its best one as a model entry, its figures.
# Its workers are processes of one job, or (`jobs`) jobs that share the storage, on any machines.


# The storage lies beside the outputs and is none of them: outputs of a stopped job are removed.
rule tune:
    input:
        unpack(study_stores),
        unpack(study_taught),
        **TABLES,
        workers=study_workers,
    output:
        best="results/tuning/{study}/best.yaml",
        trials=report(
            "results/tuning/{study}/trials.csv",
            caption="../report/tuning.rst",
            category="Tuning",
            labels={"study": "{study}", "what": "trials"},
        ),
    log:
        f"{LOG}/tune/{{study}}.log",
    benchmark:
        f"{LOG}/tune/{{study}}.tsv"
    conda:
        environment("tuning")
    threads: study_processes
    resources:
        **asks("tune", mem_mb=study_memory, runtime=1440),
    params:
        script=script("tune.py"),
        data=CONFIG.data.model_dump_json(),
        settings=lambda wildcards: study(wildcards).model_dump_json(),
        taught=study_taught_arguments,
        gather=lambda wildcards: "--gather" if study(wildcards).jobs else "",
        device=CONFIG.device,
        code=study_code,
    shell:
        "python {params.script} --data {params.data:q} --settings {params.settings:q} "
        "--name {wildcards.study} --manifest {input.manifest} --captions {input.captions} "
        "--items {input.embedded_items} --embedded-captions {input.embedded_captions} "
        "{params.taught} {params.gather} --folder $(dirname {output.best}) --device {params.device} --threads {threads} "
        "2>&1 | tee {log}"


rule tune_worker:
    input:
        unpack(study_stores),
        unpack(study_taught),
        **TABLES,
    output:
        temp(touch("results/tuning/{study}/workers/{worker}.done")),
    log:
        f"{LOG}/tune_worker/{{study}}.{{worker}}.log",
    benchmark:
        f"{LOG}/tune_worker/{{study}}.{{worker}}.tsv"
    wildcard_constraints:
        worker=r"\d+",
    conda:
        environment("tuning")
    threads: 1
    resources:
        **asks("tune_worker", mem_mb=worker_memory, runtime=1440),
    params:
        script=script("tune.py"),
        data=CONFIG.data.model_dump_json(),
        settings=lambda wildcards: study(wildcards).model_dump_json(),
        taught=study_taught_arguments,
        device=CONFIG.device,
        code=study_code,
    shell:
        "python {params.script} --data {params.data:q} --settings {params.settings:q} "
        "--name {wildcards.study} --manifest {input.manifest} --captions {input.captions} "
        "--items {input.embedded_items} --embedded-captions {input.embedded_captions} "
        "{params.taught} --folder results/tuning/{wildcards.study} --device {params.device} "
        "--threads {threads} --worker 2>&1 | tee {log}"


rule plot_tuning:
    input:
        "results/tuning/{study}/trials.csv",
    output:
        report(
            expand(
                "results/tuning/{{study}}/{figure}.pdf",
                figure=["importance", "history", "parallel"],
            ),
            caption="../report/tuning.rst",
            category="Tuning",
            labels={"study": "{study}", "what": "figure"},
        ),
        expand(
            "results/tuning/{{study}}/{figure}.{kind}",
            figure=["importance", "history", "parallel"],
            kind=["svg", "png", "csv"],
        ),
    log:
        f"{LOG}/plot_tuning/{{study}}.log",
    benchmark:
        f"{LOG}/plot_tuning/{{study}}.tsv"
    localrule: True
    conda:
        environment("tuning")
    threads: 1
    resources:
        **asks("plot_tuning", mem_mb=500, runtime=10),
    params:
        script=script("plot_tuning.py"),
        settings=lambda wildcards: study(wildcards).model_dump_json(),
        code=code("plot_tuning.py"),
    shell:
        "python {params.script} --settings {params.settings:q} --trials {input} "
        "--out {output} 2>&1 | tee {log}"
