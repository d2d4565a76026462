"""explain: one job and one forward pass per network and group of methods, one archive per method."""

for group, members in STUDY.groups.items():

    rule:
        name:
            f"explain_{re.sub(r'[^a-z0-9]', '_', group)}"
        input:
            dataset=f"{RESULTS}/datasets/{{dataset}}.h5",
            network=f"{RESULTS}/models/{CASE}.safetensors",
        output:
            **{f"archive_{i}": path for i, path in enumerate(archives_of(group).values())},
        log:
            f"{RESULTS}/logs/explain/{CASE}/{group}.log",
        benchmark:
            f"{RESULTS}/benchmarks/explain/{CASE}/{group}.tsv"
        wildcard_constraints:
            architecture=architectures_of(group),
        group:
            "explain"
        conda:
            ENVIRONMENT
        threads: lambda wildcards: settings_of(wildcards).threads
        resources:
            mem_mb=lambda wildcards, attempt: 3000 * attempt,
            runtime=minutes(
                30,
                f"explain/{{dataset}}/{{architecture}}/t{{steps}}/*/{group}.tsv",
                share_of_a_day("explain", 2),
            ),
            gpu=gpus,
            one_at_a_time=1,
        params:
            explainers=canonical([member.model_dump() for member in members]),
            settings=explain_settings,
            code=lambda wildcards, targets=tuple(code_of_group(members)): code(
                "explain.py", code_of_architecture(STUDY.architecture(wildcards.architecture)), *targets
            ),
        script:
            "../scripts/explain.py"
