"""``engine=openai_server``: answers from a server (vLLM, SGLang, llama.cpp) that this process starts, or finds."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from sei.devices import note
from sei.engines import server, vllm
from sei.engines.scale import Scale
from sei.engines.served import Served, prompts_for, remedy_of, require_room
from sei.errors import ConfigError, TooManyBadRecordsError
from sei.instructors.remote.answers import NoAnswers
from sei.instructors.remote.client import Client
from sei.instructors.remote.reach import nobody_listens, words
from sei.instructors.remote.terms import Limits, Request, StoppedError
from sei.models.places import gguf_in
from sei.models.target import TargetModel
from sei.models.tokenizer import unserved_end
from sei.opened import Answer, Sampling, require_sampling
from sei.parts import IMMATERIAL, part
from sei.progress import progress
from sei.records import Checkpoint

_NO_GGUF = ("vllm", "sglang")


@part
class ServedEngine:
    """Completions over HTTP, many at once, greedy by default. Every request states its sampling settings explicitly.

    ``command`` starts a server for a folder of weights, with ``{model}`` and ``{port}`` filled in. ``adapters=served``
    starts it once for the weights that a LoRA was trained on, and loads each LoRA under its digest while the server
    runs; ``merged`` starts it for each checkpoint; ``auto`` is ``served`` for vLLM. Other whole weights always need a
    new server. ``finetunes`` and ``lora_rank`` say what the fine-tunes of the run make, so that a server for a LoRA is
    ready for it from the start. ``sei.engines.server.release`` says when a server stays while this process trains.
    ``env`` sets variables of the server's environment. ``scale`` adds options of vLLM that are a matter of speed.
    ``compare_merged``: at the end of a run, so many test problems are asked of merged weights too (``sei.merged``).

    Alternatively ``url`` names a running server, which serves the base checkpoint. With ``adapters=served`` it is asked
    to load adapters of the base too. ``prompt``: ``tokens`` sends token ids, exactly as in training; ``text`` is for
    servers that accept only text. A prompt that the server cannot answer is counted as a fault. A share of more than
    ``max_missing`` of them stops the run.

    The store's key contains the digest of the weights, ``command`` and ``env`` (both may change answers), and whether
    adapters are served. It contains neither the address, nor ``scale``, nor the number of requests at once.
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
    adapters: Annotated[Literal["auto", "served", "merged"], IMMATERIAL] = "auto"
    finetunes: Annotated[str, IMMATERIAL] = "full"
    lora_rank: Annotated[int, Field(ge=1), IMMATERIAL] = 16
    env: Annotated[dict[str, str | int | float | bool], IMMATERIAL] = Field(default_factory=dict)
    scale: Annotated[Scale, IMMATERIAL] = Field(default_factory=Scale)
    compare_merged: Annotated[int, Field(ge=0), IMMATERIAL] = 0
    max_missing: Annotated[float, Field(ge=0, le=1)] = 0.01
    batch_size: Annotated[int, Field(ge=1), IMMATERIAL] = 128
    startup: Annotated[float, Field(gt=0), IMMATERIAL] = 900.0
    timeout: Annotated[float, Field(gt=0), IMMATERIAL] = 600.0
    give_up: Annotated[float, Field(gt=0), IMMATERIAL] = 300.0
    tries: Annotated[int, Field(ge=1), IMMATERIAL] = 6

    def __post_init__(self) -> None:
        """Refuse both or neither of ``command`` and ``url``, and settings that do not fit together."""
        require_sampling(self.samples, self.temperature)
        if (self.command is None) == (self.url is None):
            raise ConfigError(
                f"engine: exactly one of engine.command={self.command!r} and engine.url={self.url!r} must be set. "
                "Remedy: a command such as 'vllm serve {model} --port {port}', or the address of a server with the "
                "base model."
            )
        self.scale.require_fit(self.command, self._words, adapters=self.serves_adapters, env=self.env)
        if self.compare_merged and (self.url is not None or self.temperature):
            raise ConfigError(
                f"engine.compare_merged={self.compare_merged} with engine.url={self.url!r} and "
                f"engine.temperature={self.temperature}. Rule: it compares greedy answers, and needs a server of "
                "merged weights. Remedy: engine.compare_merged=0, or engine.command and engine.temperature=0."
            )

    @property
    def _words(self) -> list[str]:
        return shlex.split(self.command) if self.command else []

    @property
    def serves_adapters(self) -> bool:
        """Tell whether a LoRA is served as one, and not merged into its weights."""
        return self.adapters == "served" or (self.adapters == "auto" and vllm.is_vllm(self._words))

    def as_merged(self) -> ServedEngine:
        """Return the same engine, which serves every checkpoint merged."""
        return replace(self, adapters="merged")

    def reads(self) -> dict[str, str]:
        """Return the temperature if answers are sampled, the server's own variables, and whether adapters are served.

        Each stands in the key only where it is not the default of earlier keys.
        """
        found = {"temperature": str(self.temperature)} if self.temperature else {}
        found |= {f"env {name}": value for name, value in self._env.items()}
        return found | ({"adapters": "served"} if self.serves_adapters else {})

    @property
    def devices(self) -> int | None:
        """Return the devices that vLLM takes on this machine, or ``None`` for another server."""
        if not vllm.is_vllm(self._words):
            return None
        return vllm.devices_of([*self._words, *self.scale.flags()])

    @property
    def _env(self) -> dict[str, str]:
        return {name: str(value) for name, value in sorted(self.env.items())}

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
            ConfigError: if the server cannot be started or does not load the adapter, or if a server at ``url`` is
                asked for other weights.
            StoppedError: if the server ends while it loads the adapter (exit 75).
        """
        note("server")
        asked = target.without_weights()
        under = self._under(checkpoint)
        where = target.location(under)
        if self.url is not None:
            self._require_base(checkpoint, under)
            url = self.url.rstrip("/")
            if nobody_listens(url):
                raise ConfigError(words("engine.url", url))
        else:
            running = server.serve(self._launch(where, checkpoint, under))
            url, where = running.url, running.model
        models = [m for m in vllm.listed(url) if not m.parent]
        name = self.model or (models[0].name if len(models) == 1 else "") or where
        window = next((m.window for m in models if m.name == name), None)
        if under is not checkpoint:
            name = self._loaded(url, checkpoint)
        yield Served(**vars(asked), url=url, name=name, window=window)

    def _under(self, checkpoint: Checkpoint) -> Checkpoint:
        """Return the weights that the server is started for: those below a LoRA that is served, or its own."""
        if checkpoint.kind == "adapter" and checkpoint.onto is not None and self.serves_adapters:
            return checkpoint.onto
        return checkpoint

    def _launch(self, where: str, checkpoint: Checkpoint, under: Checkpoint) -> server.Launch:
        assert self.command is not None, "checked when built"
        rank = self.lora_rank if self.serves_adapters and self.finetunes == "lora" else 0
        if under is not checkpoint:
            rank = max(rank, vllm.rank_of(Path(checkpoint.adapter)))
        return server.Launch(
            command=self.command,
            model=where,
            weights=under.digest,
            startup=self.startup,
            scale=self.scale,
            env=self._env,
            rank=rank,
        )

    def _require_base(self, checkpoint: Checkpoint, under: Checkpoint) -> None:
        if under.kind != "base":
            served = ", or engine.adapters=served for a LoRA on the base, if the server can load one"
            raise ConfigError(
                f"engine.url={self.url} serves fixed weights, but the run needs those of a fine-tune "
                f"({checkpoint.digest}). Remedy: engine.command, which starts a server for other weights"
                f"{'' if self.serves_adapters else served}."
            )

    def _loaded(self, url: str, checkpoint: Checkpoint) -> str:
        """Return the name of an adapter that the server has loaded: its digest, which no other adapter ever has."""
        try:
            vllm.load_adapter(url, checkpoint.digest, Path(checkpoint.adapter))
        except OSError as e:
            if self.url is None and (how := server.death()) is not None:
                raise StoppedError(f"{how} Answers so far are kept; the same command continues.", 75) from e
            raise ConfigError(
                f"the model server at {url} did not load the adapter {checkpoint.adapter} ({e}). Remedy: look at the "
                "server's log, or engine.adapters=merged."
            ) from e
        return checkpoint.digest

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
        prompts = prompts_for(opened, [texts[i] for i in missing], tokens=self.prompt == "tokens")
        require_room(opened, prompts, self.max_new_tokens)
        requests = [self._request(p, i, sampling) for i, p in zip(missing, prompts, strict=True)]
        faults: list[str] = []
        with progress(what, len(missing)) as advance:
            for at, found in self._client(opened).as_completed(requests):
                i = missing[at]
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
                f"a score without them would mislead. First fault: {faults[0]}. Remedy: {remedy_of(faults[0])}, then "
                "run the same command again; answers so far are kept."
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
