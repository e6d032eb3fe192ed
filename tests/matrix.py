"""A short lane of tests with the lowest and the newest dependencies that pyproject.toml allows: ``make matrix``.

Each leg is a Python version and one end of the allowed versions, in an environment of its own in the user's cache
folder, made once for each list of packages. PyTorch is pinned in all of them (``--torch``): on some systems an open
range brings gigabytes of CUDA libraries. What cannot be tried here is said and counted, and the exit code is 1 where a
leg fails, or where none could be tried.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from pathlib import Path

from tests.models.older import home

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.13")
ENDS = ("lowest", "newest")
TORCH = "torch==2.13.0"
TOOLS = ("pytest", "hypothesis", "psutil", "hydra-joblib-launcher")  # of the extra ``dev``: what the lane needs
LANE = ("tests/test_config.py", "tests/test_loop.py", "tests/store/test_store.py", "tests/grading/test_extract.py")
SMOKE = ("-m", "sei", "experiment=smoke", "tracker=none")


def allowed(end: str, torch: str) -> list[str]:
    """Return what pip is asked for: the dependencies as they stand, or each at its lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    dev = [r for r in project["optional-dependencies"]["dev"] if name_of(r) in TOOLS]
    runtime = [*project["dependencies"], *project["optional-dependencies"]["offline"]]
    rest = [r for r in runtime if name_of(r) != "torch"]
    return [torch, *(map(lowest, rest) if end == "lowest" else rest), *dev]


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]


def lowest(requirement: str) -> str:
    """Return ``pandas==2.1`` for ``pandas>=2.1,<3``; a requirement without a lower bound stays as it is."""
    found = re.match(r"^([^<>=!~; ]+)>=([^,; ]+)", requirement)
    return f"{found[1]}=={found[2]}" if found else requirement


def interpreter(version: str) -> str | None:
    """Return an interpreter of this version: the one that runs this, one of PATH, or one of pyenv."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    places = [shutil.which(f"python{version}"), *sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python")))]
    for place in filter(None, places):  # a shim of pyenv stands on PATH also where its version is not chosen
        asked = subprocess.run([place, "-c", ""], capture_output=True, check=False)
        if asked.returncode == 0:
            return place
    return None


def environment(python: str, version: str, packages: list[str]) -> Path:
    """Return the interpreter of the environment with these packages, which is made where it is not there.

    Raises:
        SystemExit: pip's last words, where it cannot install them.
    """
    mark = hashlib.sha256("\n".join(packages).encode()).hexdigest()[:8]
    folder = home().parent / f"matrix-{version}-{mark}"
    found = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / ".done").exists():
        if python == sys.executable:
            venv.create(folder, clear=True, with_pip=True)
        else:
            subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        pip = [found, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages]
        made = subprocess.run(pip, capture_output=True, text=True, check=False)
        if made.returncode:
            raise SystemExit(f"pip cannot install this leg: {made.stderr.strip()[-1500:]}")
        (folder / ".done").touch()
    return found


def lane(python: Path) -> bool:
    """Run the tests and one smoke run; what is not installed here comes from this checkout."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline"}
    with tempfile.TemporaryDirectory() as folder:
        tests = subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *LANE], cwd=ROOT, env=env)
        smoke = subprocess.run([python, *SMOKE], cwd=folder, env={**env, "SEI_STORE": f"{folder}/store"})
    return tests.returncode == smoke.returncode == 0


def leg(version: str, end: str, torch: str) -> str:
    """Return how one leg ended, in words."""
    python = interpreter(version)
    if python is None:
        return f"not tried: no Python {version} here"
    start = time.monotonic()
    try:
        found = environment(python, version, allowed(end, torch))
    except SystemExit as refused:
        return f"FAILED: {refused}"
    made = time.monotonic() - start
    passed = lane(found)
    return (
        f"{'passed' if passed else 'FAILED'} (environment {made:.0f} s, lane {time.monotonic() - start - made:.0f} s)"
    )


def main() -> None:
    """Run the legs that are asked for, all of them by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", default=TORCH, help="requirement for PyTorch in every leg (default: %(default)s)")
    parser.add_argument("--python", nargs="+", default=PYTHONS, help="default: %(default)s")
    parser.add_argument("--ends", nargs="+", default=ENDS, choices=ENDS, help="default: %(default)s")
    asked = parser.parse_args()
    said = {}
    for version in asked.python:
        for end in asked.ends:
            print(f"== Python {version}, {end} dependencies", flush=True)
            said[version, end] = leg(version, end, asked.torch)
    for (version, end), words in said.items():
        print(f"Python {version}, {end}: {words}")
    ends = [w.split()[0].rstrip(":") for w in said.values()]
    sys.exit("FAILED" in ends or "passed" not in ends)


if __name__ == "__main__":
    main()
