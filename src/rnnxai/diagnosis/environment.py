"""Python, packages, torch: what the program runs on."""

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from rnnxai.diagnosis.finding import Finding, State

OLDEST_PYTHON = (3, 11)
EXTRA = "workflow"
"""The optional packages that a study needs."""


def python() -> Finding:
    """Look at Python."""
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("python", "ok", found)
    return Finding("python", "wrong", found, "use Python {}.{} or newer".format(*OLDEST_PYTHON))


def packages() -> Iterator[Finding]:
    """Look at every package that is needed; those that fit share a line."""
    from packaging.requirements import Requirement

    try:
        needed = [Requirement(line) for line in requires("rnnxai") or ()]
    except PackageNotFoundError:
        yield Finding(
            "packages", "wrong", "rnnxai itself is not installed", "run `make setup` or `pip install -e .`"
        )
        return
    needed = [r for r in needed if r.marker is None or r.marker.evaluate({"extra": EXTRA})]
    fitting = 0
    for requirement in needed:
        found = _version(requirement.name)
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            what = f"{requirement.name} {found or 'is not installed'}; {requirement.specifier} is needed"
            yield Finding(
                "packages", "wrong", what, f"pip install '{requirement.name}{requirement.specifier}'"
            )
        else:
            fitting += 1
    shown = ", ".join(f"{name} {_version(name)}" for name in ("torch", "h5py", "snakemake") if _version(name))
    yield Finding("packages", "ok", f"{fitting} of {len(needed)} are as needed ({shown})")


def device(wanted: str | None = None) -> Finding:
    """Look for a GPU.

    Parameters
    ----------
    wanted : str, optional
        The device that the study asks for.
    """
    import torch

    build = f"torch {torch.__version__}"
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        return Finding("device", "ok", f"{len(names)} GPU ({', '.join(sorted(set(names)))}), {build}")
    why = "built without CUDA" if torch.version.cuda is None else "built with CUDA, but no GPU is visible"
    if wanted != "cuda":
        return Finding("device", "ok", f"cpu, {torch.get_num_threads()} threads; {build}, {why}")
    advice = (
        "install a CUDA build (`make clean setup TORCH_BACKEND=cuda`), or set train.device: cpu"
        if torch.version.cuda is None
        else "fine where jobs run elsewhere (a cluster); else check the driver with nvidia-smi"
    )
    state: State = "wrong" if torch.version.cuda is None else "note"
    return Finding("device", state, f"train.device is cuda, but {build} is {why}", advice)


def products() -> Finding:
    """Look how this processor multiplies matrices in training."""
    import torch

    from rnnxai.models.products import choose_products

    capability = torch.backends.cpu.get_cpu_capability()
    return Finding("matrix products", "ok", f"{choose_products()} (processor: {capability})")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
