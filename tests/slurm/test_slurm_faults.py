"""What breaks on a cluster, provoked: the study ends in the scores of an undisturbed one."""

import random
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from cluster import Cluster
from reliability import Record
from slurm_study import EPOCHS, FOLDS, Study
from small_study import Project

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(3600)]

Studies = Callable[..., Study]
AWAY = 20  # seconds


def test_cancelled_and_killed_jobs_are_done_again(
    study: Studies, undisturbed: Project, reliability: Record
) -> None:
    mine = study(0)
    mine.slurm("scontrol", "update", "partitionname=gpu", "state=down")
    mine.start("--until", "score")
    (waiting,) = mine.wait(lambda: mine.queue("PENDING"), "nothing in the queue")

    fault = time.monotonic()
    mine.slurm("scancel", waiting)
    mine.wait(lambda: mine.queue("PENDING"), "the cancelled job is not submitted again")
    reliability.add(2, "submitted once more", "nothing", fault)
    mine.slurm("scontrol", "update", "partitionname=gpu", "state=up")

    done = mine.wait_for_epoch(0)
    process, fault = mine.training(0), time.monotonic()
    mine.slurm("scancel", mine.slurm_job(0))
    resumed = mine.wait_for_next_attempt(0, process)
    assert resumed >= done, "a job that is told to stop keeps every step"
    reliability.add(
        1, "training wrote a checkpoint and stopped; submitted once more, it went on", "nothing", fault
    )

    done = mine.wait_for_epoch(0, resumed + 5)
    process, fault = mine.training(0), time.monotonic()
    process.kill()
    resumed = mine.wait_for_next_attempt(0, process)
    reliability.add(3, "submitted once more, it went on from its last checkpoint", lost(done, resumed), fault)
    mine.finish()
    mine.agrees_with(undisturbed)


def test_after_snakemake_is_killed_its_jobs_are_ended_before_others_begin(
    study: Studies, undisturbed: Project, reliability: Record
) -> None:
    mine = study(*FOLDS)
    # Room for one of its jobs, so that the other waits.
    filler = mine.slurm(
        "sbatch", "--parsable", "-p", "gpu", "--gpus=1", "-o", "/dev/null", "--wrap", "sleep 9999"
    )
    first = mine.start("--until", "score")
    mine.wait(lambda: any(map(mine.epochs, FOLDS)), "no epoch")
    mine.wait(lambda: mine.queue("PENDING"), "no job waits")
    first.kill()
    first.wait(timeout=60)
    (fold,) = filter(mine.epochs, FOLDS)
    orphans = mine.queue("RUNNING", "PENDING")
    assert len(orphans) == 2
    done, process, fault = mine.epochs(fold), mine.training(fold), time.monotonic()
    second = mine.start("--until", "score")
    mine.wait(lambda: "Select jobs to execute" in mine.said.read_text(), "nothing is done")
    said = mine.said.read_text()
    assert all(f"Cancelled Slurm job {job}, whose Snakemake is gone" in said for job in orphans)
    assert not process.is_running(), "two writers"
    mine.slurm("scancel", filler.strip())
    resumed = mine.wait_for_next_attempt(fold, process)
    assert resumed >= done
    reliability.add(
        5,
        "its jobs were found and cancelled, running and waiting ones, before any was submitted",
        "nothing",
        fault,
    )

    # Once more, and this time what is left may end by itself before the command is given again.
    mine.wait_for_epoch(0)
    second.kill()
    second.wait(timeout=60)
    left = mine.queue("RUNNING", "PENDING")
    mine.wait(lambda: not mine.queue("RUNNING", "PENDING", "COMPLETING"), "they do not end", running=False)
    assert left
    fault = time.monotonic()
    mine.start("--until", "score")
    mine.wait(lambda: "Select jobs to execute" in mine.said.read_text(), "nothing is done")
    assert "whose Snakemake is gone" not in mine.said.read_text()
    reliability.add(
        4, "what it had not seen to its end was done again, from the checkpoints", "nothing", fault
    )
    mine.finish()
    mine.agrees_with(undisturbed)


