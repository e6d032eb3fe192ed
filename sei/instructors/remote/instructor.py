"""``instructor=gpt4o``, ``openai_compatible``: any model behind an OpenAI-compatible server."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from sei.errors import ConfigError
from sei.exchange import Claim, Draft, Located, Reply, Stepped, SynthesisRequest, Task, Worked
from sei.grading import MathGrader
from sei.instructors.remote.answers import Answers, has_answers, require_cache
from sei.instructors.remote.batch import BatchClient
from sei.instructors.remote.client import Client
from sei.instructors.remote.drafts import draft_of, posed_as
from sei.instructors.remote.first_step import FIRST_STEP, as_located, as_worked, first_step_request
from sei.instructors.remote.reach import nobody_listens, words
from sei.instructors.remote.replies import (
    correction_request,
    keyphrase_request,
    problems_request,
    solve_request,
)
from sei.instructors.remote.settings import (
    require_address,
    require_body,
    require_name,
    require_prices,
    require_room,
)
from sei.instructors.remote.terms import NO_PRICE, WATCHING, Limits, Request, Result
from sei.parts import IMMATERIAL, part
from sei.progress import progress
from sei.prompts import asked, prompt_digest, require_own
from sei.records import BadCase, Diagnosis, Keyphrase, Rejection, Usage

log = logging.getLogger(__name__)
_PROMPTS: dict[Claim, str] = {"named": "synthesize", "unnamed": "unnamed", "random": "random"}


@part
class OpenAICompatible:
    """Asks a model for keyphrases, problems and corrections. Answers are cached, counted and checked.

    ``api_key_env`` is the *name* of the environment variable with the key (empty: no key needed). ``usd_in`` and
    ``usd_out`` are dollars per million tokens; ``max_usd`` stops the run resumably. ``ending`` is the ending of worked
    solutions, which the target model is taught. ``verify`` drops a problem if its solution does not end in its stated
    answer. ``agreement`` asks for a second solution of every problem, without showing the first, and drops the problem
    if the answers differ (one request per problem). ``temperature=None`` leaves the temperature to the server, as in
    the paper. ``batch`` uses the Batch API: while a batch is out, the run waits ``batch_wait`` seconds and then ends
    resumably with exit code 75.

    ``reasoning_effort`` and ``extra_body`` are added to every request, and ``system_prompt`` is its first message.
    ``max_tokens`` limits a reply, for all kinds of requests or by kind (keyphrase, problems, agreement, correction,
    error types, merge, first step). A price of ``None`` is unknown: dollars are then not counted, and ``max_usd`` is
    refused. ``prompts``: your own files instead of packaged templates, by the request's name.
    """

    identity: ClassVar[str] = "instructor/openai_compatible"
    version: ClassVar[int] = 5
    TASKS: ClassVar[tuple[Task, ...]] = get_args(Task)
    model: str
    base_url: str
    cache: Annotated[str, IMMATERIAL]
    api_key_env: Annotated[str, IMMATERIAL] = "OPENAI_API_KEY"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    structured: bool = True
    ending: Literal["hash", "boxed"] = "hash"
    verify: bool = True
    agreement: bool = True
    reasoning_effort: str | None = None
    extra_body: dict[str, Any] = Field(default_factory=dict)
    system_prompt: str | None = None
    max_tokens: int | dict[str, int] | None = None
    usd_in: Annotated[float | None, Field(ge=0), IMMATERIAL] = 0.0
    usd_out: Annotated[float | None, Field(ge=0), IMMATERIAL] = 0.0
    max_usd: Annotated[float | None, IMMATERIAL] = None
    requests_per_minute: Annotated[int | None, Field(ge=1), IMMATERIAL] = None
    tokens_per_minute: Annotated[int | None, Field(ge=1), IMMATERIAL] = None
    concurrency: Annotated[int, Field(ge=1, le=1024), IMMATERIAL] = 16
    timeout: Annotated[float, Field(gt=0), IMMATERIAL] = 120.0
    give_up: Annotated[float, Field(gt=0), IMMATERIAL] = 300.0
    max_wait: Annotated[float, Field(gt=0), IMMATERIAL] = 120.0
    tries: Annotated[int, Field(ge=1), IMMATERIAL] = 8
    batch: Annotated[bool, IMMATERIAL] = False
    batch_wait: Annotated[float, Field(ge=0), IMMATERIAL] = 0.0
    prompts: Annotated[dict[str, str | None], IMMATERIAL] = Field(default_factory=dict)  # keyed by ``reads``

    def __post_init__(self) -> None:
        """Refuse an invalid address, a secret in the address, a key instead of its name, and conflicting settings."""
        require_address(self.base_url)
        require_name(self.api_key_env)
        require_body(self.extra_body)
        require_room(self.max_tokens)
        require_prices(self.max_usd, self.usd_in, self.usd_out)
        require_own(self.prompts)

    def preflight(self) -> None:
        """Check the key, the cache and, at a loopback address, the server. No request is sent.

        Raises:
            ConfigError: if the variable named by ``api_key_env`` is not set, or if nothing listens at a loopback
                address and the cache is empty.
            DiskError: if the cache file cannot be written; names the file.
        """
        self._key()
        require_cache(Path(self.cache))
        if nobody_listens(self.base_url):
            if not has_answers(Path(self.cache)):
                raise ConfigError(words("instructor.base_url", self.base_url))
            log.warning("%s Kept answers are used as far as possible.", words("instructor.base_url", self.base_url))

    def reads(self) -> dict[str, str]:
        """Return digests of the prompt templates."""
        packaged = ("keyphrase.v1", "synthesize.v1", "unnamed.v1", "random.v1", "correct.v1", "solve.v1", "choices.v1")
        own = {f"own {n}": prompt_digest(path) for n, path in self.prompts.items() if path is not None}
        return {**{n: prompt_digest(n) for n in packaged}, **own}

    def prompt(self, name: str) -> str:
        """Return the template of a request: the file named in ``prompts``, or else the packaged one."""
        return self.prompts.get(name) or f"{name}.v1"

    def ask(self, requests: Sequence[Request]) -> Iterator[Result]:
        """Yield an answer per request, in order. Each is on disk before it is yielded."""
        asked = [self.configured(r) for r in requests]
        for request, found in zip(asked, self._client.run(asked), strict=True):
            for told in WATCHING:
                told(request, found)
            yield found

    def configured(self, request: Request) -> Request:
        """Return a request with the configured limit, effort, system prompt and fields (idempotent)."""
        room = self.max_tokens
        if isinstance(room, dict):
            room = room.get(request.kind) or (room.get("keyphrase") if request.kind == FIRST_STEP else None)
        system = (("system", self.system_prompt),) if self.system_prompt else ()
        messages = tuple(m for m in request.messages if m[0] != "system")
        return replace(
            request,
            messages=(*system, *messages),
            max_tokens=room or request.max_tokens,
            reasoning_effort=self.reasoning_effort,
            extra_body=self.extra_body,
        )

    @property
    def priced(self) -> bool:
        """Tell whether both prices are known."""
        return self.usd_in is not None and self.usd_out is not None

    def usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return the cost of tokens in dollars. An unknown price counts as 0."""
        return (input_tokens * (self.usd_in or 0.0) + output_tokens * (self.usd_out or 0.0)) / 1e6

    def usage(self, answer: Result) -> Usage:
        """Return the tokens and dollars that an answer needed."""
        usd = self.usd(answer.input_tokens, answer.output_tokens)
        return Usage(requests=1, usd=usd, input_tokens=answer.input_tokens, output_tokens=answer.output_tokens)

    def keyphrase_request(self, case: BadCase) -> Request:
        """Return the request for the keyphrase of a bad case."""
        p = case.problem
        attempt, heat, prompt = case.output[-6_000:], self.temperature, self.prompt("keyphrase")
        solution = p.solution or p.answer
        if p.options and p.solution:
            solution = f"{p.solution}\nThe right option is {p.answer}."
        question = asked(p.question, p.options)
        return self.configured(keyphrase_request(question, solution, attempt, temperature=heat, prompt=prompt))

    def synthesis_request(self, r: SynthesisRequest) -> Request:
        """Return the request for new problems."""
        prompt = self.prompt(_PROMPTS[r.claim] if r.task == "error_type" else r.task)
        return self.configured(problems_request(r, prompt, temperature=self.temperature))

    def solve_request(self, question: str) -> Request:
        """Return the request to solve a new problem, for comparison with its answer."""
        heat, prompt = self.temperature, self.prompt("solve")
        return self.configured(solve_request(question, temperature=heat, prompt=prompt))

    def correction_request(self, case: BadCase) -> Request:
        """Return the request for a right solution of a bad case's question."""
        question, attempt = asked(case.problem.question, case.problem.options), case.output[-6_000:]
        heat, prompt = self.temperature, self.prompt("correct")
        return self.configured(correction_request(question, attempt, temperature=heat, prompt=prompt))

    def first_step_request(self, case: Stepped) -> Request:
        """Return the request for the first wrong step of an attempt."""
        return self.configured(first_step_request(case, temperature=self.temperature))

    def first_wrong_steps(self, cases: Sequence[Stepped]) -> Iterator[Located]:
        """Yield the first wrong step of every case, in order. A reply that breaks the contract is a typed rejection."""
        answers = self.ask([self.first_step_request(c) for c in cases])
        for case, answer in zip(cases, answers, strict=True):
            yield as_located(answer, self.usage(answer), case.bad_case.problem.id)

    def solve(self, questions: Sequence[str]) -> Iterator[Worked]:
        """Yield the answer to every question, in order. A reply that breaks the contract is a typed rejection."""
        answers = self.ask([self.solve_request(q) for q in questions])
        for question, answer in zip(questions, answers, strict=True):
            yield as_worked(answer, self.usage(answer), question)

    def diagnose(self, cases: Sequence[BadCase]) -> Iterator[Diagnosis]:
        """Yield one diagnosis per bad case, in order. A reply that breaks the contract is a typed rejection."""
        requests = [self.keyphrase_request(c) for c in cases]
        with progress("diagnosis", len(requests)) as advance:
            for case, answer in zip(cases, self.ask(requests), strict=True):
                advance(1)
                usage = self.usage(answer)
                if answer.value is None:
                    rejection = _rejection("diagnose", answer, case.problem.id)
                    yield Diagnosis(bad_case=case, rejection=rejection, usage=usage)
                else:
                    keyphrase = Keyphrase(bad_case=case, phrase=answer.value.keyphrase)
                    yield Diagnosis(bad_case=case, keyphrase=keyphrase, usage=usage)

    def write(self, requests: Sequence[SynthesisRequest]) -> Iterator[Reply]:
        """Yield one reply per request, in order. All requests are answered before the first reply is yielded."""
        replies = []
        for request, answer in zip(requests, self.ask([self.synthesis_request(r) for r in requests]), strict=True):
            if answer.value is None:
                rejected = _rejection("synthesize", answer, request.error_type)
                replies.append(Reply(drafts=(), rejections=(rejected,), usage=self.usage(answer), whole=True))
                continue
            sources = tuple(e.id for e in request.exemplars)
            found = answer.value[-2 * request.n :]  # a reply may end in better versions of its first ones
            checks = {**self._checks, "shown": [e.solution for e in request.exemplars]}
            judged = [draft_of(x, request.error_type, sources, request.like, **checks) for x in found]
            drafts = tuple(d for d in judged if isinstance(d, Draft))
            rejections = tuple(r for r in judged if isinstance(r, Rejection))
            replies.append(Reply(drafts=drafts, rejections=rejections, usage=self.usage(answer)))
        yield from self._agreed(requests, replies) if self.agreement else replies

    def _agreed(self, requests: Sequence[SynthesisRequest], replies: Sequence[Reply]) -> Iterator[Reply]:
        """Solve every draft again and keep those with agreeing answers."""
        answers = self.ask(
            [self.solve_request(asked(d.question, d.options)) for reply in replies for d in reply.drafts]
        )
        grader = MathGrader()
        for request, reply in zip(requests, replies, strict=True):
            kept, rejections, usage = [], list(reply.rejections), reply.usage
            again = [next(answers) for _ in reply.drafts]
            solved = [(d, a.value.answer) for d, a in zip(reply.drafts, again, strict=True) if a.value is not None]
            outcomes = grader.grade_all([(posed_as(d), f"#### {answer}", True) for d, answer in solved])
            for draft, answer in zip(reply.drafts, again, strict=True):
                usage += self.usage(answer)
                if answer.value is None:
                    rejections.append(_rejection("synthesize", replace(answer, reason=f"unchecked_{answer.reason}"),
                                                 request.error_type))  # fmt: skip
                    continue
                if next(outcomes).verdict == "right":
                    kept.append(draft)
                else:
                    detail = f"{draft.answer} | {answer.value.answer} | {draft.question[:300]}"
                    rejections.append(
                        Rejection(stage="synthesize", reason="disagreement", subject=request.error_type, detail=detail)
                    )
            yield replace(reply, drafts=tuple(kept), rejections=tuple(rejections), usage=usage)

    def correct(self, cases: Sequence[BadCase]) -> Iterator[Reply]:
        """Yield every bad case's question with a new solution, or a rejection."""
        for case, answer in zip(cases, self.ask([self.correction_request(c) for c in cases]), strict=True):
            if answer.value is None:
                rejected = _rejection("synthesize", answer, case.problem.id)
                yield Reply(drafts=(), rejections=(rejected,), usage=self.usage(answer))
                continue
            p = case.problem
            found = {"question": p.question, "options": list(p.options), **answer.value.model_dump()}
            judged = draft_of(found, p.id, (p.id,), p.options, **self._checks, shown=(p.answer,))
            if isinstance(judged, Draft):
                yield Reply(drafts=(judged,), usage=self.usage(answer))
            else:
                yield Reply(drafts=(), rejections=(judged,), usage=self.usage(answer))

    def spent(self) -> dict[str, Any]:
        """Return the ledger of this process, empty if nothing was asked."""
        opened = "_client" in vars(self)
        return dataclasses.asdict(self._client.ledger) if opened else {}

    def close(self) -> None:
        """Close the cache file. The next request opens it again."""
        client = vars(self).pop("_client", None)
        if client is not None:
            client.cache.close()

    @property
    def _checks(self) -> dict[str, Any]:
        return {"verify": self.verify, "ending": self.ending}

    def _key(self) -> str:
        key = os.environ.get(self.api_key_env, "") if self.api_key_env else "none"
        if not key:
            raise ConfigError(
                f"instructor.api_key_env={self.api_key_env!r}: no such environment variable. Remedy: "
                f"export {self.api_key_env}=..., or instructor.api_key_env='' for a server that needs no key."
            )
        return key

    @cached_property
    def _client(self) -> Client | BatchClient:
        limits = Limits(
            concurrency=self.concurrency,
            timeout=self.timeout,
            give_up=self.give_up,
            max_wait=self.max_wait,
            tries=self.tries,
            max_usd=self.max_usd,
            usd_per_million=(self.usd_in or 0.0, self.usd_out or 0.0),
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
        )
        shared: dict[str, Any] = {
            "base_url": self.base_url,
            "model": self.model,
            "api_key": self._key(),
            "structured": self.structured,
            "limits": limits,
            "cache": Answers(Path(self.cache)),
        }
        made = BatchClient(**shared, wait=self.batch_wait) if self.batch else Client(**shared)
        if not self.priced:
            made.ledger.notes.append(NO_PRICE)
        return made


def _rejection(stage: str, answer: Result, subject: str) -> Rejection:
    return Rejection(stage=stage, reason=answer.reason, subject=subject, detail=answer.detail[:500])
