"""``engine=openai_server``: answers from a server (vLLM, SGLang, llama.cpp) that is started for each checkpoint."""

from __future__ import annotations

import contextlib
import json
import shlex
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from sei.devices import note
from sei.engines import server
from sei.errors import ConfigError, TooManyBadRecordsError
from sei.instructors.remote.answers import NoAnswers
from sei.instructors.remote.client import Client
from sei.instructors.remote.reach import nobody_listens, words
from sei.instructors.remote.terms import Limits, Request
from sei.models.target import TargetModel
from sei.opened import Answer, OpenModel, Sampling, require_sampling
from sei.parts import IMMATERIAL, part
from sei.progress import progress
from sei.records import Checkpoint

_NO_GGUF = ("vllm", "sglang")


@dataclass
class Served(OpenModel):
    """A model behind a server: ``name`` as the server calls it; the weights are not in this process.

    ``window``: tokens of a prompt and its answer together, where the server says so.
    """

    url: str = ""
    name: str = ""
    window: int | None = None


@part
class ServedEngine:
    """Greedy completions over HTTP, many at once; every request says outright that nothing but greedy is meant.

    ``command`` starts a server for a folder of merged weights, with ``{model}`` and ``{port}`` filled in; it
    is stopped before other weights are served or trained. Or ``url``: a server that runs already, which can
    serve the base checkpoint alone. ``prompt``: ``tokens`` sends token ids, exactly what training saw, ``text`` is
    for servers that take nothing else. An item that the server cannot answer is a fault and counted as such;
    more than ``max_missing`` of them stop the run. The digest of the weights and the command are in the
    store's key, the address and the number of requests at once are not.
    """

    identity: ClassVar[str] = "engine/openai_server"
    version: ClassVar[int] = 2
    command: str | None = None
    url: Annotated[str | None, IMMATERIAL] = None
    model: str | None = None
    prompt: Literal["tokens", "text"] = "tokens"
    max_new_tokens: Annotated[int, Field(ge=1)] = 96
    stop: list[str] = Field(default_factory=list)
    samples: Annotated[int, Field(ge=1, le=1024), IMMATERIAL] = 1  # each answer is known by its number
    temperature: Annotated[float, Field(ge=0, le=2), IMMATERIAL] = 0.0  # in the key by ``reads`` where it is set
    max_missing: Annotated[float, Field(ge=0, le=1)] = 0.01
    batch_size: Annotated[int, Field(ge=1), IMMATERIAL] = 128
    startup: Annotated[float, Field(gt=0), IMMATERIAL] = 900.0
    timeout: Annotated[float, Field(gt=0), IMMATERIAL] = 600.0
    give_up: Annotated[float, Field(gt=0), IMMATERIAL] = 300.0
    tries: Annotated[int, Field(ge=1), IMMATERIAL] = 6

    def __post_init__(self) -> None:
        """Refuse both or none of command and address, and several greedy answers a problem."""
        require_sampling(self.samples, self.temperature)
        if (self.command is None) == (self.url is None):
            raise ConfigError(
                f"engine: one of engine.command={self.command!r} and engine.url={self.url!r} must be set. Remedy: a "
                "command such as 'vllm serve {model} --port {port}', or the address of a server with the base model."
            )

    def reads(self) -> dict[str, str]:
        """Return the temperature where answers are sampled."""
        return {"temperature": str(self.temperature)} if self.temperature else {}

    def preflight(self) -> None:
        """Refuse a command that cannot be run before anything costs."""
        if self.command is not None:
            server.command_of(self.command, "model", 1)

    def require_served(self, target: TargetModel) -> None:
        """Refuse a base that the program of the command cannot read.

        Raises:
            ConfigError: for a GGUF file with vLLM or SGLang.
        """
        program = Path(shlex.split(self.command)[0]).name if self.command else ""
        folder = target.folder() if program in _NO_GGUF else None
        if folder is not None and any(folder.glob("*.gguf")):
            raise ConfigError(
                f"engine.command starts {program}, which cannot serve the weights of model.source={target.source!r} as "
                "fine-tunes are served: they are a GGUF file. Remedy: engine=lightning, a llama.cpp server in "
                "engine.command, or a folder with safetensors as model.source."
            )

    @contextmanager
    def open(self, target: TargetModel, checkpoint: Checkpoint) -> Iterator[Served]:
        """Have a checkpoint served for the duration of a block; the server stays for the next one.

        Raises:
            ConfigError: when the server cannot be started, or a fixed one is asked for other weights.
        """
        note("server")
        asked = target.without_weights()
        where = target.location(checkpoint)
        if self.url is not None:
            if checkpoint.kind != "base":
                raise ConfigError(
                    f"engine.url={self.url} serves fixed weights, but those of a fine-tune ({checkpoint.digest}) are "
                    "asked for. Remedy: engine.command, which starts a server for each checkpoint."
                )
            url = self.url.rstrip("/")
            if nobody_listens(url):
                raise ConfigError(words("engine.url", url))
        else:
            assert self.command is not None, "checked when built"
            running = server.serve(self.command, where, checkpoint.digest, startup=self.startup)
            url, where = running.url, running.model
        listed = _listed(url)
        name = self.model or (listed[0]["id"] if len(listed) == 1 else "") or where
        own = [m for m in listed if m["id"] == name]
        yield Served(**vars(asked), url=url, name=name, window=own[0]["window"] if own else None)

    def limits(self) -> tuple[int, tuple[str, ...]]:
        """Return the cap on new tokens and the strings that end an answer."""
        return self.max_new_tokens, tuple(self.stop)

    def answer(
        self,
        opened: Served,
        texts: Sequence[str],
        done: frozenset[int],
        what: str,
        sampling: Sampling | None = None,
    ) -> Iterator[Answer]:
        """Yield an answer per rendered prompt that is not done; one that could not be had carries its ``fault``.

        A prompt that alone gets errors is tried for ``give_up`` seconds at most.
        With ``sampling`` every prompt is sent with a seed of its own; how far a server keeps to it is its affair.

        Raises:
            TooManyBadRecordsError: when more than ``max_missing`` of all prompts got none.
            StoppedError: when the server is silent for ``give_up`` seconds (exit 75).
        """
        missing = [i for i in range(len(texts)) if i not in done]
        prompts = self._prompts(opened, [texts[i] for i in missing])
        self._require_room(opened, prompts)
        requests = [self._request(p, i, sampling) for i, p in zip(missing, prompts, strict=True)]
        faults: list[str] = []
        with progress(what, len(missing)) as advance:
            for i, found in zip(missing, self._client(opened).run(requests), strict=True):
                advance(1)
                if found.value is None:
                    faults.append(f"{found.reason}: {found.detail[:100]}")
                    yield Answer(i, "", False, faults[-1])
                    continue
                cut = min((at for s in self.stop if (at := found.value.find(s)) >= 0), default=None)
                yield Answer(i, found.value[:cut].strip(), found.finish != "length" or cut is not None)
        if len(faults) > self.max_missing * len(texts):
            raise TooManyBadRecordsError(
                f"{len(faults)} of {len(texts)} prompts got no answer, over engine.max_missing={self.max_missing}; "
                f"a score without them would mislead. First: {faults[0]}. Remedy: {_remedy(faults[0])}, then run the "
                "same command again; answers so far are kept."
            )

    def _prompts(self, opened: Served, texts: Sequence[str]) -> list[Any]:
        if self.prompt == "text":
            return list(texts)
        special = opened.template == "plain"
        ids = opened.tokenizer(list(texts), add_special_tokens=special)["input_ids"] if texts else []
        return [tuple(row) for row in ids]

    def _require_room(self, opened: Served, prompts: Sequence[Any]) -> None:
        """Refuse prompts that leave less room than an answer may take: vLLM would shorten the answer without a word.

        Raises:
            ConfigError: naming the longest prompt, the window and what helps.
        """
        if opened.window is None or not prompts:
            return
        longest = max(len(opened.tokenizer(p)["input_ids"]) if isinstance(p, str) else len(p) for p in prompts)
        if longest + self.max_new_tokens > opened.window:
            raise ConfigError(
                f"the longest prompt has {longest} tokens and engine.max_new_tokens={self.max_new_tokens}; together "
                f"they pass the server's window of {opened.window}, and it would cut answers short. Remedy: a larger "
                "--max-model-len in engine.command (as far as the model goes), a smaller engine.max_new_tokens, or "
                "fewer shots in the prompt."
            )

    def _request(self, prompt: Any, at: int, sampling: Sampling | None) -> Request:
        return Request(
            messages=(),
            prompt=prompt,
            schema={},
            check=lambda text: text,
            max_tokens=self.max_new_tokens,
            temperature=sampling.temperature if sampling else 0.0,
            stop=tuple(self.stop),
            seed=_seed(sampling, at) if sampling else None,
            sample=at if sampling else 0,
        )

    def _client(self, opened: Served) -> Client:
        limits = Limits(
            concurrency=self.batch_size,
            timeout=self.timeout,
            give_up=self.give_up,
            tries=self.tries,
            drop_at_last=True,
        )
        return Client(
            base_url=opened.url,
            model=opened.name,
            api_key="none",
            structured=False,
            limits=limits,
            cache=NoAnswers(),
            gone=server.death if self.url is None else None,
        )


def _seed(sampling: Sampling, at: int) -> int:
    return sampling.own[at] if sampling.own else (sampling.seed + at) % 2**31


def _remedy(fault: str) -> str:
    low = fault.lower()
    if "too_long" in low or "max_model_len" in low or "context length" in low:
        return "a larger --max-model-len in engine.command, or a smaller engine.max_new_tokens"
    return "mend the server"


def _listed(url: str) -> list[dict[str, Any]]:
    """Return the models that a server lists, each with its id and its window where it says so."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        with urllib.request.urlopen(f"{url}/models", timeout=30) as reply:  # noqa: S310  # an http address by config
            data = json.load(reply)["data"]
        windows = [m.get("max_model_len") for m in data]
        return [
            {"id": str(m["id"]), "window": w if isinstance(w, int) and w > 0 else None}
            for m, w in zip(data, windows, strict=True)
        ]
    return []
