# Mirrors -> files of the data set below `data.root`, where downloading was asked for.
#
# What a job writes is a record of what is there, not the file: Snakemake deletes the outputs of a job
# that runs again, and what took hours to fetch, or was placed by hand, is not its to delete.

import re

FETCHED = "|".join(re.escape(file.name) for file in REMOTE.values())


rule download:
    output:
        f"{DATA}/downloads/{{file}}.json",
    log:
        f"{LOG}/download/{CONFIG.data.name}/{{file}}.log",
    benchmark:
        f"{LOG}/download/{CONFIG.data.name}/{{file}}.tsv"
    wildcard_constraints:
        file=f"(?:{FETCHED or '(?!)'})",
    # The script has its own, which go on where the last one stopped.
    retries: 0
    # Nodes of a cluster often have no network.
    localrule: True
    conda:
        environment("data")
    threads: 1
    resources:
        downloads=1,
        mem_mb=300,
        runtime=1440,
    params:
        script=script("fetch_file.py"),
        file=lambda wildcards, output: REMOTE[output[0]].to_json(),
        root=CONFIG.data.root,
        code=code("fetch_file.py"),
    shell:
        "python {params.script} --file {params.file:q} --root {params.root:q} --out {output:q} "
        "2>&1 | tee {log:q}"
