"""The command-line entry point and the only file that uses Hydra: composes and checks a config, then runs it."""

from __future__ import annotations

import itertools
import json
import os
import re
import secrets
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # Hydra does not publish how it splits jobs
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from sei import commandline
from sei.build import refuse
from sei.contradictions import require_ablation, require_keys, require_prompts
from sei.errors import ConfigError, DiskError, SeiError, causes
from sei.exits import catch_signals, tell
from sei.prepared import Prepared, no_folder
from sei.report.page.config import DEFAULTS
from sei.report.summary import best_dev_accuracy

_HERE = Path(__file__).parent
CONF = _HERE / "conf" if (_HERE / "conf").is_dir() else _HERE.parent / "conf"
_ENDED_IN_JOB: list[BaseException] = []  # the error that ended a single run
_HEX = secrets.token_hex(3)
_ANSWER_TOKENS = 512  # of the unused engine, if outputs are given
_SETTINGS = (
    "name",
    "seed",
    "rounds",
    "bad_cases",
    "patience",
    "evaluate",
    "start_from",
    "train_on",
    "replay",
    "thinking",
    "answer_tokens",
    "max_unreadable",
    "near_duplicate",
    "decontaminate",
    "embedder",
    "review",
    "prompts",
    "attempts",
    "estimate",
    "dry_run",
    "preview",
    "assume",
    "teacher_card",
    "teacher_card_rows",
    "card",
    "data_folder",
    "benchmarks",
    "scoring",
)
_LOOKS = ("estimate", "dry_run", "preview", "teacher_card")  # these print something and make no run
_PLACES = ("budget_scale", "store", "plugins")
_PARTS = (
    "grader",
    "data",
    "model",
    "trainer",
    "engine",
    "instructor",
    "second_opinion",
    "clusterer",
    "synthesizer",
    "refiner",
    "finetuner",
)
_OTHERS = ("tracker", "cluster", "budget", "method", "ablation")


def check(cfg: DictConfig, choices: dict[str, Any]) -> dict[str, Any]:
    """Check a composed config as a whole and return it as plain values.

    Raises:
        ConfigError: for an unknown top-level key, an impossible setting or a value that contradicts the ablation.
    """
    if cfg.get("attempts") and cfg.get("answer_tokens", 0) is None:
        OmegaConf.update(cfg, "answer_tokens", _ANSWER_TOKENS)
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    known = {*_SETTINGS, *_PLACES, *_PARTS, *_OTHERS}
    for key in plain:
        if key not in known:
            raise refuse(key, plain[key], "unknown key", f"known keys: {sorted(known)}")
    for key, kind, least in (("rounds", int, 0), ("seed", int, 0)):
        value = plain[key]
        if not isinstance(value, kind) or isinstance(value, bool) or value < least:
            raise refuse(key, value, f"must be a whole number of at least {least}", f"{key}={max(1, least)}")
    for key in _LOOKS:
        if not isinstance(plain[key], bool):
            raise refuse(key, plain[key], "must be true or false", f"{key}=true")
    if plain["teacher_card_rows"] is not None and not plain["teacher_card"]:
        rule = "only a teacher card reads these rows; a run would ignore them"
        raise refuse("teacher_card_rows", plain["teacher_card_rows"], rule, "teacher_card=true as well")
    folder_name(plain["name"])
    if not isinstance(plain["attempts"], str | None) or plain["attempts"] == "":
        raise refuse("attempts", plain["attempts"], "must be the path of one file", "attempts=samples.jsonl")
    if plain["attempts"] and (ahead := [key for key in _LOOKS if plain[key]]):
        rule = f"{ahead[0]}=true is a preview for runs with a target model, and this run has none"
        remedy = f"leave {ahead[0]} out (instructor.max_usd=5 limits the cost)"
        raise refuse("attempts", plain["attempts"], rule, remedy)
    if plain["engine"].get("max_new_tokens", 0) is None:
        data = choices.get("data", "this data")
        rule = f"data={data} sets no length limit for answers, and an answer that is cut counts as unreadable"
        remedy = "engine.max_new_tokens=512 (worked solutions), 256 (short ones), 4096 (a model that thinks)"
        raise refuse("engine.max_new_tokens", None, rule, remedy)
    own = {k: v for k, v in plain["prompts"].items() if v is not None}
    if own and not any("prompts" in (plain[x].get("instructor") or plain[x]) for x in ("instructor", "second_opinion")):
        name, path = next(iter(own.items()))
        rule = f"instructor={choices.get('instructor')} works by rules and uses no prompt"
        raise refuse(f"prompts.{name}", path, rule, "instructor=openai_compatible, or leave it out")
    require_keys(plain, CONF)
    require_prompts(plain)
    require_ablation(plain, choices, CONF)
    return plain


