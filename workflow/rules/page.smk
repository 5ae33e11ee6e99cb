# Everything measured -> one page, which needs no network and nothing beside it.


rule report_page:
    input:
        **TABLES,
        store=PAGE_ITEMS,
        summary="results/summary.csv",
        leaderboard="results/leaderboard.csv",
        ranks=ROWS["ranks"],
        tables=PAGE_TABLES,
        figures=[
            "results/figures/recall_curves.csv",
            "results/figures/rank_histograms.csv",
            "results/figures/rulegraph.svg",
        ],
        growths=GROWTHS,
        simulated=[f"{path}.analog.csv" for path in SIMULATED],
        errors=[path for files in ERROR_MAPS for path in files if path.endswith(".csv")],
        teachers=TEACHER_TABLES[:1],
        matrices=PAGE_MATRICES,
        external=EXTERNAL,
    output:
        report(
            "results/report.html",
            caption="../report/page.rst",
            category="Page",
        ),
    log:
        f"{LOG}/report_page.log",
    benchmark:
        f"{LOG}/report_page.tsv"
    conda:
        environment("pictures")
    threads: 1
    resources:
        **asks("report_page", mem_mb=2000, runtime=60),
    params:
        script=script("write_page.py"),
        config=CONFIG.model_dump_json(exclude=NOT_ON_PAGE),
        space=lambda wildcards, input: Path(input.ranks[0]).parents[3],
        beside=[*beside_the_page()],
        hashes=[*beside_the_page().values()],
        code=code("write_page.py"),
        assets=folder_hash(
            Path(workflow.basedir) / "workflow/polymatch/reporting/page/assets"
        ),
    shell:
        "python {params.script} --config {params.config:q} --results results "
        "--space {params.space} --items {input.store} --beside {params.beside} "
        "--out {output} 2>&1 | tee {log}"
