# A few videos of a BigFile data set as a data set of its own, for debugging.

TINY = f"{DATA}/tiny"


if CONFIG.data.bigfile is not None:

    rule tiny:
        input:
            GIVEN_FILES,
        output:
            directory(TINY),
        log:
            f"{LOG}/tiny/{CONFIG.data.name}.log",
        benchmark:
            f"{LOG}/tiny/{CONFIG.data.name}.tsv"
        conda:
            environment("torch")
        threads: 1
        resources:
            # The names of 300,000 frames and the words of 200,000 captions.
            **asks("tiny", mem_mb=1000, runtime=10),
        params:
            script=script("write_tiny.py"),
            data=CONFIG.data.model_dump_json(),
            videos=CONFIG.data.bigfile.tiny,
            code=source_code("write_tiny.py"),
        shell:
            "python {params.script} --data {params.data:q} --videos {params.videos} "
            "--folder {output} 2>&1 | tee {log}"
