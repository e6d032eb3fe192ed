"""How large a model server is: settings of speed and memory, which change no answer but by rounding."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from sei.engines.vllm import API_SERVERS, SLEEP_MODE, devices_of, flag_value, has_flag, is_vllm
from sei.errors import ConfigError
from sei.parts import part

VISIBLE = "CUDA_VISIBLE_DEVICES"


@part
class Scale:
    """Options of vLLM that are added to ``engine.command``.

    ``data_parallel``: copies of the model, each on a device of its own. ``memory_share``: the share of a device's
    memory that the server takes; ``None`` leaves it to vLLM. ``api_servers``: processes that take requests; ``None``
    leaves it to vLLM. ``sleep``: the server gives its memory free while this process computes on the same device, and
    is not started again.

    ``gpus``: numbers of the GPUs that the server gets, whatever its program is (as its ``CUDA_VISIBLE_DEVICES``). If
    this process is kept to other GPUs by its own ``CUDA_VISIBLE_DEVICES``, the server stays while this process
    computes.
    """

    identity: ClassVar[str] = "engine/scale"
    version: ClassVar[int] = 1
    data_parallel: Annotated[int, Field(ge=1)] = 1
    memory_share: Annotated[float, Field(gt=0, le=1)] | None = None
    api_servers: Annotated[int, Field(ge=1)] | None = None
    sleep: bool = False
    gpus: list[Annotated[int, Field(ge=0)]] = Field(default_factory=list)

    def flags(self) -> list[str]:
        """Return the options for the command line of vLLM."""
        found: list[str] = []
        if self.data_parallel > 1:
            found += ["--data-parallel-size", str(self.data_parallel)]
        if self.memory_share is not None:
            found += ["--gpu-memory-utilization", str(self.memory_share)]
        if self.api_servers is not None:
            found += [API_SERVERS, str(self.api_servers)]
        return [*found, SLEEP_MODE] if self.sleep else found

    def environment(self) -> dict[str, str]:
        """Return the variables of the server's environment."""
        return {VISIBLE: ",".join(map(str, self.gpus))} if self.gpus else {}

    def apart(self) -> bool:
        """Tell whether the server has GPUs of its own: this process may use none of them."""
        own = [x.strip() for x in os.environ.get(VISIBLE, "all").split(",") if x.strip()]
        return bool(self.gpus) and all(x.isdecimal() for x in own) and not {int(x) for x in own} & set(self.gpus)

    def require_fit(
        self, command: str | None, words: Sequence[str], *, adapters: bool, env: Collection[str] = ()
    ) -> None:
        """Refuse options that the command's program does not have, that it has already, or that exclude adapters.

        ``words`` are those of ``command``. ``adapters``: adapters are loaded while the server runs. ``env``: names of
        variables that are set for the server.

        Raises:
            ConfigError: naming the setting, the rule and the remedy.
        """
        flags = [f for f in self.flags() if f.startswith("--")]
        if flags and (command is None or not is_vllm(words)):
            raise ConfigError(
                f"engine.scale sets {', '.join(flags)}, but engine.command={command!r} does not start vLLM. Rule: "
                "engine.scale adds options of vLLM. Remedy: write the options of your server into engine.command."
            )
        if twice := [f for f in flags if has_flag(words, f)]:
            raise ConfigError(
                f"engine.command and engine.scale both set {', '.join(twice)}. Rule: one of them does. Remedy: take "
                "it out of engine.command, so that it is no part of the store's key."
            )
        servers = flag_value([*words, *self.flags()], API_SERVERS) or "1"
        if adapters and servers != "1":
            raise ConfigError(
                f"engine.scale.api_servers={servers} with adapters that are loaded while the server runs. "
                "Rule: vLLM loads them in one of its API servers only. Remedy: engine.scale.api_servers=1, or "
                "engine.adapters=merged."
            )
        self._require_gpus(command, words, env)

    def _require_gpus(self, command: str | None, words: Sequence[str], env: Collection[str]) -> None:
        """Refuse GPUs for a server that is not started here, that are set twice, or that are too few."""
        if not self.gpus:
            return
        said = f"engine.scale.gpus={self.gpus}"
        if command is None:
            raise ConfigError(
                f"{said} with engine.url. Rule: they are for a server that sei starts. Remedy: engine.scale.gpus=[], "
                "or engine.command instead of engine.url."
            )
        if VISIBLE in env:
            raise ConfigError(
                f"{said}, and engine.env sets {VISIBLE}. Rule: one of them names the server's GPUs. Remedy: take it "
                "out of engine.env, so that it is no part of the store's key."
            )
        takes = devices_of([*words, *self.flags()]) if is_vllm(words) else None
        if takes is not None and takes > len(set(self.gpus)):
            raise ConfigError(
                f"{said}, but the server takes {takes} GPUs (copies times parallel parts of the model). Rule: it needs "
                f"as many. Remedy: {takes} different numbers, or fewer copies (engine.scale.data_parallel)."
            )
