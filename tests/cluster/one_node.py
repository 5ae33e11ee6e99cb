"""A SLURM cluster of one node on this machine, for tests: started and stopped without systemd.

Its programs are Debian's (`make slurm` installs them). Everything that they write lies in one
folder, their ports are free ones, and they are stopped by the ids in their own files, so that
several clusters, or a real one, may be beside it. By hand::

    python tests/cluster/one_node.py up      # prints what a shell must export; again does nothing
    python tests/cluster/one_node.py down

There is no accounting, as on many small clusters. A job that takes more memory than it asked for is
killed by SLURM's own sampling once a second, which needs no cgroups.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
DAEMONS = ("slurmd", "slurmctld", "munged")  # in the order in which they are stopped

SETTINGS = """\
ClusterName=polymatch
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/completed.txt
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=100000
ReturnToService=1
MinJobAge=300
KillWait=2
GresTypes=gpu
NodeName={node} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes={node} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpus Nodes={node} MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Why no cluster can be started here, with the command that changes it; None if it can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"SLURM is not installed ({', '.join(absent)} not found); run `make slurm`"
    return None


class OneNode:
    """The cluster whose files lie in ``folder``; ``environment`` is what its clients need."""

    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        self.node = socket.gethostname().split(".")[0]

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self.folder / "bin"), _path()])
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": path}

    def up(self) -> None:
        """Start what is not running, and wait until the node takes jobs."""
        if reason := missing():
            raise RuntimeError(reason)
        if not self._id("slurmctld"):
            self._write_files()
        key, sock = self.folder / "munge.key", self.folder / "munge.socket"
        munged = ["munged", "--force", f"--key-file={key}", f"--socket={sock}"]
        munged += [f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log"]
        munged += [f"--seed-file={self.folder}/munge.seed"]
        commands = {"munged": munged, "slurmctld": ["slurmctld", "-c"], "slurmd": ["slurmd"]}
        for daemon, command in commands.items():
            if not self._id(daemon):
                self.command(*command)
        self._wait_until_ready()

    def down(self) -> None:
        """Cancel what runs and stop the programs; nothing happens where none runs."""
        if self._id("slurmctld"):
            with contextlib.suppress(subprocess.CalledProcessError):
                self.command("scancel", f"--user={_user()}")
        for daemon in DAEMONS:
            self._stop(daemon)

    def command(self, *arguments: str) -> str:
        """What a client says; CalledProcessError where it fails."""
        return subprocess.run(
            arguments,
            env=os.environ | self.environment,
            check=True,
            text=True,
            capture_output=True,
        ).stdout

    def states(self) -> dict[str, str]:
        """Job -> state, of every job that the controller remembers."""
        lines = self.command("squeue", "--states=all", "--noheader", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def running(self) -> list[str]:
        """Jobs that run now."""
        return [job for job, state in self.states().items() if state == "RUNNING"]

    def completed(self) -> list[dict[str, str]]:
        """One record of each job that came to its end, in that order, by the controller's list."""
        path = self.folder / "completed.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    def _write_files(self) -> None:
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        key = self.folder / "munge.key"
        key.unlink(missing_ok=True)
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        controller_port, node_port = _free_ports(2)
        (self.folder / "slurm.conf").write_text(
            SETTINGS.format(
                node=self.node,
                folder=self.folder,
                user=_user(),
                controller_port=controller_port,
                node_port=node_port,
                cpus=os.cpu_count(),
                memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
            )
        )
        # A device that is there everywhere stands for the GPU: it is counted, and never opened.
        (self.folder / "gres.conf").write_text(f"NodeName={self.node} Name=gpu File=/dev/zero\n")
        # Inside of a job the plugin takes SLURM_CONF away before it calls srun.
        srun = self.folder / "bin/srun"
        srun.write_text(
            f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {_which("srun")} "$@"\n'
        )
        srun.chmod(0o755)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(subprocess.CalledProcessError):
                if {*self.command("sinfo", "-h", "-o", "%T").split()} & {"idle", "mixed"}:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"the node takes no jobs after 30 s; see {self.folder}/*.log")

    def _id(self, daemon: str) -> int | None:
        """The process of a daemon, if it runs."""
        try:
            process = int((self.folder / f"{daemon}.pid").read_text())
            name = Path(f"/proc/{process}/comm").read_text().strip()
        except (OSError, ValueError):
            return None
        return process if name == daemon else None

    def _stop(self, daemon: str) -> None:
        process = self._id(daemon)
        for kind in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + 10
            while process and time.monotonic() < deadline and self._id(daemon) == process:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, kind)
                time.sleep(0.1)
        (self.folder / f"{daemon}.pid").unlink(missing_ok=True)


def _path() -> str:
    """Where programs are looked for: Debian's daemons are not on every user's path."""
    return os.pathsep.join([*os.get_exec_path(), "/usr/local/sbin", "/usr/sbin"])


def _which(name: str) -> str:
    found = shutil.which(name, path=_path())
    assert found is not None
    return found


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def main() -> None:
    parser = argparse.ArgumentParser(description="A SLURM cluster of one node on this machine.")
    parser.add_argument("action", choices=["up", "down"])
    default = Path(tempfile.gettempdir()) / f"polymatch-slurm-{os.getuid()}"
    parser.add_argument("--folder", type=Path, default=default, help="where its files lie")
    arguments = parser.parse_args()
    cluster = OneNode(arguments.folder)
    if arguments.action == "down":
        cluster.down()
        return
    cluster.up()
    for name, value in cluster.environment.items():
        print(f"export {name}={value}")


if __name__ == "__main__":
    main()
