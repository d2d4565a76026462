"""The study, from data to report. config.yaml says what is in it; workflow/rules/ has one file per stage."""

from snakemake.utils import min_version

min_version("9.6")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/views.smk"
include: "workflow/rules/books.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/explain.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/reproduction.smk"


# Archives and networks are asked for by name, so one that was deleted is made again.
rule all:
    default_target: True
    input:
        every_network(),
        every_archive(),
        rules.report.output,
        rules.snakemake_report.output,
        rules.reproduction.output if REPRODUCTION else [],


onstart:
    take_over()
    note_study()


onerror:
    print(
        f"`rnnxai report {RESULTS}` writes a page of what there is, and of why the rest is not.",
        file=sys.stderr,
    )


onsuccess:
    forget_run(SLURM_RUN)
