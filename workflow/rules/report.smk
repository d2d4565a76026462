"""report: one HTML page that opens without a network."""

CAPTIONS = sorted((Path(workflow.basedir) / "workflow" / "report").glob("*.rst"))


rule report:
    input:
        figures=every_figure(),
        tables=rules.summary.output,
    output:
        f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("report.py"),
        captions=canonical({path.name: path.read_text() for path in CAPTIONS}),
        snakefile=workflow.main_snakefile,
    script:
        "../scripts/report.py"


localrules:
    report,
