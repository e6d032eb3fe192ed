"""``instructor=gpt4o``, ``openai_compatible``: any model behind an OpenAI-compatible server."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field

from sei.errors import ConfigError
from sei.grading import MathGrader
from sei.instructors.remote.answers import Answers
from sei.instructors.remote.client import Client
from sei.instructors.remote.replies import (
    Problem,
    checked,
    correction_request,
    keyphrase_request,
    synthesis_request,
)
from sei.instructors.remote.terms import Answer, Limits
from sei.parts import IMMATERIAL, part
from sei.ports import Draft, Reply, SynthesisRequest
from sei.progress import progress
from sei.prompts import prompt_digest
from sei.records import BadCase, Diagnosis, Keyphrase, Rejection, Usage
from sei.records import Problem as Posed

_ENDINGS = {"hash": "#### {}", "boxed": "\\boxed{{{}}}"}


@part
class OpenAICompatible:
    """Asks a model for keyphrases, problems and corrections; answers are cached, counted and checked.

    ``api_key_env`` is the *name* of the environment variable that holds the key (empty: none is needed);
    ``usd_in`` / ``usd_out`` are dollars per million tokens; ``max_usd`` stops resumably. ``ending`` is how a
    worked solution ends, the format that the target model is taught. ``verify`` drops problems whose solution
    does not end in the answer given beside it. ``temperature=None`` leaves it to the server, as the paper does.
    """

    version: ClassVar[int] = 1
    model: str
    base_url: str
    cache: Annotated[str, IMMATERIAL]
    api_key_env: Annotated[str, IMMATERIAL] = "OPENAI_API_KEY"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    structured: bool = True
    ending: Literal["hash", "boxed"] = "hash"
    verify: bool = True
    usd_in: Annotated[float, Field(ge=0), IMMATERIAL] = 0.0
    usd_out: Annotated[float, Field(ge=0), IMMATERIAL] = 0.0
    max_usd: Annotated[float | None, IMMATERIAL] = None
    concurrency: Annotated[int, Field(ge=1, le=1024), IMMATERIAL] = 16
    timeout: Annotated[float, Field(gt=0), IMMATERIAL] = 120.0
    give_up: Annotated[float, Field(gt=0), IMMATERIAL] = 300.0
    max_wait: Annotated[float, Field(gt=0), IMMATERIAL] = 120.0
    tries: Annotated[int, Field(ge=1), IMMATERIAL] = 8

    def __post_init__(self) -> None:
        """Refuse an address that is none, or that carries a secret."""
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigError("instructor.base_url: must be an http(s) address. Remedy: http://127.0.0.1:8000/v1")
        if url.username or url.password:
            raise ConfigError(
                "instructor.base_url: it carries a user or password, which would reach logs and the store. Remedy: put "
                "the key into an environment variable and its name into instructor.api_key_env."
            )

    def reads(self) -> dict[str, str]:
        """Return digests of the prompt templates."""
        return {n: prompt_digest(n) for n in ("keyphrase.v1", "synthesize.v1", "correct.v1")}

    def diagnose(self, cases: Sequence[BadCase]) -> Iterator[Diagnosis]:
        """Yield one diagnosis per bad case, in order; what came off contract is a typed rejection."""
        requests = [
            keyphrase_request(c.problem.question, c.problem.solution or c.problem.answer, c.output[-6_000:],
                              temperature=self.temperature)
            for c in cases
        ]  # fmt: skip
        with progress("diagnosis", len(requests)) as advance:
            for case, answer in zip(cases, self._client.run(requests), strict=True):
                advance(1)
                usage = self._usage(answer)
                if answer.value is None:
                    rejection = _rejection("diagnose", answer, case.problem.id)
                    yield Diagnosis(bad_case=case, rejection=rejection, usage=usage)
                else:
                    keyphrase = Keyphrase(bad_case=case, phrase=answer.value.keyphrase)
                    yield Diagnosis(bad_case=case, keyphrase=keyphrase, usage=usage)

    def write(self, requests: Sequence[SynthesisRequest]) -> Iterator[Reply]:
        """Yield one reply per request, in order."""
        asked = [
            synthesis_request(r.error_type, [(e.question, e.solution) for e in r.exemplars], r.n,
                              sample=r.index, temperature=self.temperature)
            for r in requests
        ]  # fmt: skip
        for request, answer in zip(requests, self._client.run(asked), strict=True):
            if answer.value is None:
                rejected = _rejection("synthesize", answer, request.error_type)
                yield Reply(drafts=(), rejections=(rejected,), usage=self._usage(answer))
                continue
            sources = tuple(e.id for e in request.exemplars)
            judged = [self._draft(found, request.error_type, sources) for found in answer.value[: 2 * request.n]]
            drafts = tuple(d for d in judged if isinstance(d, Draft))
            rejections = tuple(r for r in judged if isinstance(r, Rejection))
            yield Reply(drafts=drafts, rejections=rejections, usage=self._usage(answer))

    def correct(self, cases: Sequence[BadCase]) -> Iterator[Reply]:
        """Yield every bad case's question with a solution worked anew, or a refusal."""
        requests = [
            correction_request(c.problem.question, c.output[-6_000:], temperature=self.temperature) for c in cases
        ]
        for case, answer in zip(cases, self._client.run(requests), strict=True):
            if answer.value is None:
                rejected = _rejection("synthesize", answer, case.problem.id)
                yield Reply(drafts=(), rejections=(rejected,), usage=self._usage(answer))
                continue
            found = {"question": case.problem.question, **answer.value.model_dump()}
            judged = self._draft(found, case.problem.id, (case.problem.id,))
            if isinstance(judged, Draft):
                yield Reply(drafts=(judged,), usage=self._usage(answer))
            else:
                yield Reply(drafts=(), rejections=(judged,), usage=self._usage(answer))

    def spent(self) -> dict[str, Any]:
        """Return the ledger of this process; empty where nothing had to be asked."""
        opened = "_client" in vars(self)
        return dataclasses.asdict(self._client.ledger) if opened else {}

    def _usage(self, answer: Answer) -> Usage:
        usd = (answer.input_tokens * self.usd_in + answer.output_tokens * self.usd_out) / 1e6
        tokens = {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
        return Usage(requests=1, usd=usd, **tokens)

    def _draft(self, found: Any, subject: str, sources: tuple[str, ...]) -> Draft | Rejection:
        """Return a draft whose solution ends in the taught format, or why a problem cannot be used."""
        try:
            p = checked(Problem, found)
        except ValueError as e:
            return Rejection(stage="synthesize", reason="off_contract", subject=subject, detail=f"{e}: {found!r}"[:500])
        grader = MathGrader()
        outcome = grader.grade(Posed(id="draft", question=p.question, answer=p.answer), p.solution)
        if self.verify and outcome.verdict == "wrong":
            detail = f"{p.answer} | {p.solution[-200:]}"
            return Rejection(stage="synthesize", reason="answer_mismatch", subject=subject, detail=detail)
        ending = _ENDINGS[self.ending].format(p.answer)
        solution = p.solution if ending in p.solution else f"{p.solution}\n{ending}"
        return Draft(question=p.question, solution=solution, answer=p.answer, sources=sources)

    @cached_property
    def _client(self) -> Client:
        key = os.environ.get(self.api_key_env, "") if self.api_key_env else "none"
        if not key:
            raise ConfigError(
                f"instructor.api_key_env={self.api_key_env!r}: no such environment variable. Remedy: "
                f"export {self.api_key_env}=..., or instructor.api_key_env='' for a server that needs no key."
            )
        limits = Limits(
            concurrency=self.concurrency,
            timeout=self.timeout,
            give_up=self.give_up,
            max_wait=self.max_wait,
            tries=self.tries,
            max_usd=self.max_usd,
            usd_per_million=(self.usd_in, self.usd_out),
        )
        return Client(
            base_url=self.base_url,
            model=self.model,
            api_key=key,
            structured=self.structured,
            limits=limits,
            cache=Answers(Path(self.cache)),
        )


def _rejection(stage: str, answer: Answer, subject: str) -> Rejection:
    return Rejection(stage=stage, reason=answer.reason, subject=subject, detail=answer.detail[:500])
