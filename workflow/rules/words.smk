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
        **asks("tokenise", mem_mb=1500, runtime=30),
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


rule word_vectors:
    input:
        vocabulary=f"{DATA}/vocabulary.json",
    output:
        vectors=f"{DATA}/word_vectors.h5",
        unknown=f"{DATA}/unknown_vectors.csv",
    log:
        f"{LOG}/word_vectors/{CONFIG.data.name}.log",
    benchmark:
        f"{LOG}/word_vectors/{CONFIG.data.name}.tsv"
    conda:
        encoder_environment("captions")
    threads: 1
    resources:
        # The names of a word2vec of 1.7 million words, and 50,000 vectors twice.
        **asks(
            "word_vectors",
            mem_mb=2000,
            runtime=30,
            python=encoder_python("captions"),
            options=encoder_options,
        ),
    params:
        script=script("word_vectors.py"),
        data=CONFIG.data.name,
        settings=CONFIG.words.model_dump_json(),
        encoder=CONFIG.encoder.of("captions").model_dump_json(),
        files=(
            folder_hash(CONFIG.words.vectors)
            if CONFIG.words.vectors not in (None, "encoder")
            else ""
        ),
        code=(
            encoder_code("word_vectors.py", "captions")
            if CONFIG.words.vectors == "encoder" and not CONFIG.encoder.given
            else code("word_vectors.py")
        ),
    shell:
        "{resources.python} {params.script} --dataset {params.data} --settings {params.settings:q} "
        "--encoder {params.encoder:q} --vocabulary {input.vocabulary} "
        "--vectors {output.vectors} --unknown {output.unknown} {resources.options} --device cpu 2>&1 | tee {log}"
