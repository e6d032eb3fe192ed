"""An open target model: how to prompt it, and the form of its answers."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from sei.errors import ConfigError
from sei.prompts import ask_template, layout_parts, render, render_layout
from sei.records import Checkpoint

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


_TODAY = datetime.date(2024, 7, 26)  # what templates that tell a fixed date say; prompts are the same every day


def tells_the_date(tokenizer: Any) -> bool:
    """Tell whether a chat template writes today's date, as Llama 3.2's does."""
    return "strftime_now" in str(getattr(tokenizer, "chat_template", None))


def _on_one_day(template: str) -> str:
    """Return a chat template that tells ``_TODAY`` as the date, in each of its formats."""
    formats = dict.fromkeys(re.findall(r"""strftime_now\(\s*['"]([^'"]*)['"]""", template))
    told = {f: _TODAY.strftime(f) for f in formats}
    macro = f"{{%- macro strftime_now(format) -%}}{{{{ {told!r}.get(format, {str(_TODAY)!r}) }}}}{{%- endmacro -%}}"
    return macro + template


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Token ids of a supervised pair. ``prompt`` is masked out of the loss, ``completion`` has the end of the turn."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    unknown: bool = False


@dataclass
class OpenModel:
    """A loaded target model with its tokenizer and its prompt format.

    ``layout``: the text around a question in the ``plain`` template. ``ask``: the text that ends it (``sei.prompts``).
    ``system``: the system turn, empty for none. A chat template that tells the date is told 26 July 2024.
    ``template_kwargs``: arguments for the chat template
    (``enable_thinking``). ``lead`` and ``tail``: what the chat template writes before a solution, and between it and
    the end of the turn (``sei.models.turns``). The turn ends with the tokenizer's EOS. ``predictor``: the engine's
    generator, made at first use and freed with the model.
    """

    model: PreTrainedModel | None
    tokenizer: PreTrainedTokenizerBase
    template: Literal["plain", "chat"]
    ask: str = "plain"
    layout: str = "solve_plain.v1"
    shots: tuple[tuple[str, str], ...] = ()
    system: str = ""
    template_kwargs: dict[str, Any] = field(default_factory=dict)
    lead: str = ""
    tail: str = ""
    predictor: Any = None

    @property
    def weights(self) -> PreTrainedModel:
        """Return the loaded model.

        Raises:
            ConfigError: if another process serves it.
        """
        if self.model is None:
            raise ConfigError(
                "this model is served by another process, so its weights are not loaded here. Remedy: engine=lightning"
            )
        return self.model

    def prompts(self, questions: Sequence[str], demonstration: tuple[str, str] | None = None) -> list[str]:
        """Render questions in the model's prompt format.

        Worked (question, solution) pairs come first: the configured few-shot pairs, then ``demonstration``.
        """
        pairs = [*self.shots, *([demonstration] if demonstration else [])]
        shown = [(render(ask_template(self.ask), question=q), s) for q, s in pairs]
        questions = [render(ask_template(self.ask), question=q) for q in questions]
        if self.template == "plain":
            before = "".join(f"{render_layout(self.layout, q)}{self.glue}{s}\n\n" for q, s in shown)
            return [before + render_layout(self.layout, q) for q in questions]
        return [self._chat(q, shown) for q in questions]

    @property
    def glue(self) -> str:
        """Return the text between a rendered question and its answer."""
        return "" if self.template == "chat" else layout_parts(self.layout)[1]

    def conversation(self, question: str, solution: str) -> str:
        """Render a question and its answer with the chat template, without asking for an answer."""
        question = render(ask_template(self.ask), question=question)
        return self._chat(question, (), solution)

    def _chat(self, question: str, shown: Sequence[tuple[str, str]], solution: str | None = None) -> str:
        turns = [{"role": "system", "content": self.system}] if self.system else []
        for q, s in shown:
            turns.append({"role": "user", "content": render("solve_chat.v1", question=q)})
            turns.append({"role": "assistant", "content": s})
        turns.append({"role": "user", "content": render("solve_chat.v1", question=question)})
        if solution is not None:
            turns.append({"role": "assistant", "content": solution})
        how: dict[str, Any] = {"tokenize": False, "add_generation_prompt": solution is None}
        if tells_the_date(self.tokenizer):
            how["chat_template"] = _on_one_day(self.tokenizer.get_chat_template())
        return str(self.tokenizer.apply_chat_template(turns, **self.template_kwargs, **how))

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[Encoded]:
        """Encode (question, solution) pairs for training.

        ``unknown`` marks a text with a word that the tokenizer does not know (in the word-level embedded model).
        """
        bare = replace(self, shots=())  # training pairs have no few-shot examples
        asked = bare.prompts([q for q, _ in pairs])
        prompts = self.tokenizer(asked, add_special_tokens=self.template == "plain")["input_ids"]
        completions = self.completions(asked, prompts, [s for _, s in pairs])
        unk, eos = self.tokenizer.unk_token_id, int(self.tokenizer.eos_token_id)
        return [
            Encoded(prompt=tuple(p), completion=tuple(c), unknown=unk not in (None, eos) and (unk in p or unk in c))
            for p, c in zip(prompts, completions, strict=True)
        ]

    def completions(
        self, asked: Sequence[str], prompts: Sequence[Sequence[int]], solutions: Sequence[str]
    ) -> list[list[int]]:
        """Return the token ids of solutions after rendered prompts, up to and including the token that ends the turn.

        ``prompts`` are the token ids of ``asked``. If the template writes something around a solution, prompt and
        solution are tokenized together, as in the template's own rendering.
        """
        eos = int(self.tokenizer.eos_token_id)
        texts = [f"{self.lead}{self.glue}{s}{self.tail}" for s in solutions]
        apart: list[list[int]] = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        if not (self.lead or self.tail):
            return [[*ids, eos] for ids in apart]
        whole = self.tokenizer([a + t for a, t in zip(asked, texts, strict=True)], add_special_tokens=False)
        rows = zip(whole["input_ids"], prompts, apart, strict=True)
        return [[*(w[len(p) :] if list(w[: len(p)]) == list(p) else a), eos] for w, p, a in rows]


class Answer(NamedTuple):
    """One generated output for the prompt at index ``at``; ``finished`` is false if it was cut at the length cap.

    ``fault``: why a server gave no output.
    """

    at: int
    text: str
    finished: bool
    fault: str = ""


class Sampling(NamedTuple):
    """Sample tokens at ``temperature`` (above 0) from the whole distribution instead of taking the most likely one.

    Every prompt has a seed, so that an answer does not depend on its batch: its entry in ``own``, or without ``own``
    ``seed`` plus its index.
    """

    temperature: float
    seed: int
    own: tuple[int, ...] = ()

    def seed_of(self, at: int) -> int:
        """Return the seed of the prompt at an index."""
        return self.own[at] if self.own else (self.seed + at) % 2**31


@runtime_checkable
class Sampled(Protocol):
    """An engine, or a stage with an engine, that samples several answers per problem at a temperature above 0."""

    @property
    def samples(self) -> int:
        """Return the number of answers per problem."""
        ...

    @property
    def temperature(self) -> float:
        """Return the temperature, 0 for greedy answers."""
        ...


def require_sampling(samples: int, temperature: float) -> None:
    """Refuse several greedy answers, since they would all be the same.

    Raises:
        ConfigError: naming both settings.
    """
    if samples > 1 and temperature == 0:
        raise ConfigError(
            f"engine.samples={samples} with engine.temperature=0: greedy answers to a problem are all the same. "
            "Remedy: engine.temperature=0.7 (or what the model's authors advise), or engine.samples=1."
        )


def ends_of(opened: OpenModel) -> frozenset[int]:
    """Return the ids of the tokens that end an answer; a model may have several."""
    ids = opened.weights.generation_config.eos_token_id
    return frozenset(ids if isinstance(ids, (list, tuple)) else [] if ids is None else [int(ids)])


class Target(Protocol):
    """A target model as an engine sees it."""

    def open(self, checkpoint: Checkpoint) -> AbstractContextManager[OpenModel]:
        """Return a context in which the checkpoint is loaded."""
        ...


@runtime_checkable
class Engine(Protocol):
    """Generates answers with a model that it opens."""

    def open(self, target: Target, checkpoint: Checkpoint) -> AbstractContextManager[OpenModel]:
        """Return a context in which the checkpoint can answer."""
        ...

    def answer(
        self,
        opened: OpenModel,
        texts: Sequence[str],
        done: frozenset[int],
        what: str,
        sampling: Sampling | None = None,
    ) -> Iterator[Answer]:
        """Yield (index, output, finished, fault) for every prompt not in ``done``; greedy without ``sampling``."""
        ...


@runtime_checkable
class Limited(Protocol):
    """An engine that tells its limits, so that other code can generate with the same ones."""

    def limits(self) -> tuple[int, tuple[str, ...]]:
        """Return the cap on new tokens and the strings that end an answer."""
        ...


@runtime_checkable
class Merging(Protocol):
    """An engine that can serve a LoRA as one, or merged into its weights."""

    @property
    def compare_merged(self) -> int:
        """Return of how many problems a run asks the merged weights too."""
        ...

    @property
    def serves_adapters(self) -> bool:
        """Tell whether a LoRA is served as one."""
        ...

    def as_merged(self) -> Engine:
        """Return the same engine, which serves merged weights."""
        ...


@runtime_checkable
class Serving(Protocol):
    """An engine with a server that may not support every model."""

    def require_served(self, target: Target) -> None:
        """Refuse a model that the server cannot read."""
        ...