def folder_name(name: Any) -> str:
    """Return a run's name if it can name a folder. Hydra calls this before it creates one.

    Raises:
        ConfigError: if the name could lead to another folder.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", str(name)) or ".." in str(name):
        raise refuse("name", name, "letters, digits, - _ . only (it names a folder)", "name=my_run")
    return str(name)


def _refused(error: BaseException | None) -> SeiError | None:
    """Return our own error from inside the one that OmegaConf raised; it wraps errors of resolvers."""
    return next((e for e in causes(error) if isinstance(e, SeiError)), None)


def _in_job(error: BaseException) -> bool:
    """Say whether an error comes from the job, not from Hydra before it."""
    return any(frame.f_code is run_job.__code__ for frame, _ in traceback.walk_tb(error.__traceback__))


def _before_the_job(error: BaseException) -> DiskError | None:
    """Return the error that kept Hydra from creating the run folder; ``None`` if the job had begun."""
    if _in_job(error):
        return None
    cause = next((e for e in causes(error) if isinstance(e, OSError)), None)
    if cause is None or cause.errno is None:
        return None
    return no_folder(cause)


def _ended(error: BaseException) -> int:
    """Print an error, correct the states in the sweep's folder, and return the exit code."""
    code = tell(error)
    if "sei.sweep" in sys.modules:
        from sei import sweep

        sweep.settle_announced(code)
        sweep.compare_announced()
    return code


class ListSweepJobs(Callback):
    """Writes a sweep's jobs into its folder before the first starts: an interrupted sweep shows what is missing."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Announce the jobs of Hydra's own sweeper, split as it does. Other sweepers choose their jobs as they go."""
        if not config.hydra.sweeper._target_.endswith(".BasicSweeper"):
            return
        from sei import sweep

        fixed = [f"{k}={v}" for k, v in (config.hydra.sweeper.params or {}).items()]
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        overrides = parser.parse_overrides([*fixed, *config.hydra.overrides.task])
        jobs = itertools.chain.from_iterable(BasicSweeper.split_arguments(overrides, None))
        sweep.announce(Path(config.hydra.sweep.dir).absolute(), [tuple(job) for job in jobs])

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Show the teacher cards of a sweep's jobs side by side, if it made any."""
        from sei.card.show import show_sweep

        show_sweep(Path(config.hydra.sweep.dir).absolute())


def keep_defaults(folder: Path) -> None:
    """Write the config without overrides next to that of the run, so that the page can show what differs."""
    if (folder / Path(DEFAULTS).parent).is_dir():  # missing if Hydra was told to write no config
        (folder / DEFAULTS).write_text(_defaults_text(), encoding="utf-8")


def _defaults_text() -> str:
    loader = GlobalHydra.instance().config_loader()
    usual = loader.load_configuration("config", overrides=[], run_mode=RunMode.RUN)
    choices = dict(usual.hydra.runtime.choices)
    OmegaConf.set_struct(usual, False)
    del usual["hydra"]
    plain = {"config": OmegaConf.to_container(usual, resolve=False), "choices": choices}
    return OmegaConf.to_yaml(OmegaConf.create(plain, flags={"allow_objects": False}))


