"""Where a job computes."""

import os
import socket

import torch

from rnnxai.errors import Error
from rnnxai.slurm import own_job


def choose_device(wanted: str) -> str:
    """Turn ``auto`` into a device, and refuse a GPU that is not there.

    Parameters
    ----------
    wanted : {"cpu", "cuda", "auto"}

    Returns
    -------
    str
        "cpu" or "cuda".

    Raises
    ------
    Error
        If ``cuda`` is asked for and torch finds no GPU.
    """
    # Without it cuBLAS may add in another order from run to run, and torch refuses to be deterministic.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise Error(
            f"device 'cuda' was asked for, but torch {torch.__version__} finds no GPU{_granted()}; "
            "request one for the job, install a CUDA build of torch, or set train.device: cpu"
        )
    return wanted


def _granted() -> str:
    """Say where this is and what a cluster has granted, which decides whose fault it is."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    granted = f", CUDA_VISIBLE_DEVICES={visible}" if visible is not None else ""
    job = own_job()
    return f" (Slurm job {job} on {socket.gethostname()}{granted})" if job else ""
