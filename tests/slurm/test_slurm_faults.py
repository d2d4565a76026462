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

    process.suspend()  # or it might end before anybody notices
    done, fault = mine.epochs(0), time.monotonic()
    cluster.stop("slurmd-gpu1", kill=True)
    mine.wait(lambda: "down" in mine.slurm("sinfo", "-h", "-n", "gpu1", "-o", "%t"), "the node is not missed")
    cluster.start("slurmd-gpu1")
    resumed = mine.wait_for_next_attempt(0, process)
    reliability.add(
        6,
        "the job left on the node was ended, and done again from its checkpoint",
        lost(done, resumed),
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
    mine = study(0)
    mine.start("--until", "score", "--set-resources", "train_0:slurm_extra='--signal=USR1@60'")
    mine.wait_for_epoch(0)
    process, job = mine.training(0), mine.slurm_job(0)
    process.suspend()  # or it might end before its time is up
    done = mine.epochs(0)
    used = int(mine.slurm("squeue", "-h", "-j", job, "-o", "%M").split(":")[0])
    mine.slurm("scontrol", "update", f"jobid={job}", f"timelimit={used + 2}")
    mine.wait(lambda: warned(process), "no warning arrives")
    fault = time.monotonic()
    with suppress(psutil.NoSuchProcess):
        process.resume()
    assert mine.wait_for_next_attempt(0, process) >= done
    assert mine.slurm_job(0) == job, "it was submitted anew and not put back into the queue"
    reliability.add(
        9,
        "warned by Slurm, training wrote a checkpoint and had its job put back into the queue",
        "nothing",
        fault,
    )
    mine.finish()
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
