"""The program from Python: a run as the command ``sei`` makes it, in this process, and what it left behind."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sei import __main__ as door
from sei.errors import ConfigError, SeiError, disk_trouble
from sei.exits import Interruption, lent_signals
from sei.imports import forget_changed
from sei.job import perform
from sei.loaded import Run
from sei.loading import load
from sei.printable import Formatter

log = logging.getLogger("sei")


def run(overrides: Sequence[str] = (), *, config_dir: str | Path | None = None, quiet: bool = False) -> Run:
    """Make a run and return it, read back from its folder.

    The settings are those of the command: ``sei.run(["experiment=smoke", "tracker=none"])`` does what
    ``sei experiment=smoke tracker=none`` does, with the same store, and so with the same numbers. What is finished is
    not made again. The run folder is ``outputs/<name>/<stamp>_<hex>`` below the current folder, unless
    ``hydra.run.dir=PATH`` says otherwise.

    Nothing ends the process, and signal handlers and log settings are afterwards what they were. Stopping the cell of
    a notebook raises ``KeyboardInterrupt``; the same call goes on from there. A package of your own under ``plugins``
    that was edited since the last call is imported anew.

    Args:
        overrides: settings as texts, one each, such as ``"rounds=2"``.
        config_dir: a folder with options of your own, as ``--config-dir``.
        quiet: whether log lines go to ``sei.log`` in the run folder alone, and not to standard output as well.

    Raises:
        ConfigError: for what cannot be run, before anything costs.
        SeiError: for whatever else ends a run; ``sei.load`` of its folder then shows what was done until then.
        KeyboardInterrupt: where it was interrupted.
    """
    prepared = door.prepare(overrides, None if config_dir is None else Path(config_dir))
    _refuse_processes(prepared.plain)
    for package in forget_changed(prepared.plain["plugins"]):
        log.info("%s was edited and is imported anew", package)
    prepared.write()
    with ExitStack() as stack:
        stack.enter_context(lent_signals())
        stack.enter_context(_logging(prepared.log, quiet=quiet))
        try:
            perform(prepared.plain, prepared.folder)
        except ConfigError as e:
            raise prepared.said(e, door.CONF) from e
        except Interruption:
            raise
        except SystemExit as e:
            raise SeiError(
                f"a part of the run ended the process with exit code {e.code}. Rule: a part raises an error instead. "
                f"Remedy: look at {prepared.folder / 'failure.json'}."
            ) from e
        except Exception as e:
            known = e if isinstance(e, SeiError) else disk_trouble(e) or e
            known.add_note(f"What was done until then: sei.load({str(prepared.folder)!r})")
            if known is e:
                raise
            raise known from e
    return load(prepared.folder)


def _refuse_processes(plain: dict[str, Any]) -> None:
    """Refuse a fine-tune on several devices where Python is interactive: its processes cannot begin from there."""
    devices = plain["trainer"].get("devices", 1)
    if devices != 1 and hasattr(sys, "ps1"):
        raise ConfigError(
            f"trainer.devices={devices}: rule: a notebook or an interactive Python has no file that the processes of "
            "several devices could begin from. Remedy: trainer.devices=1, or the command sei with the same settings "
            "and sei.load of its run folder."
        )


@contextmanager
def _logging(file: Path | None, *, quiet: bool) -> Iterator[None]:
    """Write log lines to a file and, where nobody else shows them, to standard output; undone at the end."""
    root, level = logging.getLogger(), log.level
    shown: list[tuple[logging.Logger, logging.Handler]] = []
    if not quiet and not root.handlers and not log.handlers:
        shown.append((log, logging.StreamHandler(sys.stdout)))
    if file is not None:
        shown.append((root, logging.FileHandler(file, encoding="utf-8")))
    for logger, handler in shown:
        handler.setFormatter(Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
        logger.addHandler(handler)
    if log.getEffectiveLevel() > logging.INFO:
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        for logger, handler in shown:
            logger.removeHandler(handler)
            handler.close()
