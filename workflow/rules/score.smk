"""score: every sample against its marks, then the study in two tables."""


rule score:
    input:
        unpack(lambda wildcards: archives_of(wildcards.group)),
        dataset=f"{RESULTS}/datasets/{{dataset}}.h5",
    output:
        samples=f"{SCORE_FILES}.scores.h5",
        rows=f"{SCORE_FILES}.scores.csv",
    log:
        f"{RESULTS}/logs/score/{CASE}/{{group}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score/{CASE}/{{group}}.tsv"
    group:
        "explain"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=minutes(
            10, "score/{dataset}/{architecture}/t{steps}/*/{group}.tsv", share_of_a_day("explain", 2)
        ),
        one_at_a_time=1,
    params:
        scores=canonical([score.model_dump() for score in CONFIG.scores]),
        code=code("score.py", *code_of_scores(CONFIG.scores)),
    script:
        "../scripts/score.py"


rule references:
    input:
        f"{RESULTS}/datasets/{{dataset}}.h5",
    output:
        f"{RESULTS}/scores/{{dataset}}/references.csv",
    log:
        f"{RESULTS}/logs/references/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/references/{{dataset}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=10,
    params:
        scores=canonical([score.model_dump() for score in CONFIG.scores]),
        code=code("references.py", *code_of_scores(CONFIG.scores)),
    script:
        "../scripts/references.py"


rule summary:
    input:
        rows=[
            f"{SCORE_FILES}.scores.csv".format(**case._asdict(), group=group)
            for case in STUDY.cases
            for group in STUDY.groups_of(case)
        ],
    output:
        scores=report(
            f"{RESULTS}/scores/scores.csv",
            category="Tables",
            labels={"table": "one row per network and explainer"},
            caption="../report/scores.rst",
        ),
        summary=report(
            f"{RESULTS}/scores/summary.csv",
            category="Tables",
            labels={"table": "summary over folds"},
            caption="../report/summary.rst",
        ),
        differences=report(
            f"{RESULTS}/scores/differences.csv",
            category="Tables",
            labels={"table": "differences between architectures"},
            caption="../report/differences.rst",
        ),
    log:
        f"{RESULTS}/logs/summary.log",
    benchmark:
        f"{RESULTS}/benchmarks/summary.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        statistics=canonical(CONFIG.statistics.model_dump()),
        folds=canonical({name: CONFIG.datasets[name].folds for name in STUDY.datasets}),
        comparisons=canonical(
            {name: [astuple(each) for each in STUDY.comparisons(name)] for name in STUDY.datasets}
        ),
        code=code("summary.py"),
    script:
        "../scripts/summary.py"


localrules:
    references,
    summary,
