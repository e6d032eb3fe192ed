"""How large a model server is: settings of speed and memory, which change no answer but by rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from sei.engines.vllm import API_SERVERS, SLEEP_MODE, flag_value, has_flag, is_vllm
from sei.errors import ConfigError
from sei.parts import part


@part
class Scale:
    """Options of vLLM that are added to ``engine.command``.

    ``data_parallel``: copies of the model, each on a device of its own. ``memory_share``: the share of a device's
    memory that the server takes; ``None`` leaves it to vLLM. ``api_servers``: processes that take requests; ``None``
    leaves it to vLLM. ``sleep``: the server gives its memory free while this process computes on the same device, and
    is not started again.
    """

    identity: ClassVar[str] = "engine/scale"
    version: ClassVar[int] = 1
    data_parallel: Annotated[int, Field(ge=1)] = 1
    memory_share: Annotated[float, Field(gt=0, le=1)] | None = None
    api_servers: Annotated[int, Field(ge=1)] | None = None
    sleep: bool = False

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

    def require_fit(self, command: str | None, words: Sequence[str], *, adapters: bool) -> None:
        """Refuse options that the command's program does not have, that it has already, or that exclude adapters.

        ``words`` are those of ``command``. ``adapters``: adapters are loaded while the server runs.

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
