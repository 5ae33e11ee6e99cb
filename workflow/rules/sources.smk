# Raw files of a data set -> manifest and captions, checked.

from polymatch.sources import check_source


rule prepare:
    input:
        GIVEN_FILES,
        list(REMOTE),
        [Path(CONFIG.data.root) / file.name for file in BY_HAND if not file.unpacked],
    output:
        **TABLES,
        problems=f"{DATA}/problems.csv",
    log:
        f"{LOG}/prepare/{CONFIG.data.name}.log",
    benchmark:
        f"{LOG}/prepare/{CONFIG.data.name}.tsv"
    conda:
        environment("torch" if CONFIG.encoder.given else "data")
    threads: 1
    resources:
        # The words and ids of 600,000 pre-encoded captions, and torch to open their embeddings.
        **asks("prepare", mem_mb=2500 if CONFIG.encoder.given else 1000, runtime=30),
    params:
        script=script("prepare.py"),
        settings=CONFIG.data.model_dump_json(),
        files=RAW_FILES,
        code=source_code("prepare.py"),
    shell:
        "python {params.script} --settings {params.settings:q} --manifest {output.manifest} "
        "--captions {output.captions} --problems {output.problems} 2>&1 | tee {log}"


# A folder with nothing in it that is recognised is said before any job.
with one_line_errors():
    check_source(CONFIG.data)
