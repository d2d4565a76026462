"""When a job is to stop before its end: a time that is up, or a signal that asks for it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
SLURM_MARGIN = 60.0  # seconds that are left for the last step and the checkpoint


@contextmanager
def stopping(minutes: float | None = None) -> Iterator["Stop"]:
    """Watch, while a block runs, for what should make it stop.

    Within the block SIGTERM and SIGUSR1 end nothing: they are noted, once and again, and the work is to
    look for them. Afterwards they mean what they meant before.

    Parameters
    ----------
    minutes : float, optional
        How long the block may take. None leaves it to Slurm, where a job runs under it: it may
        take until a minute before the end of the job's time.

    Yields
    ------
    Stop
        To be called now and then: it returns why to stop, or None.
    """
    stop = Stop(*_deadline(minutes))
    before = {number: signal.signal(number, stop.note) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Stop:
    """Says whether it is time to stop.

    Parameters
    ----------
    deadline : float
        On the clock of ``time.monotonic``.
    what : str
        Why there is a deadline.
    """

    def __init__(self, deadline: float, what: str) -> None:
        self.deadline = deadline
        self.what = what
        self.signal = ""

    def __call__(self) -> str | None:
        """Return why to stop now, or None."""
        if self.signal:
            return f"{self.signal} came"
        return self.what if time.monotonic() >= self.deadline else None

    def note(self, number: int, frame: FrameType | None) -> None:
        """Take note of a signal."""
        self.signal = signal.Signals(number).name


def _deadline(minutes: float | None) -> tuple[float, str]:
    if minutes is not None:
        return time.monotonic() + 60 * minutes, f"the {minutes:g} minutes of train_job.minutes are over"
    end = os.environ.get("SLURM_JOB_END_TIME", "")
    if end.isdecimal():
        left = int(end) - SLURM_MARGIN - time.time()
        return time.monotonic() + left, "Slurm's time limit is near"
    return float("inf"), ""