def test_a_job_that_a_cluster_starts_too_late_does_nothing(study: Studies) -> None:
    mine = study(0)
    mine.slurm("scontrol", "update", "partitionname=gpu", "state=down")
    first = mine.start("--until", "score")
    (late,) = mine.wait(lambda: mine.queue("PENDING"), "nothing in the queue")
    first.kill()
    first.wait(timeout=60)
    mine.result(".slurm-run").unlink()  # as if the next one ran where Slurm cannot be asked
    second = mine.start("--until", "score")
    (own,) = mine.wait(lambda: mine.queue("PENDING"), "nothing in the queue")
    mine.slurm("scontrol", "hold", own)
    mine.slurm("scontrol", "update", "partitionname=gpu", "state=up")
    mine.wait(lambda: "JobState=FAILED" in mine.slurm("scontrol", "show", "job", late), "it does not end")
    (log,) = mine.folder.glob(f"logs/slurm/**/{late}.log")
    assert f"but process {second.pid} on" in log.read_text()
    assert "has taken over" in log.read_text()
    assert mine.epochs(0) == 0
    mine.slurm("scontrol", "release", own)
    mine.finish()


def test_daemons_may_go_and_come_back(
    study: Studies, undisturbed: Project, reliability: Record, cluster: Cluster
) -> None:
    mine = study(0)
    mine.start("--until", "score")
    mine.wait_for_epoch(0)
    process, fault = mine.training(0), time.monotonic()
    cluster.stop("slurmctld")
    cluster.start("slurmctld")
    done = mine.epochs(0)
    mine.wait_for_epoch(0, done + 1)
    assert mine.training(0) == process, "the controller's absence ended the job"
    reliability.add(7, "the job ran on, and Snakemake waited", "nothing", fault)

    mine.wait_for_epoch(0, done + 2)
    cluster.stop("slurmd-gpu1", kill=True)
    fault, done = time.monotonic(), mine.epochs(0)
    mine.wait_for_epoch(0, done + 1)
    process.suspend()  # or it might end before its node is back
    time.sleep(AWAY)
    cluster.start("slurmd-gpu1")
    process.resume()
    mine.wait_for_epoch(0, done + 2)
    assert mine.training(0) == process, "the absence of its node's daemon ended the job"
    assert mine.slurm_job(0) in mine.queue("RUNNING")

    # Longer, until the node is given up. An operator says so here; the controller would after SlurmdTimeout.
    process.suspend()
    done, job, fault = mine.epochs(0), mine.slurm_job(0), time.monotonic()
    cluster.stop("slurmd-gpu1", kill=True)
    mine.slurm("scontrol", "update", "nodename=gpu1", "state=down", "reason=test")
    mine.wait(lambda: job in mine.queue("PENDING"), "the job is not put back into the queue")
    assert process.is_running(), "nothing of it was left on the node"
    cluster.start("slurmd-gpu1")
    mine.wait(lambda: not cluster.step_managers(), "what was left on the node is not ended")
    assert not process.is_running()
    time.sleep(10)  # the daemon is still at it, and would end the next attempt as well
    resumed = mine.wait_for_next_attempt(0, process)
    reliability.add(
        6,
        f"away for {AWAY} seconds: the job ran on. Until its node was given up: what was left of it there "
        "was ended, and it was done again from its checkpoint",
        lost(done, resumed),
        fault,
    )
    mine.finish()
    mine.agrees_with(undisturbed)


def test_a_job_that_slurm_holds_is_done_all_the_same(
    study: Studies, undisturbed: Project, reliability: Record, cluster: Cluster
) -> None:
    mine = study(*FOLDS)
    mine.edit("src/rnnxai/slurm.py", "WATCH_SECONDS = 60.0", "WATCH_SECONDS = 2.0")
    mine.slurm("scontrol", "update", "partitionname=gpu", "state=down")
    mine.start("--until", "score")
    mine.wait(lambda: len(mine.queue("PENDING")) == 2, "not both folds are in the queue")
    launched, wanted = mine.queue("PENDING")
    mine.slurm("scontrol", "hold", wanted)  # as a user may, for reasons of their own
    cluster.break_node("gpu1")
    mine.slurm("scontrol", "update", "partitionname=gpu", "state=up")
    mine.wait(
        lambda: f"Slurm held job {launched}" in mine.said.read_text(), "nobody looks after the held job"
    )
    fault = time.monotonic()
    assert "gpu1 (Prolog error)" in mine.said.read_text()
    assert "scontrol update nodename=gpu1 state=resume" in mine.said.read_text()
    (again,) = mine.wait(lambda: set(mine.queue("PENDING")) - {launched, wanted}, "it is not submitted again")
    assert f"Slurm held job {wanted}" not in mine.said.read_text()
    cluster.mend_node("gpu1")
    mine.slurm("scontrol", "release", wanted)
    mine.wait(lambda: again in mine.queue("RUNNING"), "it does not run")
    reliability.add(
        17,
        "Slurm drained the node and held the job; it was cancelled and submitted once more, and the log "
        "named the node, for an operator to bring it back",
        "nothing",
        fault,
    )
    mine.finish()
    mine.agrees_with(undisturbed)


