"""A short set of tests with the lowest and the newest dependencies that pyproject.toml allows: ``make matrix``.

Each leg is a Python version with one end of the allowed versions, in its own environment in the user's cache folder,
which is made once. A leg that is impossible on this machine is reported with the reason. The exit code is 1 if a leg
fails, or if none was possible.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sei-tests"
PYTHONS = ("3.11", "3.13")
ENDS = ("lowest", "newest")
# parts of the extra ``dev`` that the tests need, always the newest; sei itself does not use them
TOOLS = ("pytest", "hypothesis", "psutil", "hydra-joblib-launcher")
LANE = ("tests/test_config.py", "tests/test_loop.py", "tests/store/test_store.py", "tests/grading/test_extract.py")
SMOKE = ("-m", "sei", "experiment=smoke", "tracker=none")
# warnings caused by sei are errors; warnings between old and new third-party packages are not
WARNINGS = "filterwarnings=default\nerror:::sei\\."


class NotTriedError(Exception):
    """Why a leg cannot be tried on this machine."""


class FailedError(Exception):
    """Why a leg fails before its tests."""


def allowed(end: str) -> list[str]:
    """Return the dependencies without PyTorch, as written or each at its lower bound, and the tools for the tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    runtime = [r for r in (*project["dependencies"], *extras["offline"]) if name_of(r) != "torch"]
    tools = [r for r in extras["dev"] if name_of(r) in TOOLS]
    return [*(map(lowest, runtime) if end == "lowest" else runtime), *tools]


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]


def lowest(requirement: str) -> str:
    """Return ``pandas==2.1`` for ``pandas>=2.1,<3``; a requirement without a lower bound stays."""
    found = re.match(r"^([^<>=!~; ]+)>=([^,; ]+)", requirement)
    return f"{found[1]}=={found[2]}" if found else requirement


def interpreter(version: str) -> str:
    """Return an interpreter of this version: the current one, one from PATH, or one from pyenv.

    Raises:
        NotTriedError: if none is found.
    """
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    places = [shutil.which(f"python{version}"), *sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python")))]
    for place in filter(None, places):  # pyenv's shims are on PATH even if their version is not selected
        if subprocess.run([place, "-c", ""], capture_output=True, check=False).returncode == 0:
            return place
    raise NotTriedError(f"no Python {version} here")


def environment(version: str, end: str, torch: list[str], cuda: bool) -> Path:
    """Return the interpreter of a leg's environment; the newest packages are looked up each time.

    Raises:
        NotTriedError: if there is no interpreter, or PyTorch would install CUDA libraries.
        FailedError: with the last output of pip.
    """
    python, packages = interpreter(version), [*torch, *allowed(end)]
    mark = hashlib.sha256("\n".join(packages).encode()).hexdigest()[:8]
    folder = CACHE / f"matrix-{version}-{end}-{mark}"
    found = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = folder / ".done"
    if not done.exists():
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        if not cuda and (libraries := cuda_libraries(found, torch)):
            raise NotTriedError(f"{shlex.join(torch)} would bring {libraries} CUDA packages: set TORCH, or give --cuda")
    if end == "newest" or not done.exists():
        newer = ["--upgrade", "--upgrade-strategy", "eager"] if end == "newest" else []
        pip(found, "-q", *newer, *packages)
        done.touch()
    return found


def cuda_libraries(python: Path, torch: list[str]) -> int:
    """Return how many CUDA packages PyTorch would install; nothing is installed."""
    report = json.loads(pip(python, "-q", "--dry-run", "--report", "-", *torch))
    return sum(re.match("nvidia-|cuda-", p["metadata"]["name"]) is not None for p in report["install"])


def pip(python: Path, *asked: str) -> str:
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FailedError(f"pip cannot install it: {done.stderr.strip()[-1500:]}")
    return done.stdout


def lane(python: Path) -> list[str]:
    """Run the tests and one smoke run of this checkout; return what failed."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline"}
    with tempfile.TemporaryDirectory() as folder:
        pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", WARNINGS, *LANE]
        tests = subprocess.run([python, *pytest], cwd=ROOT, env=env, check=False)
        smoke = subprocess.run([python, *SMOKE], cwd=folder, env={**env, "SEI_STORE": f"{folder}/store"}, check=False)
    return [name for name, code in (("tests", tests.returncode), ("smoke run", smoke.returncode)) if code]


def leg(version: str, end: str, torch: list[str], cuda: bool) -> tuple[str, str]:
    """Return the result of one leg, and a text about it."""
    start = time.monotonic()
    try:
        python = environment(version, end, torch, cuda)
    except NotTriedError as reason:
        return "not tried", str(reason)
    except FailedError as reason:
        return "FAILED", str(reason)
    made = time.monotonic()
    failed = lane(python)
    took = f"environment {made - start:.0f} s, lane {time.monotonic() - made:.0f} s"
    return ("FAILED", f"{' and '.join(failed)}; {took}") if failed else ("passed", took)


def main() -> None:
    """Run the requested legs, by default all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", required=True, help="pip arguments for PyTorch, in every leg")
    parser.add_argument("--cuda", action="store_true", help="let PyTorch install gigabytes of CUDA libraries")
    parser.add_argument("--python", nargs="+", default=PYTHONS, help="default: %(default)s")
    parser.add_argument("--ends", nargs="+", default=ENDS, choices=ENDS, help="default: %(default)s")
    asked = parser.parse_args()
    said = {}
    for version in asked.python:
        for end in asked.ends:
            print(f"== Python {version}, {end} dependencies", flush=True)
            said[version, end] = leg(version, end, shlex.split(asked.torch), asked.cuda)
    for (version, end), (how, words) in said.items():
        print(f"Python {version}, {end} dependencies: {how} ({words})")
    ends = {how for how, _ in said.values()}
    sys.exit("FAILED" in ends or "passed" not in ends)


if __name__ == "__main__":
    main()
