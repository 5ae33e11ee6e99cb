# Captions -> their words, for models that read word by word.


rule tokenise:
    input:
        **TABLES,
        given=CONFIG.words.vocabulary or [],
    output:
        vocabulary=f"{DATA}/vocabulary.json",
        words=f"{DATA}/words.h5",
        unknown_words=f"{DATA}/unknown_words.csv",
        unknown_captions=f"{DATA}/unknown_captions.csv",
    log:
        f"{LOG}/tokenise/{CONFIG.data.name}.log",
    benchmark:
        f"{LOG}/tokenise/{CONFIG.data.name}.tsv"
    conda:
        environment("data")
    threads: 1
    resources:
        # The words of 600,000 captions as Python numbers.
        mem_mb=1500,
        runtime=30,
    params:
        script=script("tokenise.py"),
        data=CONFIG.data.model_dump_json(),
        settings=CONFIG.words.model_dump_json(),
        code=code("tokenise.py"),
    shell:
        "python {params.script} --data {params.data:q} --settings {params.settings:q} "
        "--manifest {input.manifest} --captions {input.captions} "
        "--vocabulary {output.vocabulary} --words {output.words} "
        "--unknown-words {output.unknown_words} --unknown-captions {output.unknown_captions} "
        "2>&1 | tee {log}"
