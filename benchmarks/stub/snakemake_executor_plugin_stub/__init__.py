"""A cluster that does nothing: jobs it is handed are done at once, and what they write are empty files.

Snakemake finds it by its name on the import path and takes it for any other cluster, so the whole of its own
work is done: grouping, job scripts, waiting, looking for outputs. Every submission adds a line to the file
``submissions.txt``: its name, how many jobs it holds, and its time limit in minutes.
"""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.settings import CommonSettings

common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_default_storage_provider_args=True,
    pass_default_resources_args=True,
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
    init_seconds_before_status_checks=0,
)


class Executor(RemoteExecutor):  # type: ignore[misc]
    """Submits to nobody."""

    def run_job(self, job: Any) -> None:
        """Write the job's script, as for a real cluster, and empty files for what it writes."""
        self.write_jobscript(job, self.get_jobscript(job))
        members = list(job.jobs) if job.is_group() else [job]
        for member in members:
            for path in filter(None, (*member.output, *member.log, member.benchmark)):
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).touch()
        with Path("submissions.txt").open("a") as file:
            file.write(f"{job.name} {len(members)} {job.resources.get('runtime')}\n")
        self.report_job_submission(SubmittedJobInfo(job=job, external_jobid="stub"))

    async def check_active_jobs(
        self, active_jobs: Sequence[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Report every job as done."""
        for job in active_jobs:
            self.report_job_success(job)
        for job in ():  # none is still at work
            yield job

    def cancel_jobs(self, active_jobs: Sequence[SubmittedJobInfo]) -> None:
        """Do nothing: no job lasts."""
