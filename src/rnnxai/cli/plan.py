"""``rnnxai plan``."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rnnxai.cli import codes
from rnnxai.cli.output import as_json, as_table, paragraph

if TYPE_CHECKING:
    from rnnxai.planning.plan import Stage, StudyPlan

_BASIS = {
    "network": "on benchmarks of the same network or job",
    "similar": "on benchmarks of jobs like them",
    "table": "on the table of defaults",
    "nothing": "on nothing",
}


def arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--profile", metavar="FOLDER", help="profile of Snakemake, as for `snakemake --profile`"
    )
    parser.add_argument(
        "--configfile", metavar="FILE", action="append", default=[], help="configuration; may be given again"
    )
    parser.add_argument(
        "snakemake",
        nargs="*",
        metavar="-- ARGUMENT",
        help="further arguments of snakemake, such as `-- --until score` or a file that is wanted",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(wanted: Namespace) -> int:
    """Print the plan."""
    from rnnxai.planning.dry_run import dry_run
    from rnnxai.planning.plan import StudyPlan

    profile = ["--profile", wanted.profile] if wanted.profile else []
    files = ["--configfile", *wanted.configfile] if wanted.configfile else []
    plan = StudyPlan(dry_run([*wanted.snakemake, *profile, *files]))
    print(as_json(_data(plan)) if wanted.json else _text(plan))
    return codes.OK


def _data(plan: "StudyPlan") -> dict[str, Any]:
    from rnnxai.planning.defaults import measured_on
    from rnnxai.planning.work import title_of

    return {
        "results": plan.results,
        "stages": {name: _rounded(stage) for name, stage in plan.stages.items()},
        "total": _rounded(plan.total),
        "submissions": plan.submissions,
        "longest_job": plan.longest and title_of(plan.longest.job),
        "longest_chain_seconds": round(plan.chain_seconds, 1),
        "disk_free_bytes": plan.disk_free_bytes,
        "basis": dict(plan.basis),
        "table": measured_on(),
        "warnings": plan.warnings,
        "jobs": [
            {
                "job": title_of(estimate.job),
                "rule": estimate.job.rule,
                "outputs": list(estimate.job.outputs),
                "reason": estimate.job.reason,
                "seconds": round(estimate.seconds, 1),
                "bytes": round(estimate.bytes),
                "basis": estimate.basis,
            }
            for estimate in plan.estimates
        ],
    }


def _rounded(stage: "Stage") -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(stage).items()}


def _text(plan: "StudyPlan") -> str:
    rows = {**plan.stages, "all": plan.total}
    columns = {
        "CPU hours": [f"{stage.cpu_hours:,.2f}" for stage in rows.values()],
        "GPU hours": [f"{stage.gpu_hours:,.2f}" for stage in rows.values()],
        "disk": [_size(stage.disk_bytes) for stage in rows.values()],
        "longest job": [_time(stage.longest_seconds) for stage in rows.values()],
    }
    widths = {title: max(map(len, (title, *cells))) for title, cells in columns.items()}
    table: list[dict[str, str | int]] = []
    for row, (name, stage) in enumerate(rows.items()):
        table.append({"stage": name, "jobs": stage.jobs, "done": stage.done, "to run": stage.to_run})
        for title, cells in columns.items():
            table[-1][title.rjust(widths[title])] = cells[row].rjust(widths[title])
    return "\n".join(
        [as_table(table), "", *_summary(plan), *(paragraph(line, "! ") for line in plan.warnings)]
    )


def _summary(plan: "StudyPlan") -> list[str]:
    from rnnxai.planning.work import title_of

    if plan.longest is None:
        return [f"Nothing has to run: {plan.results} is up to date."]
    basis = ", ".join(f"{plan.basis[key]} {text}" for key, text in _BASIS.items() if plan.basis[key])
    lines = [
        f"Longest job: {title_of(plan.longest.job)}, {_time(plan.longest.seconds)}.",
        f"At best, with everything side by side that can be: {_time(plan.chain_seconds)}.",
        f"Free where {plan.results} is: {_size(plan.disk_free_bytes)}.",
        paragraph(f"Estimates rest: {basis}."),
    ]
    if plan.run.groups:
        lines.insert(2, f"Handed to the cluster: {plan.submissions:,} submissions.")
    return lines


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min"


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
