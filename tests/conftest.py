"""Shared fixtures. Nothing here uses a network."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import lanes
from tests.real_data import folder_or_skip

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "offline"
os.environ.setdefault("OMP_NUM_THREADS", "1")
for _name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
    os.environ.setdefault(_name, "/tmp/sei-test-wandb")

# as on a cluster's login node: if a program srun is found, Lightning warns unless its environment is set
_CLUSTER = Path(tempfile.mkdtemp(prefix="sei-cluster-"))
(_CLUSTER / "srun").write_text("#!/bin/sh\nexit 1\n")
(_CLUSTER / "srun").chmod(0o755)
os.environ["PATH"] = f"{_CLUSTER}{os.pathsep}{os.environ['PATH']}"
atexit.register(shutil.rmtree, _CLUSTER, ignore_errors=True)

ROOT = Path(__file__).parent.parent

_MINUTES_IN_FEW_TESTS = (
    "test_sweep",
    "test_interrupts",
    "test_command_line",
    "test_track",
    "test_estimate",
    "test_wrong_commands",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="only tests that start no process, server or run")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no module without a quick test: that would take longer than all quick tests."""
    is_test = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return True if config.getoption("quick") and is_test and not lanes.quick(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run long files first, so that no worker is left with one at the end (xdist: --no-loadscope-reorder)."""
    if config.getoption("quick"):
        items[:] = [i for i in items if isinstance(i, pytest.Function) and i.originalname in lanes.quick(i.path)]
    items.sort(key=lambda item: item.path.stem not in _MINUTES_IN_FEW_TESTS)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of the real data sets."""
    return folder_or_skip("SEI_DATA")


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """Return the folder of real-world files and server replies."""
    return folder_or_skip("SEI_CASES")


@pytest.fixture(scope="session", autouse=True)
def _no_data_folder() -> None:
    """Hide the data folder from every test that does not pass it to the program."""
    os.environ.pop("SEI_DATA", None)


class Sei:
    """Runs the command line in a separate folder."""

    def __init__(self, cwd: Path, store: Path) -> None:
        self.cwd, self.store = cwd, store

    def __call__(self, *args: str, timeout: float = 400, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sei", *args],
            cwd=self.cwd,
            env={**os.environ, "SEI_STORE": str(self.store), **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def last_run(self, name: str = "smoke") -> Path:
        return sorted((self.cwd / "outputs" / name).iterdir(), key=lambda p: p.stat().st_mtime)[-1]


@pytest.fixture
def sei(tmp_path: Path) -> Sei:
    return Sei(tmp_path, tmp_path / "store")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ask a server again after hundredths of a second, and close the sockets of cancelled requests."""
    monkeypatch.setattr("sei.instructors.remote.client._BACKOFF", (0.02, 0.2))
    monkeypatch.setattr("sei.instructors.remote.batch_api._BACKOFF", (0.01, 0.05))
    gc.freeze()  # skip objects from before the test; saves half a second each time
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # httpx2 does not close a cancelled request's socket itself
        gc.collect()
    gc.unfreeze()
