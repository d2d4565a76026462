"""The study on Slurm: what it asks for, and that it comes to the same as on one machine."""

import re
from collections.abc import Callable

import pytest
from slurm_study import FOLDS, Study
from small_study import Project

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(3600)]


def test_on_slurm_it_comes_to_the_same(study: Callable[..., Study], undisturbed: Project) -> None:
    mine = study(*FOLDS)
    mine.result("datasets/digits-maj.h5").unlink()  # to be made where Snakemake runs, and not submitted
    mine.edit("config.yaml", "scores: [cosine", "scores: [{score: cosine, name: not-of-this-study}")
    mine.start("--until", "summary")
    running = mine.wait(lambda: len(found := mine.queue("RUNNING")) > 1 and found, "no two jobs side by side")
    for job in running:
        assert re.search(r"TresPerJob=gres:gpu:1\b", mine.slurm("scontrol", "show", "job", job))
    said = mine.finish()
    mine.agrees_with(undisturbed)
    for table in ("scores", "summary"):
        path = f"scores/{table}.csv"
        assert mine.result(path).read_bytes() == undisturbed.result(path).read_bytes()
    assert len(re.findall("has been submitted with SLURM jobid", said)) == 3  # two folds, one bundle
    assert not mine.result(".slurm-run").exists()
