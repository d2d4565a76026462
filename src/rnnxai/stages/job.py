"""What every job of the workflow does around its work: a log, a lock, and errors a person can read."""

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rnnxai.errors import Error, Stopped
from rnnxai.locks import job_lock
from rnnxai.slurm import requeue_own_job

STOPPED = os.EX_TEMPFAIL  # 75, "try again later": what a job ends with that can go on from where it is
FULL = (errno.ENOSPC, errno.EDQUOT)
PATIENCE = 120.0  # seconds for a predecessor that is just ending, on another node perhaps


@contextmanager
def job(log: str | Path, locks: str | Path) -> Iterator[None]:
    """Run a block as the job that `log` belongs to.

    The log goes to the file and to the standard error. A lock says that the job is at work, so that no
    second writer starts beside it. An :class:`~rnnxai.errors.Error` ends the process with its message
    and nothing else (exit code 1), and so does work that has :class:`~rnnxai.errors.Stopped` (exit code
    75: another attempt goes on with it, under Slurm the same job once more); any other exception is a
    bug and keeps its traceback.

    Parameters
    ----------
    log : str or Path
        The job's log file; its path names the job.
    locks : str or Path
        Folder of the job locks.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.WARNING,  # what libraries have to say
        format="%(message)s",
        handlers=[logging.FileHandler(log, mode="w", encoding="utf-8"), logging.StreamHandler()],
        force=True,
    )
    logging.getLogger("rnnxai").setLevel(logging.INFO)
    try:
        with job_lock(locks, str(log), PATIENCE):
            yield
    except Error as error:
        logging.getLogger(__name__).error("%s", error)
        sys.exit(1)
    except Stopped as stopped:
        logging.getLogger(__name__).warning("%s", stopped)
        if requeue_own_job():
            logging.getLogger(__name__).info("Slurm has put the job back into its queue")
        sys.exit(STOPPED)
    except Exception as error:
        if _disk_is_full(error):
            logging.getLogger(__name__).error("no space left for what this job writes: %s", error)
            sys.exit(1)
        logging.getLogger(__name__).exception("this is a bug in rnnxai")
        raise


def _disk_is_full(error: Exception) -> bool:
    # Writers of HDF5 and safetensors have errors of their own, which repeat the system's words.
    said = f"{error} {error.__cause__}"
    return getattr(error, "errno", None) in FULL or any(os.strerror(number) in said for number in FULL)
