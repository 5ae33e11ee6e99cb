# Pictures and captions -> features of the frozen encoder.


rule extract_items:
    input:
        manifest=TABLES["manifest"],
    output:
        frames=f"{SPACE}/features/frames.h5",
        pooled=f"{SPACE}/features/pooled.h5",
        regions=f"{SPACE}/features/regions.h5",
        problems=f"{SPACE}/features/problems.csv",
    log:
        f"{LOG}/extract_items/{CONFIG.data.name}.{CONFIG.encoder.name}.log",
    benchmark:
        f"{LOG}/extract_items/{CONFIG.data.name}.{CONFIG.encoder.name}.tsv"
    conda:
        environment("encoder")
    threads: 4
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        script=script("extract_items.py"),
        data=CONFIG.data.model_dump_json(),
        encoder=CONFIG.encoder.model_dump_json(),
        device=CONFIG.device,
        files=folder_hash(CONFIG.data.root),
        code=encoder_code("extract_items.py"),
    shell:
        "python {params.script} --data {params.data:q} --encoder {params.encoder:q} "
        "--manifest {input.manifest} --frames {output.frames} --pooled {output.pooled} "
        "--regions {output.regions} --problems {output.problems} --device {params.device} "
        "--threads {threads} 2>&1 | tee {log}"


rule extract_captions:
    input:
        captions=TABLES["captions"],
    output:
        f"{SPACE}/features/captions.h5",
    log:
        f"{LOG}/extract_captions/{CONFIG.data.name}.{CONFIG.encoder.name}.log",
    benchmark:
        f"{LOG}/extract_captions/{CONFIG.data.name}.{CONFIG.encoder.name}.tsv"
    conda:
        environment("encoder")
    threads: 4
    resources:
        mem_mb=3000,
        runtime=120,
    params:
        script=script("extract_captions.py"),
        data=CONFIG.data.name,
        kinds=sorted({*CONFIG.data.train_captions, *CONFIG.data.test_captions}),
        encoder=CONFIG.encoder.model_dump_json(),
        device=CONFIG.device,
        code=encoder_code("extract_captions.py"),
    shell:
        "python {params.script} --dataset {params.data} --kinds {params.kinds:q} "
        "--encoder {params.encoder:q} --captions {input.captions} --out {output} "
        "--device {params.device} --threads {threads} 2>&1 | tee {log}"