def run_job(cfg: DictConfig) -> float | None:
    """Run one composed job: check, build, then do the costly work. Each job of a sweep runs in its own process.

    Returns:
        The best accuracy on dev, which a sweeper may maximise, and never a test score. ``None`` if no run was made.
    """
    config = HydraConfig.get()
    folder, choices = Path(config.runtime.output_dir), dict(config.runtime.choices)
    if config.mode != RunMode.MULTIRUN:
        try:
            from sei.job import perform

            plain = check(cfg, choices)
            keep_defaults(folder)
            perform(plain, folder)
        except ConfigError as e:
            more = commandline.said_by(str(e), str(choices.get("experiment")), config.overrides.task, CONF)
            _ENDED_IN_JOB.append(ConfigError(f"{e}{more}") if more else e)
            return None
        except (Exception, SystemExit) as e:  # if raised here, Hydra would print all overrides before our message
            _ENDED_IN_JOB.append(e)
            return None
        return best_dev_accuracy(folder)
    from sei import exits, sweep

    job = sweep.SweepJob(
        number=config.job.num,
        overrides=tuple(config.overrides.task),
        config={},
        folder=folder,
        sweep=Path(config.sweep.dir).absolute(),
        logging=OmegaConf.to_container(config.job_logging, resolve=True),  # type: ignore[arg-type]
    )
    try:
        plain = check(cfg, choices)
    except SeiError as e:
        sweep.mark(job, "failed", exits.tell(e), 0.0)
        _pass_over(config, sweep.SweepError(str(job.states)))
        return None
    keep_defaults(folder)
    try:
        sweep.run_apart(replace(job, config=plain))
    except sweep.SweepError as e:
        _pass_over(config, e)
    return best_dev_accuracy(folder)


def _pass_over(config: Any, error: SeiError) -> None:
    """Ignore a failed job of Hydra's own sweeper here; ``main`` reports it at the end. Hydra would report it first.

    Any other sweeper gets the error, since it must know that its trial failed.
    """
    if not config.sweeper._target_.endswith(".BasicSweeper"):
        raise error from None


def prepare(overrides: Sequence[str], config_dir: Path | None = None) -> Prepared:
    """Compose and check one run as the command does, but start nothing and change nothing in this process.

    ``config_dir``: a folder of your own options, as ``--config-dir``.

    Raises:
        ConfigError: as the command would; also for flags, sweeps and previews, which only the command offers.
    """
    given = [overrides] if isinstance(overrides, str) else overrides
    commandline.check_arguments([o for o in given if isinstance(o, str)], CONF)
    settings = commandline.of_one_run(overrides, _known())
    folder = [] if config_dir is None else [_found_in(config_dir)]
    started = secrets.token_hex(3)
    OmegaConf.register_new_resolver("sei_hex", lambda: started, replace=True)
    OmegaConf.register_new_resolver("sei_name", folder_name, replace=True)
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3", job_name="sei"):
            cfg = hydra.compose("config", overrides=[*folder, *settings], return_hydra_config=True)
            return _prepared(cfg)
    except (HydraException, OmegaConfBaseException) as e:
        raise _worded(e, list(overrides)) from None


def _prepared(cfg: DictConfig) -> Prepared:
    """Check a composed config and return its settings, run folder and files."""
    before = HydraConfig.instance().cfg
    try:
        HydraConfig.instance().set_config(cfg)
        place = Path(str(cfg.hydra.run.dir)).absolute()
        with read_write(cfg.hydra.runtime), open_dict(cfg.hydra.runtime):
            cfg.hydra.runtime.output_dir = str(place)
        own = OmegaConf.masked_copy(cfg, "hydra")
        with read_write(cfg), open_dict(cfg):
            del cfg["hydra"]
        choices = dict(own.hydra.runtime.choices)
        plain = check(cfg, choices)
        for key in _LOOKS:
            if plain[key]:
                raise refuse(key, True, "only the command prints a preview", f"sei {key}=true ...")
        parts = {"config.yaml": cfg, "hydra.yaml": own, "overrides.yaml": own.hydra.overrides.task}
        where = own.hydra.output_subdir
        files = {} if where is None else {place / where / name: OmegaConf.to_yaml(c) for name, c in parts.items()}
        if files:
            files[place / where / Path(DEFAULTS).name] = _defaults_text()
        handlers = own.hydra.job_logging.get("handlers") or {}
        log = place / f"{own.hydra.job.name}.log" if "file" in handlers else None
        overrides = tuple(own.hydra.overrides.task)
        return Prepared(plain=plain, folder=place, log=log, choices=choices, overrides=overrides, files=files)
    finally:
        HydraConfig.instance().cfg = before


