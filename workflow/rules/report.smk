"""report: the results on one page, and how they were made on another; both open without a network."""

from rnnxai.report.provenance import OUTSIDE

CAPTIONS = contents((WORKFLOW / "report").glob("*.rst"))
# Templates, style sheet and script are part of the page as code is, but no fingerprint covers them.
LOOK = contents((Path(workflow.basedir) / "src" / "rnnxai" / "report").glob("[st]*/*.*"))


rule report:
    input:
        figures=every_figure(),
        tables=[*rules.summary.output, *every_table()],
        archives=every_archive(),
        datasets=[f"{RESULTS}/datasets/{dataset}.h5" for dataset in STUDY.datasets],
        metrics=[f"{RESULTS}/models/{path_of(case)}.metrics.jsonl" for case in STUDY.cases],
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
        mem_mb=2000,
        runtime=20,
    params:
        code=code("report.py"),
        look=LOOK,
        captions=CAPTIONS,
        study=canonical(CONFIG.model_dump(mode="json", exclude=OUTSIDE)),
    script:
        "../scripts/report.py"


rule snakemake_report:
    input:
        figures=every_figure(),
        tables=[*rules.summary.output, *every_table()],
    output:
        f"{RESULTS}/snakemake-report.html",
    log:
        f"{RESULTS}/logs/snakemake-report.log",
    benchmark:
        f"{RESULTS}/benchmarks/snakemake-report.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("snakemake_report.py"),
        captions=CAPTIONS,
        snakefile=workflow.main_snakefile,
    script:
        "../scripts/snakemake_report.py"


localrules:
    report,
    snakemake_report,
