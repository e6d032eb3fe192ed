"""The door: the only file that knows Hydra. Composes, checks, builds every part, then runs the method."""

from __future__ import annotations

import importlib
import logging
import os
import re
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

log = logging.getLogger("sei")

_HERE = Path(__file__).parent
CONF = _HERE / "conf" if (_HERE / "conf").is_dir() else _HERE.parent / "conf"
_SECRET = re.compile(r"\b(sk-|hf_|wandb_v1_)[A-Za-z0-9_-]{8,}")
_HEX = secrets.token_hex(3)
_SETTINGS = ("name", "seed", "rounds", "patience", "start_from", "train_on", "replay", "near_duplicate", "scoring")
_PLACES = ("budget_scale", "store", "plugins")
_PARTS = ("data", "model", "trainer", "engine", "instructor", "clusterer", "synthesizer", "refiner", "finetuner")
_OTHERS = ("tracker", "cluster", "budget", "method", "ablation")


def _refuse(key: str, value: Any, rule: str, remedy: str) -> Exception:
    from sei.errors import ConfigError

    return ConfigError(f"{key}={value!r}: {rule}. Remedy: {remedy}.")


def build(node: Any, key: str, plugins: tuple[str, ...]) -> Any:
    """Build a resolved config node: a dict with ``_target_`` becomes a part, everything else stays plain.

    Raises:
        ConfigError: naming the key, the value, the rule and the remedy.
    """
    import pydantic

    if isinstance(node, list):
        return [build(v, f"{key}[{i}]", plugins) for i, v in enumerate(node)]
    if not isinstance(node, dict):
        return node
    fields = {k: build(v, f"{key}.{k}", plugins) for k, v in node.items() if k != "_target_"}
    if "_target_" not in node:
        return fields
    target = _locate(str(node["_target_"]), key, plugins)
    try:
        return target(**fields)
    except pydantic.ValidationError as e:
        first = e.errors()[0]
        where = ".".join([key, *(str(x) for x in first["loc"])])
        known = sorted(target.__dataclass_fields__)
        remedy = f"{target.__name__} takes {known}" if "unexpected" in first["type"] else "see the comment in conf/"
        raise _refuse(where, first.get("input"), first["msg"], remedy) from e


def _locate(target: str, key: str, plugins: tuple[str, ...]) -> Any:
    module, _, name = target.rpartition(".")
    if module.split(".")[0] not in ("sei", *plugins):
        raise _refuse(f"{key}._target_", target, "parts come from sei or a package under plugins", "plugins=[package]")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as e:
        raise _refuse(f"{key}._target_", target, f"no such part ({e})", "check the path of the class") from e
    from sei.parts import is_part_class

    if not is_part_class(found):
        raise _refuse(f"{key}._target_", target, "not a part", "decorate the class with sei.parts.part")
    return found


def check(cfg: DictConfig, choices: dict[str, Any]) -> dict[str, Any]:
    """Check a composed config as a whole; returns it as plain values.

    Raises:
        ConfigError: unknown top-level key, impossible setting, or a value that contradicts the ablation.
    """
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    known = {*_SETTINGS, *_PLACES, *_PARTS, *_OTHERS}
    for key in plain:
        if key not in known:
            raise _refuse(key, plain[key], "unknown key", f"known keys: {sorted(known)}")
    for key, kind, least in (("rounds", int, 1), ("seed", int, 0)):
        value = plain[key]
        if not isinstance(value, kind) or isinstance(value, bool) or value < least:
            raise _refuse(key, value, f"must be a whole number of at least {least}", f"{key}={max(1, least)}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", str(plain["name"])) or ".." in str(plain["name"]):
        raise _refuse("name", plain["name"], "letters, digits, - _ . only (it names a folder)", "name=my_run")
    ablation = plain["ablation"] or {}
    for key, wanted in (ablation.get("sets") or {}).items():
        found = choices.get(key) if key in choices else OmegaConf.select(cfg, key)
        if found != wanted:
            rule = f"contradicts ablation={ablation['name']}, which sets {key}={wanted}"
            raise _refuse(key, found, rule, f"drop {key}={found}, or use ablation=full")
    return plain


def run_job(cfg: DictConfig) -> None:
    """Run one composed job: check, build, then everything that costs anything."""
    config = HydraConfig.get()
    plain = check(cfg, dict(config.runtime.choices))
    plugins = tuple(plain["plugins"])
    parts = {k: build(plain[k], k, plugins) for k in ("model", "method", "data", "tracker")}
    from sei.run import Job, run

    run(
        Job(
            name=str(plain["name"]),
            label=_label(str(plain["name"]), plain),
            seed=plain["seed"],
            rounds=plain["rounds"],
            store=Path(str(plain["store"])).expanduser(),
            folder=Path(config.runtime.output_dir),
            group=Path(str(config.sweep.dir)).name if config.mode == RunMode.MULTIRUN else "",
            config=plain,
            **parts,
        )
    )


def _label(name: str, plain: dict[str, Any]) -> str:
    return f"{name}-{(plain['ablation'] or {}).get('name', 'full')}-s{plain['seed']}"


def _terminated(*_: Any) -> None:
    raise SystemExit(143)


def main() -> None:
    """Console script ``sei``; exit codes are listed in the README."""
    if any(_SECRET.search(a) for a in sys.argv[1:]):
        print("sei: an argument looks like a secret. Remedy: put keys into environment variables.", file=sys.stderr)
        raise SystemExit(2)
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # exceptions reach this function, which words them
    OmegaConf.register_new_resolver("sei_hex", lambda: _HEX, replace=True)
    signal.signal(signal.SIGTERM, _terminated)
    multirun = any(a in ("-m", "--multirun") for a in sys.argv[1:])
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(run_job)()
    except KeyboardInterrupt:
        print("sei: interrupted; the same command goes on from here.", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as e:
        raise SystemExit(_exit_code(e, multirun=multirun)) from None


def _exit_code(error: Exception, *, multirun: bool) -> int:
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from sei.errors import SeiError

    if isinstance(error, SeiError):
        print(f"sei: {error}", file=sys.stderr)
        return 1 if multirun else error.exit_code
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        cause = error.__cause__ or error
        print(f"sei: {error}" + (f"\n{cause}" if cause is not error else ""), file=sys.stderr)
        return 2
    log.error("unexpected error", exc_info=error)
    return 1


if __name__ == "__main__":
    main()
