"""Snakemake as it is, but it asks Slurm for its jobs every two seconds.

The executor asks ever more rarely while nothing ends, up to every three minutes, and tests would mostly
wait for that.
"""

import sys

from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

Executor.next_seconds_between_status_checks = property(lambda executor: 2.0, lambda executor, seconds: None)

if __name__ == "__main__":
    main(sys.argv[1:])
