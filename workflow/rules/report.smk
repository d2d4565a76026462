"""report: one HTML page that opens without a network."""


rule report:
    input:
        figures=every_figure(),
        tables=rules.summary.output,
        captions=sorted((Path(workflow.basedir) / "workflow" / "report").glob("*.rst")),
    output:
        f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("report.py"),
        snakefile=workflow.main_snakefile,
    script:
        "../scripts/report.py"


localrules:
    report,
