"""``engine=openai_server``: answers from a server (vLLM, SGLang, llama.cpp), started for each checkpoint."""

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
from sei.models.places import gguf_in
from sei.models.target import TargetModel
from sei.models.tokenizer import unserved_end
from sei.opened import Answer, OpenModel, Sampling, require_sampling
from sei.parts import IMMATERIAL, part
from sei.progress import progress
from sei.records import Checkpoint

_NO_GGUF = ("vllm", "sglang")


@dataclass
class Served(OpenModel):
    """A model behind a server. ``name`` is the server's name for it; the weights are not in this process.

    ``window``: the most tokens of a prompt and its answer together, or ``None`` if the server does not report it.
    """

    url: str = ""
    name: str = ""
    window: int | None = None


@part
class ServedEngine:
    """Completions over HTTP, many at once, greedy by default. Every request states its sampling settings explicitly.

    ``command`` starts a server for a folder of merged weights, with ``{model}`` and ``{port}`` filled in. The server is
    stopped before other weights are served or trained. Alternatively ``url`` names a running server, which can serve
    the base checkpoint only. ``prompt``: ``tokens`` sends token ids, exactly as in training; ``text`` is for servers
    that accept only text. A prompt that the server cannot answer is counted as a fault. A share of more than
    ``max_missing`` of them stops the run. The store's key contains the digest of the weights and the command, but not
    the address or the number of requests at once.
    """

    identity: ClassVar[str] = "engine/openai_server"
    version: ClassVar[int] = 2
    command: str | None = None
    url: Annotated[str | None, IMMATERIAL] = None
    model: str | None = None
    prompt: Literal["tokens", "text"] = "tokens"
    max_new_tokens: Annotated[int, Field(ge=1)] = 96
    stop: list[str] = Field(default_factory=list)
    samples: Annotated[int, Field(ge=1, le=1024), IMMATERIAL] = 1  # each answer has its own number in the key
    temperature: Annotated[float, Field(ge=0, le=2), IMMATERIAL] = 0.0  # ``reads`` puts it into the key if set
    max_missing: Annotated[float, Field(ge=0, le=1)] = 0.01
    batch_size: Annotated[int, Field(ge=1), IMMATERIAL] = 128
    startup: Annotated[float, Field(gt=0), IMMATERIAL] = 900.0
    timeout: Annotated[float, Field(gt=0), IMMATERIAL] = 600.0
    give_up: Annotated[float, Field(gt=0), IMMATERIAL] = 300.0
    tries: Annotated[int, Field(ge=1), IMMATERIAL] = 6

    def __post_init__(self) -> None:
        """Refuse both or neither of ``command`` and ``url``, and several greedy answers per problem."""
        require_sampling(self.samples, self.temperature)
        if (self.command is None) == (self.url is None):
            raise ConfigError(
                f"engine: exactly one of engine.command={self.command!r} and engine.url={self.url!r} must be set. "
                "Remedy: a command such as 'vllm serve {model} --port {port}', or the address of a server with the "
                "base model."
            )

    def reads(self) -> dict[str, str]:
        """Return the temperature if answers are sampled."""
        return {"temperature": str(self.temperature)} if self.temperature else {}

    def preflight(self) -> None:
        """Refuse a command that cannot be run, before any cost arises."""
        if self.command is not None:
            server.command_of(self.command, "model", 1)

    def require_served(self, target: TargetModel) -> None:
        """Refuse a base model that the server program cannot read or would not stop correctly.

        Raises:
            ConfigError: for a GGUF file with vLLM or SGLang, and for a chat template that ends its turns with a token
                that neither the base's generation_config.json nor its tokenizer names as an end.
        """
        if (end := unserved_end(target)) is not None:
            raise ConfigError(
                f"model.source={target.source}: its chat template ends an answer with {end!r}, but neither "
                "generation_config.json nor the tokenizer names this token as an end. A server would not stop there. "
                "Remedy: engine=lightning, or a folder with the id of that token in eos_token_id of its "
                "generation_config.json."
            )
        program = Path(shlex.split(self.command)[0]).name if self.command else ""
        folder = target.folder() if program in _NO_GGUF else None
        if folder is not None and gguf_in(folder) is not None:
            raise ConfigError(
                f"engine.command starts {program}, which cannot serve model.source={target.source!r}: its weights are "
                "a GGUF file. Remedy: engine=lightning, a llama.cpp server in engine.command, or a folder with "
                "safetensors as model.source."
            )

    @contextmanager
    def open(self, target: TargetModel, checkpoint: Checkpoint) -> Iterator[Served]:
        """Serve a checkpoint for the duration of a block. The server keeps running for the next block.

        Raises:
            ConfigError: if the server cannot be started, or if a server at ``url`` is asked for other weights.
        """
        note("server")
        asked = target.without_weights()
        where = target.location(checkpoint)
        if self.url is not None:
            if checkpoint.kind != "base":
                raise ConfigError(
                    f"engine.url={self.url} serves fixed weights, but the run needs those of a fine-tune "
                    f"({checkpoint.digest}). Remedy: engine.command, which starts a server for each checkpoint."
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
        """Yield an answer per rendered prompt that is not in ``done``. A failed answer carries its ``fault``.

        A prompt that gets errors while others succeed is tried for at most ``give_up`` seconds. With ``sampling`` every
        prompt is sent with its own seed; servers may not reproduce it exactly.

        Raises:
            TooManyBadRecordsError: if a share of more than ``max_missing`` of all prompts got no answer.
            StoppedError: if the server is silent for ``give_up`` seconds (exit 75).
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
                f"a score without them would mislead. First fault: {faults[0]}. Remedy: {_remedy(faults[0])}, then run "
                "the same command again; answers so far are kept."
            )

    def _prompts(self, opened: Served, texts: Sequence[str]) -> list[Any]:
        if self.prompt == "text":
            return list(texts)
        special = opened.template == "plain"
        ids = opened.tokenizer(list(texts), add_special_tokens=special)["input_ids"] if texts else []
        return [tuple(row) for row in ids]

    def _require_room(self, opened: Served, prompts: Sequence[Any]) -> None:
        """Refuse prompts that leave too little room for an answer: vLLM would silently shorten it.

        Raises:
            ConfigError: names the longest prompt, the window and the remedy.
        """
        if opened.window is None or not prompts:
            return
        longest = max(len(opened.tokenizer(p)["input_ids"]) if isinstance(p, str) else len(p) for p in prompts)
        if longest + self.max_new_tokens > opened.window:
            raise ConfigError(
                f"the longest prompt has {longest} tokens and engine.max_new_tokens={self.max_new_tokens}; together "
                f"they exceed the server's window of {opened.window}, so it would cut answers short. Remedy: a larger "
                "--max-model-len in engine.command (if the model allows it), a smaller engine.max_new_tokens, or "
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
            seed=sampling.seed_of(at) if sampling else None,
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


def _remedy(fault: str) -> str:
    low = fault.lower()
    if "too_long" in low or "max_model_len" in low or "context length" in low:
        return "a larger --max-model-len in engine.command, or a smaller engine.max_new_tokens"
    return "repair the server"


def _listed(url: str) -> list[dict[str, Any]]:
    """Return the models that a server lists, each with its id and its window, if reported."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        with urllib.request.urlopen(f"{url}/models", timeout=30) as reply:  # noqa: S310  # an http address by config
            data = json.load(reply)["data"]
        windows = [m.get("max_model_len") for m in data]
        return [
            {"id": str(m["id"]), "window": w if isinstance(w, int) and w > 0 else None}
            for m, w in zip(data, windows, strict=True)
        ]
    return []
