# Features -> embeddings in the space that every head starts from.


rule align:
    input:
        **TABLES,
        pooled=f"{SPACE}/features/pooled.h5",
        caption_features=f"{SPACE}/features/captions.h5",
    output:
        **EMBEDDINGS,
        maps=f"{SPACE}/embeddings/alignment.safetensors",
        candidates=f"{SPACE}/embeddings/candidates.csv",
    log:
        f"{LOG}/align/{CONFIG.data.name}.{CONFIG.encoder.name}.log",
    benchmark:
        f"{LOG}/align/{CONFIG.data.name}.{CONFIG.encoder.name}.tsv"
    conda:
        environment("torch")
    threads: 2
    resources:
        **asks("align", mem_mb=2500, runtime=60),
    params:
        script=script("align.py"),
        data=CONFIG.data.model_dump_json(),
        alignment=CONFIG.alignment.model_dump_json(),
        code=code("align.py"),
    shell:
        "python {params.script} --data {params.data:q} --alignment {params.alignment:q} "
        "--manifest {input.manifest} --captions {input.captions} --pooled {input.pooled} "
        "--caption-features {input.caption_features} --items {output.embedded_items} "
        "--embedded-captions {output.embedded_captions} --maps {output.maps} --candidates {output.candidates} "
        "--threads {threads} 2>&1 | tee {log}"
