"""A real SLURM of one node on this machine, from Debian's packages slurmctld, slurmd, slurm-client and munge.

``with cluster(folder) as variables``: its daemons run as this user inside the block, with all their files in a folder
and the environment variables that its programs need. The daemons need root.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "scontrol")
_SYSTEM = "/usr/sbin:/usr/bin"
_CONF = """\
ClusterName=sei
SlurmctldHost={node}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge/socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=15
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmdSpoolDir={home}/spool
StateSaveLocation={home}/state
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
NodeName={node} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes={node} Default=YES MaxTime=INFINITE State=UP
"""


class NoClusterError(Exception):
    """SLURM cannot run here, with the reason."""


def _ports(number: int) -> list[int]:
    held = [socket.socket() for _ in range(number)]
    try:
        for s in held:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in held]
    finally:
        for s in held:
            s.close()


@contextmanager
def cluster(home: Path) -> Iterator[dict[str, str]]:
    """Run SLURM inside a block and yield the environment variables of its programs.

    Raises:
        NoClusterError: if a program is missing, this user is not root, or the node does not come up.
    """
    path = f"{_SYSTEM}:{os.environ['PATH']}"  # first: the tests have an srun of their own, which only fails
    if missing := [p for p in _PROGRAMS if shutil.which(p, path=path) is None]:
        raise NoClusterError(f"SLURM is not here: {', '.join(missing)} (apt-get install slurmctld slurmd munge)")
    if os.geteuid() != 0:
        raise NoClusterError("the daemons of SLURM need root")
    for name in ("state", "spool", "munge"):
        (home / name).mkdir(parents=True)
    (home / "munge/key").write_bytes(os.urandom(1024))
    (home / "munge/key").chmod(0o600)
    conf = home / "slurm.conf"
    conf.write_text(_CONF.format(home=home, node=socket.gethostname().split(".")[0], ports=_ports(2)))
    env = {**os.environ, "PATH": path, "SLURM_CONF": str(conf)}
    files = ("key-file=key", "socket=socket", "pid-file=pid", "log-file=log", "seed-file=seed")
    munge = [f"--{name}={home}/munge/{file}" for name, _, file in (f.partition("=") for f in files)]
    daemons = [["munged", "--force", "--foreground", *munge], ["slurmctld", "-D", "-c"], ["slurmd", "-D"]]
    started = []
    try:
        for words in daemons:
            started.append(subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            time.sleep(1)
        _wait_for_node(env)
        yield {"SLURM_CONF": str(conf), "PATH": path}
    finally:
        subprocess.run(["scancel", "-u", "root"], env=env, capture_output=True, check=False, timeout=30)
        for process in reversed(started):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_node(env: dict[str, str]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        said = subprocess.run(["sinfo", "-h", "-o", "%T"], env=env, capture_output=True, text=True, check=False)
        if said.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    raise NoClusterError(f"the node of SLURM does not come up: {said.stdout} {said.stderr}")
