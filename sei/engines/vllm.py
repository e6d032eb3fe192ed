"""What is known of vLLM: the words of its command line, and the addresses that load adapters and free memory."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sei.errors import ConfigError

RUNTIME_ADAPTERS = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"}
"""Lets a server load adapters while it runs."""
DEV_MODE = {"VLLM_SERVER_DEV_MODE": "1"}
"""Opens the addresses that put a server to sleep. They are on this machine's own address alone."""
SLEEP_MODE = "--enable-sleep-mode"
_SPREAD = (  # options that say on how many devices a model lies, with their short names
    ("--tensor-parallel-size", "-tp"),
    ("--pipeline-parallel-size", "-pp"),
    ("--data-parallel-size", "-dp"),
)
API_SERVERS = "--api-server-count"
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # the values of --max-lora-rank
_SHOWN = 400  # characters of a server's refusal


class Listed(NamedTuple):
    """A model that a server lists.

    ``window``: the most tokens of a prompt and its answer, or ``None`` if the server does not say. ``parent``: the
    name of the model that an adapter sits on, empty for a model of its own. ``root``: the place of its weights, empty
    if the server does not say.
    """

    name: str
    window: int | None = None
    parent: str = ""
    root: str = ""


def is_vllm(words: Sequence[str]) -> bool:
    """Tell whether the words of a command line start vLLM: ``vllm serve``, or ``python -m vllm...``."""
    return any(Path(w).name == "vllm" for w in words[:2]) or any(w.startswith("vllm.") for w in words[:3])


def has_flag(words: Sequence[str], flag: str) -> bool:
    """Tell whether a command line has an option, with dashes or underscores, with or without ``=value``."""
    return flag_value(words, flag) is not None


def flag_value(words: Sequence[str], flag: str) -> str | None:
    """Return the value of an option (the next word, or the text after ``=``), or ``None`` without the option."""
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name.replace("_", "-") == flag:
            return value if equals else " ".join(words[at + 1 : at + 2])
    return None


def devices_of(words: Sequence[str]) -> int | None:
    """Return the number of devices that a vLLM command line takes, or ``None`` if it cannot be read."""
    found = [next((v for f in names if (v := flag_value(words, f)) is not None), "1") for names in _SPREAD]
    return math.prod(map(int, found)) if all(map(str.isdecimal, found)) else None


def adapter_flags(words: Sequence[str], rank: int) -> list[str]:
    """Return what a vLLM command line lacks to serve adapters of this rank.

    Raises:
        ConfigError: if the command line itself sets a rank that is too small.
    """
    flags = [] if has_flag(words, "--enable-lora") else ["--enable-lora"]
    several = any(has_flag(words, f) for f in ("--data-parallel-size", "-dp"))
    if several and not has_flag(words, API_SERVERS):
        flags += [API_SERVERS, "1"]  # vLLM starts one for each copy, and refuses to load adapters in several
    own = flag_value(words, "--max-lora-rank")
    if own is None:
        return [*flags, "--max-lora-rank", str(served_rank(rank))]
    if own.isdigit() and int(own) < rank:
        raise ConfigError(
            f"engine.command sets --max-lora-rank {own}, but an adapter has rank {rank}. Rule: the server must have "
            f"room for it. Remedy: --max-lora-rank {served_rank(rank)}, or leave the option out of engine.command."
        )
    return flags


def served_rank(rank: int) -> int:
    """Return the smallest value of ``--max-lora-rank`` with room for an adapter.

    Raises:
        ConfigError: if there is none.
    """
    for allowed in _RANKS:
        if rank <= allowed:
            return allowed
    raise ConfigError(
        f"an adapter has rank {rank}. Rule: vLLM serves adapters up to rank {_RANKS[-1]}. Remedy: "
        "engine.adapters=merged, or a smaller finetuner.lora_r."
    )


def rank_of(adapter: Path) -> int:
    """Return the largest rank in a folder that peft has written.

    Raises:
        ConfigError: if the folder has no adapter_config.json that can be read.
    """
    try:
        held = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
        return max([int(held["r"]), *map(int, (held.get("rank_pattern") or {}).values())])
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise ConfigError(
            f"{adapter}: adapter_config.json cannot be read ({type(e).__name__}: {e}). Rule: a served adapter is a "
            "folder that peft has written. Remedy: engine.adapters=merged."
        ) from e


def listed(url: str) -> list[Listed]:
    """Return the models that a server at ``url`` (ending in ``/v1``) lists; empty if it does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/models", timeout=30) as reply:  # noqa: S310  # an http address by config
            return [_listed(m) for m in json.load(reply)["data"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _listed(held: dict[str, Any]) -> Listed:
    window = held.get("max_model_len")
    return Listed(
        name=str(held["id"]),
        window=window if isinstance(window, int) and window > 0 else None,
        parent=str(held.get("parent") or ""),
        root=str(held.get("root") or ""),
    )


def load_adapter(url: str, name: str, folder: Path) -> None:
    """Load an adapter under a name, unless the server lists that name already.

    Raises:
        ConfigError: if the server refuses it, in the server's words.
        OSError: if the server cannot be reached.
    """
    if any(m.name == name for m in listed(url)):
        return
    try:
        post(f"{url}/load_lora_adapter", {"lora_name": name, "lora_path": str(folder)})
    except urllib.error.HTTPError as e:
        said = " ".join(e.read().decode("utf-8", "replace").split())[:_SHOWN]
        why = "it has no such address" if e.code == 404 and "lora" not in said.lower() else said
        raise ConfigError(
            f"the model server does not load the adapter {folder} (HTTP {e.code}: {why}). Rule: with "
            "engine.adapters=served, the server loads adapters while it runs, as vLLM does with --enable-lora and "
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True. Remedy: engine.adapters=merged, which serves merged weights."
        ) from e


def sleep(url: str) -> None:
    """Let a server free its device: weights go to the memory of the machine, and cached prompts are dropped.

    Raises:
        OSError: if the server cannot do it.
    """
    post(f"{_root(url)}/sleep?level=1", None)


def wake(url: str) -> None:
    """Wake a server that sleeps, without any prompt that it has cached.

    Raises:
        OSError: if the server cannot do it.
    """
    post(f"{_root(url)}/wake_up", None)
    post(f"{_root(url)}/reset_prefix_cache", None)


def post(address: str, body: Any, timeout: float = 300) -> None:
    """Send a request whose answer does not matter.

    Raises:
        OSError: if it fails.
    """
    data = b"" if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(address, data=data, headers={"Content-Type": "application/json"}, method="POST")  # noqa: S310
    with urllib.request.urlopen(asked, timeout=timeout) as reply:  # noqa: S310  # an http address by config
        reply.read()


def _root(url: str) -> str:
    return url.removesuffix("/v1")