def _known() -> set[str]:
    groups = {p.name for p in CONF.iterdir() if p.is_dir()} - {"hydra"}
    return {*groups, *_SETTINGS, *_PLACES, *_PARTS, *_OTHERS}


def _worded(error: Exception, arguments: list[str]) -> SeiError:
    """Return an error that says what is wrong with a config that Hydra could not compose."""
    if (refused := _refused(error)) is not None:
        return refused
    words = commandline.of_composition(str(error), CONF, lambda: {*_settings(arguments), *_known()})
    cause = error.__cause__ or error
    words = words or f"{error}" + (f"\n{cause}" if cause is not error else "")
    return ConfigError(words.expandtabs(2))


def main() -> None:
    """Run the console script ``sei``. docs/faults.md lists its exit codes."""
    try:
        commandline.check_arguments(sys.argv[1:], CONF)
        sys.argv[1:] = commandline.ordered(sys.argv[1:], _known())
    except SeiError as e:
        raise SystemExit(tell(e)) from None
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # exceptions then reach this function, which reports them
    OmegaConf.register_new_resolver("sei_hex", lambda: _HEX, replace=True)
    OmegaConf.register_new_resolver("sei_name", folder_name, replace=True)
    os.environ["SEI_COMMAND"] = _HEX
    _ENDED_IN_JOB.clear()
    if "sei.sweep" in sys.modules:
        sys.modules["sei.sweep"].forget()
    catch_signals()
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(run_job)()
    except (HydraException, OmegaConfBaseException) as e:
        raise SystemExit(_ended(_worded(e, sys.argv[1:]))) from None
    except (Exception, SystemExit) as e:
        if isinstance(e, BrokenPipeError) and not _in_job(e):  # what reads the help has left, as head does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(0) from None
        if isinstance(e, SystemExit) and not e.code and not _in_job(e):  # --help
            raise SystemExit(0) from None
        flags = ConfigError(f"{e}. Remedy: sei --hydra-help") if isinstance(e, ValueError) and not _in_job(e) else None
        raise SystemExit(_ended(_before_the_job(e) or flags or e)) from None
    if _ENDED_IN_JOB:
        raise SystemExit(_ended(_ENDED_IN_JOB[0])) from None
    if "sei.sweep" in sys.modules:
        from sei import sweep

        if (failed := sweep.failed_announced()) is not None:
            raise SystemExit(_ended(failed)) from None
        sweep.compare_announced()


def _settings(arguments: list[str]) -> list[str]:
    """Return the dotted names of all settings for the parts that a command chose."""
    groups = {p.name for p in CONF.iterdir() if p.is_dir()}
    chosen = [a for a in arguments if a.partition("=")[0] in groups and "," not in a]
    own = commandline.config_dir(arguments)
    folder = [] if own is None else [_found_in(own)]
    for overrides in ([*folder, *chosen], []):
        GlobalHydra.instance().clear()
        with suppress(Exception), hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            plain = OmegaConf.to_container(hydra.compose("config", overrides=overrides), resolve=False)
            return list(_dotted(plain))
    return []


def _found_in(config_dir: Path) -> str:
    return f"hydra.searchpath=[{json.dumps(str(config_dir.absolute()))}]"


def _dotted(node: Any, above: str = "") -> Iterator[str]:
    for key, value in node.items() if isinstance(node, dict) else ():
        yield f"{above}{key}"
        yield from _dotted(value, f"{above}{key}.")


if __name__ == "__main__":
    main()
