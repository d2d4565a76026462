"""A real Slurm of one machine, on the loopback address, in a folder of its own.

``tools/slurm/up`` starts munge, a controller and two nodes, ``tools/slurm/down`` stops exactly these. Nothing
outside the folder is written, and no service of the system is touched. Node ``cpu1`` is in partition
``cpu``, node ``gpu1`` with pretended GPUs in partition ``gpu``: jobs there see CUDA_VISIBLE_DEVICES and
find no GPU. Needs the programs of Slurm and munge (Debian: slurm-wlm, munge).
"""

import argparse
import getpass
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
DAEMONS = ("munged", "slurmctld", "slurmd-cpu1", "slurmd-gpu1")
PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "slurmstepd", "scontrol", "sinfo", "sbatch", "srun")
CLIENTS = ("salloc", "sattach", "sbatch", "scancel", "scontrol", "sdiag", "sinfo", "sprio", "squeue", "srun")
# In a namespace of its own for the host name, which then is one that means the loopback address.
RENAMED = ["unshare", "--uts", "sh", "-c", 'echo localhost >/proc/sys/kernel/hostname && exec "$@"', "sh"]
PATIENCE = 120.0  # seconds, generous: the machine may be busy


class ClusterError(Exception):
    """The cluster cannot be started; says why."""


