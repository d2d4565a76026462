"""Slurm: whether it is here and answers, and which of its features it has."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from rnnxai.diagnosis.finding import Finding, State

NEEDED = ("sbatch", "squeue", "scancel", "sinfo", "scontrol")
PATIENCE = 20.0  # seconds


def slurm(profile: str | Path, wanted: bool = False) -> Iterator[Finding]:
    """Look at Slurm.

    Parameters
    ----------
    profile : str or Path
        The profile with which studies are submitted; it should fit the cluster.
    wanted : bool
        Whether it is wrong that there is none.
    """
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        if wanted or len(missing) < len(NEEDED):
            what, advice = f"{', '.join(missing)} not on PATH", "log in to a submit host, or load its module"
            yield Finding("slurm", "wrong", what, advice)
        else:
            yield Finding("slurm", "ok", "there is none; studies run on this machine")
        return
    partitions = _ask("sinfo", "--noheader", "--format=%R|%a|%l|%G")
    if partitions is None:
        advice = "to use it, check `scontrol ping`, SLURM_CONF and munge"
        state: State = "wrong" if wanted else "note"
        yield Finding("slurm", state, "installed, but the controller does not answer", advice)
        return
    rows = [line.split("|") for line in partitions.splitlines() if line.count("|") == 3]
    names = sorted({row[0] for row in rows})
    version = (_ask("sinfo", "--version") or "slurm").strip()
    yield Finding("slurm", "ok", f"{version}, partitions {', '.join(names)}")
    with_gpus = sorted({row[0] for row in rows if row[3].startswith("gpu")})
    gpus = f"in {', '.join(with_gpus)}" if with_gpus else "none; set train.device: cpu"
    yield Finding("slurm GPUs", "ok" if with_gpus else "note", gpus)
    settings = _yaml(Path(profile, "config.yaml"))
    yield _accounting(str(settings.get("slurm-status-command", "")))
    yield from _partitions(settings, names)


def _accounting(status_command: str) -> Finding:
    """Compare the command that tells what has become of jobs with what the site can answer."""
    config = _ask("scontrol", "show", "config") or ""
    there = (
        "accounting_storage/slurmdbd" in config and _ask("sacct", "--noheader", "--allocations") is not None
    )
    found = f"{'there' if there else 'none'}; the profile asks {status_command or 'whichever is on PATH'}"
    # Without the setting, Snakemake takes sacct if it is installed.
    if not there and (status_command == "sacct" or (not status_command and shutil.which("sacct"))):
        return Finding("slurm accounting", "wrong", found, "set slurm-status-command: squeue in the profile")
    return Finding("slurm accounting", "ok", found)


def _partitions(settings: dict[str, object], names: Sequence[str]) -> Iterator[Finding]:
    """Look whether the partitions of the profile exist."""
    path = settings.get("slurm-partition-config")
    if not isinstance(path, str):
        return
    described = _yaml(Path(path)).get("partitions")
    if not isinstance(described, dict):
        yield Finding(
            "slurm partitions", "wrong", f"{path} describes none", "describe them (sinfo lists them)"
        )
        return
    unknown = sorted(set(map(str, described)) - set(names))
    if unknown:
        found = f"{path} describes {', '.join(unknown)}, which this cluster does not have"
        yield Finding("slurm partitions", "wrong", found, f"describe {', '.join(names)} there")
    else:
        yield Finding("slurm partitions", "ok", f"{', '.join(map(str, described))} as in {path}")


def _ask(*command: str) -> str | None:
    """Return what a command prints, or None if it fails or does not come to an end."""
    try:
        ended = subprocess.run(  # noqa: S603 (fixed words, no shell)
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout if ended.returncode == 0 else None


def _yaml(path: Path) -> dict[str, object]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return values if isinstance(values, dict) else {}