def test_a_job_over_its_memory_gets_more(study: Studies, undisturbed: Project, reliability: Record) -> None:
    mine = study(0)
    mine.start("--until", "score", "--set-resources", "train_0:mem_mb=150*8**(attempt-1)")
    mine.wait(lambda: mine.queue("RUNNING"), "nothing runs")
    fault = time.monotonic()
    mine.wait_for_epoch(0)
    logs = "".join(path.read_text() for path in mine.folder.glob("logs/slurm/*train_0/*.log"))
    assert "memory" in logs, logs
    reliability.add(
        8,
        "Slurm ended it and says why in the job's log; it was submitted once more with more memory",
        "nothing",
        fault,
    )
    mine.finish()
    mine.agrees_with(undisturbed)


def test_a_job_whose_time_is_up_goes_on_later(
    study: Studies, undisturbed: Project, reliability: Record
) -> None:
    mine = study(*FOLDS)
    # Both trainings in one submission, as in studies of very many.
    warning = [f"train_{fold}:slurm_extra='--signal=USR1@60'" for fold in FOLDS]
    bundles = ["--group-components", "train=2", "explain=20"]
    mine.start("--until", "score", *bundles, "--set-resources", *warning)
    ((first, second),) = mine.wait(lambda: [(a, 1 - a) for a in FOLDS if mine.epochs(a)], "no epoch")
    mine.wait_for_epoch(second)
    assert mine.epochs(first) == EPOCHS, "not one after another"
    process, job = mine.training(second), mine.slurm_job(second)
    process.suspend()  # or it might end before its time is up
    done = mine.epochs(second)
    used = int(mine.slurm("squeue", "-h", "-j", job, "-o", "%M").split(":")[0])
    mine.slurm("scontrol", "update", f"jobid={job}", f"timelimit={used + 2}")
    mine.wait(lambda: warned(process), "no warning arrives")
    fault = time.monotonic()
    with suppress(psutil.NoSuchProcess):
        process.resume()
    assert mine.wait_for_next_attempt(second, process) >= done
    assert mine.slurm_job(second) == job, "it was submitted anew and not put back into the queue"
    reliability.add(
        9,
        "warned by Slurm, training wrote a checkpoint and had its job put back into the queue",
        "nothing",
        fault,
    )
    mine.finish()
    assert mine.resumed_at(first) == EPOCHS, "what the bundle had finished was done again"
    mine.agrees_with(undisturbed)


def test_preempted_three_times_the_weights_are_the_same(
    study: Studies, undisturbed: Project, reliability: Record
) -> None:
    moments = random.Random(time.time_ns())
    mine = study(0)
    mine.start("--until", "score", "--set-resources", "train_0:slurm_partition=scavenge")
    slowest = 0.0
    for part in range(3):
        at = moments.randint(part * EPOCHS // 6 + 1, (part + 1) * EPOCHS // 6)
        done = mine.wait_for_epoch(0, at)
        time.sleep(moments.random())
        job, process, fault = mine.slurm_job(0), mine.training(0), time.monotonic()
        # Takes the whole node, in a partition that goes before.
        mine.slurm("sbatch", "-p", "gpu", "--exclusive", "--mem=0", "-o", "/dev/null", "--wrap", "sleep 1")
        resumed = mine.wait_for_next_attempt(0, process)
        slowest = max(slowest, time.monotonic() - fault)
        assert resumed >= done, f"preempted after epoch {done}, it went on after {resumed}"
        assert mine.slurm_job(0) == job, "it was submitted anew and not put back into the queue"
    reliability.add(
        16,
        "each time training wrote a checkpoint, Slurm put the job back into its queue, and it went on there; "
        "the weights are bit-identical",
        "nothing",
        time.monotonic() - slowest,
    )
    mine.finish()
    mine.agrees_with(undisturbed)


def warned(process: psutil.Process) -> bool:
    """Return whether a suspended process has got a signal; Slurm wakes those it sends one to."""
    try:
        asleep = process.status() == psutil.STATUS_STOPPED
        status = Path(f"/proc/{process.pid}/status").read_text()
    except (psutil.NoSuchProcess, FileNotFoundError):
        return True
    pending = int(re.search(r"ShdPnd:\s*([0-9a-f]+)", status)[1], 16)
    return not asleep or bool(pending >> (signal.SIGUSR1 - 1) & 1)


def lost(done: int, resumed: int) -> str:
    """Say how much training had to be done again."""
    again = max(done - resumed, 0)
    return f"{again} of {EPOCHS} epochs" if again else "less than an epoch"