class Cluster:
    """A Slurm in a folder.

    Parameters
    ----------
    folder : Path
        Keys, configuration, logs, spool and the daemons' process identifiers.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._record = self.folder / "run" / "daemons.json"
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    # --- all of it -------------------------------------------------------------------------------------

    def up(self, *, cpus: int = 4, memory: int = 64000, gpus: int = 2, grace: int = 5) -> None:
        """Start what is not running yet, and wait until both nodes are ready.

        Parameters
        ----------
        cpus, memory, gpus : int
            What each node has, or pretends to; megabytes.
        grace : int
            Seconds between SIGTERM and SIGKILL, for jobs that are cancelled, preempted or late.
        """
        if missing := missing_programs():
            raise ClusterError(f"{', '.join(missing)} not found; on Debian: apt-get install slurm-wlm munge")
        self._lay_out(cpus=cpus, memory=memory, gpus=gpus, grace=grace)
        for name in DAEMONS:
            self.start(name)

    def down(self) -> None:
        """Cancel all jobs and stop the daemons, each only if it still is the process that was started."""
        if self.is_running("slurmctld"):
            self.cancel_all()
        for name in reversed(DAEMONS):
            self.stop(name)
        for process in self.step_managers():  # they would try for minutes to reach their node
            process.kill()

    def cancel_all(self) -> None:
        """Cancel all jobs and wait until they have ended."""
        self._client("scancel", "--user", getpass.getuser())
        _wait(lambda: not self._client("squeue", "--noheader").strip(), 60)

    def environment(self) -> dict[str, str]:
        """Return the variables that lead clients, and the jobs they submit, to this cluster."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {"SLURM_CONF": str(self.folder / "etc" / "slurm.conf"), "PATH": path}

    # --- one daemon ------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a daemon, unless it runs, and wait until it serves."""
        if not self.is_running(name):
            log = self.folder / "log" / f"{name}.out"
            with log.open("ab") as out:
                process = subprocess.Popen(
                    self._command(name),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                    env=os.environ | {"SLURM_CONF": str(self.folder / "etc" / "slurm.conf")},
                )
            self._children[name] = process
            self._remember(name, psutil.Process(process.pid))
        if not _wait(lambda: not self.is_running(name) or self._serves(name), PATIENCE) or not self._serves(
            name
        ):
            logs = sorted(self.folder.glob(f"log/{name}.*"))
            said = "\n".join(line for log in logs for line in log.read_text().splitlines()[-5:])
            raise ClusterError(f"{name} does not answer:\n{said}")

    def stop(self, name: str, *, kill: bool = False) -> None:
        """Stop a daemon and wait until it is gone."""
        process = self._process(name)
        if process:
            process.kill() if kill else process.terminate()
            if not _wait(lambda: not _is_alive(process), 30):
                process.kill()
                _wait(lambda: not _is_alive(process), 30)
        if child := self._children.pop(name, None):
            child.wait()

    def break_node(self, node: str) -> None:
        """Have a node refuse all jobs that are launched there; Slurm drains it when it meets the first."""
        (self.folder / "run" / f"{node}.broken").touch()

    def mend_node(self, node: str) -> None:
        """Have a node that was broken take jobs again."""
        (self.folder / "run" / f"{node}.broken").unlink(missing_ok=True)
        self._client("scontrol", "update", f"nodename={node}", "state=resume")

    def is_running(self, name: str) -> bool:
        """Return whether a daemon is the process that was started as such."""
        return self._process(name) is not None

    def step_managers(self) -> list[psutil.Process]:
        """Return the processes that look after jobs on the nodes, whether or not their daemon is there."""

        def is_ours(process: psutil.Process) -> bool:
            try:  # it writes its title over its environment, but listens on a socket in its node's spool
                sockets = process.net_connections("unix") if process.name() == "slurmstepd" else []
            except psutil.Error:
                return False
            return any(str(socket.laddr).startswith(f"{self.folder}/spool/") for socket in sockets)

        return [process for process in psutil.process_iter() if is_ours(process)]

    # --- inside ----------------------------------------------------------------------------------------

    def _lay_out(self, **size: int) -> None:
        for name in ("bin", "dev", "etc", "log", "run", "state", "spool/cpu1", "spool/gpu1"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        key = self.folder / "etc" / "munge.key"
        if not key.exists():
            subprocess.run([_program("mungekey"), "--create", f"--keyfile={key}"], check=True)
        configuration = self.folder / "etc" / "slurm.conf"
        if not configuration.exists():
            self._configure(configuration, **size)
        for client in CLIENTS:
            # Snakemake's job steps drop SLURM_CONF from the environment; these bring it back.
            if shutil.which(client, path=_search_path()):
                front = self.folder / "bin" / client
                front.write_text(
                    f"#!/bin/sh\nexport SLURM_CONF={shlex.quote(str(configuration))}\n"
                    f'exec {shlex.quote(_program(client))} "$@"\n'
                )
                front.chmod(0o755)

    def _configure(self, configuration: Path, *, cpus: int, memory: int, gpus: int, grace: int) -> None:
        controller, cpu1, gpu1 = _free_ports(3)
        text = (HERE / "slurm.conf").read_text()
        values = {
            "host": _host(),
            "user": getpass.getuser(),
            "folder": self.folder,
            "controller_port": controller,
            "cpu1_port": cpu1,
            "gpu1_port": gpu1,
            "cpus": cpus,
            "memory": memory,
            "gpus": gpus,
            "grace": grace,
        }
        for number in range(gpus):
            device = self.folder / "dev" / f"gpu{number}"
            device.unlink(missing_ok=True)
            device.symlink_to(os.devnull)  # a device file, which is all that Slurm looks at
        devices = f"Name=gpu Type=pretend File={self.folder}/dev/gpu[0-{gpus - 1}]"
        (self.folder / "etc" / "gres.conf").write_text(f"AutoDetect=off\nNodeName=gpu1 {devices}\n")
        (self.folder / "etc" / "cgroup.conf").write_text("CgroupAutomount=no\n")
        prolog = self.folder / "etc" / "prolog"
        prolog.write_text(
            f'#!/bin/sh\n[ ! -e {shlex.quote(str(self.folder))}/run/"$SLURMD_NODENAME".broken ]\n'
        )
        prolog.chmod(0o755)
        configuration.write_text(text.format(**values))

    def _command(self, name: str) -> list[str]:
        if name == "munged":
            return [
                _program("munged"),
                "--foreground",
                "--force",  # the socket is not where the system has its own
                f"--key-file={self.folder}/etc/munge.key",
                f"--socket={self.folder}/run/munge.socket",
                f"--pid-file={self.folder}/run/munged.pid",
                f"--log-file={self.folder}/log/munged.log",
                f"--seed-file={self.folder}/run/munge.seed",
            ]
        renamed = RENAMED if _host() == "localhost" else []
        if name == "slurmctld":
            return [*renamed, _program("slurmctld"), "-D", "-i"]
        return [*renamed, _program("slurmd"), "-D", "-N", name.removeprefix("slurmd-")]

    def _serves(self, name: str) -> bool:
        if name == "munged":
            return (self.folder / "run" / "munge.socket").is_socket()
        if name == "slurmctld":
            return "is UP" in self._client("scontrol", "ping")
        node, process = name.removeprefix("slurmd-"), self._process(name)
        state = self._client("sinfo", "-h", "-N", "-n", node, "-o", "%t").split()[:1]
        # The controller may take a node for a good one that has not been there for a while.
        return _listens(process) and state in (["idle"], ["mix"], ["alloc"], ["comp"])

    def _client(self, *command: str) -> str:
        """Return what a client program says, nothing where it fails."""
        environment = os.environ | self.environment()
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout if done.returncode == 0 else ""

    def _recorded(self) -> dict[str, tuple[int, float]]:
        return json.loads(self._record.read_text()) if self._record.exists() else {}

    def _remember(self, name: str, process: psutil.Process) -> None:
        recorded = self._recorded() | {name: (process.pid, process.create_time())}
        temporary = self._record.with_suffix(".new")
        temporary.write_text(json.dumps(recorded))
        temporary.replace(self._record)

    def _process(self, name: str) -> psutil.Process | None:
        pid, created = self._recorded().get(name, (0, 0.0))
        try:
            process = psutil.Process(pid) if pid else None
        except psutil.NoSuchProcess:
            return None
        # A number may belong to another process by now, which then began at another time.
        if process and abs(process.create_time() - created) < 1 and _is_alive(process):
            return process
        return None


def missing_programs() -> list[str]:
    """Return the programs that a cluster needs and this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=_search_path()) is None]


def _search_path() -> str:
    folders = [*os.environ["PATH"].split(os.pathsep), "/usr/sbin", "/sbin"]
    # Never through the front ends of another cluster of this kind.
    return os.pathsep.join(f for f in folders if not (Path(f).parent / "etc" / "munge.key").exists())


def _program(name: str) -> str:
    found = shutil.which(name, path=_search_path())
    if found is None:
        raise ClusterError(f"{name} not found; on Debian: apt-get install slurm-wlm munge")
    return found


def _host() -> str:
    """Return the host name the daemons have: one that means the loopback address."""
    if subprocess.run([*RENAMED, "true"], capture_output=True).returncode == 0:
        return "localhost"
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        address = "nothing"
    if not address.startswith("127."):
        raise ClusterError(
            f"the host name {name} means {address}, and `unshare --uts` is not permitted: Slurm would listen "
            "beyond the loopback address. Run it as root, or give the name an address in 127.0.0.0/8"
        )
    return name


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _wait(condition: Callable[[], object], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _listens(process: psutil.Process | None) -> bool:
    try:
        sockets = process.net_connections("tcp") if process else []
    except psutil.NoSuchProcess:
        return False
    return any(each.status == psutil.CONN_LISTEN for each in sockets)


def main(arguments: Sequence[str]) -> int:
    """Run ``up`` or ``down``."""
    default = Path(tempfile.gettempdir()) / f"rnnxai-slurm-{getpass.getuser()}"
    parser = argparse.ArgumentParser(prog="tools/slurm", description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("--folder", type=Path, default=default, help=f"where it lives (default: {default})")
    parser.add_argument("--cpus", type=int, default=4, help="processors of a node (default: 4)")
    parser.add_argument("--memory", type=int, default=64000, help="megabytes of a node (default: 64000)")
    parser.add_argument("--gpus", type=int, default=2, help="pretended GPUs (default: 2)")
    options = parser.parse_args(arguments)
    cluster = Cluster(options.folder)
    try:
        if options.action == "down":
            cluster.down()
            print(f"stopped what ran in {cluster.folder}", file=sys.stderr)
            return 0
        cluster.up(cpus=options.cpus, memory=options.memory, gpus=options.gpus)
    except ClusterError as error:
        print(f"tools/slurm: {error}", file=sys.stderr)
        return 1
    environment = cluster.environment()
    print(f"export SLURM_CONF={shlex.quote(environment['SLURM_CONF'])}")
    print(f'export PATH={shlex.quote(str(cluster.folder / "bin"))}:"$PATH"')
    print(f"Slurm is up in {cluster.folder}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
