# Captions -> concept tags of the items, for models with a concept space.


rule tag:
    input:
        **TABLES,
        given=[
            path for path in (CONFIG.tags.vocabulary, CONFIG.tags.annotations) if path
        ],
    output:
        vocabulary=f"{DATA}/tag_vocabulary.json",
        tags=f"{DATA}/tags.parquet",
        annotations=f"{DATA}/video_tag.txt",
        untagged=f"{DATA}/untagged_items.csv",
    log:
        f"{LOG}/tag/{CONFIG.data.name}.log",
    benchmark:
        f"{LOG}/tag/{CONFIG.data.name}.tsv"
    conda:
        environment("data")
    threads: 1
    resources:
        # The lemmas of 600,000 captions as Python texts.
        **asks("tag", mem_mb=1500, runtime=30),
    params:
        script=script("tag.py"),
        data=CONFIG.data.model_dump_json(),
        settings=CONFIG.tags.model_dump_json(),
        code=code("tag.py"),
    shell:
        "python {params.script} --data {params.data:q} --settings {params.settings:q} "
        "--manifest {input.manifest} --captions {input.captions} "
        "--vocabulary {output.vocabulary} --tags {output.tags} "
        "--annotations {output.annotations} --untagged {output.untagged} 2>&1 | tee {log}"
