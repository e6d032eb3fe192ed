"""``estimate=true`` and ``dry_run=true``: what a run would ask of a remote instructor, before the first request."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from sei.clusterers.llm import LLMClusterer, group_request, merge_request
from sei.errors import ConfigError
from sei.instructors.remote.instructor import OpenAICompatible
from sei.instructors.remote.terms import Request
from sei.loop import Method
from sei.parts import part, parts_in
from sei.ports import DataSet, Exemplar, SynthesisRequest
from sei.records import BadCase, Graded, RoundRecord
from sei.refiners.one_shot_context import OneShotContext
from sei.stages.grade import bad_cases
from sei.synthesizers.direct_correction import DirectCorrection
from sei.synthesizers.per_problem import FromOne, Start

_SAMPLE = 200  # prompts whose mean length stands for all
_OUTPUT_TOKENS = {  # by kind of request, an item
    "keyphrase": 60.0,
    "problems": 180.0,
    "agreement": 200.0,
    "correction": 200.0,
    "error types": 8.0,
    "merge": 8.0,
}


@part
class Assumptions:
    """What an estimate must take for granted, where nothing was observed.

    ``bad_share``: of the pool, wrong in a readable way. ``attempt_length``: of a wrong attempt, in reference
    solutions. ``keep``: of the problems asked for, after all checks. ``error_types``: a round.
    ``chars_per_token`` of requests, with what is sent again; ``output_tokens``: by kind of request, an item
    (a problem, a phrase). ``ledger``: the ``ledger.json`` of an earlier run with the same instructor, whose
    ``observed`` values replace these.
    """

    identity: ClassVar[str] = "estimate/assumptions"
    version: ClassVar[int] = 1
    bad_share: Annotated[float, Field(ge=0, le=1)] = 0.4
    attempt_length: Annotated[float, Field(gt=0)] = 1.5
    keep: Annotated[float, Field(gt=0, le=1)] = 0.7
    written: Annotated[float, Field(gt=0)] = 1.0
    error_types: Annotated[float, Field(ge=1)] = 20.0
    chars_per_token: float = 4.0
    output_tokens: dict[str, float] = Field(default_factory=lambda: dict(_OUTPUT_TOKENS))
    ledger: str | None = None


@dataclass(frozen=True)
class Line:
    """Requests of one kind in one round, with tokens and dollars (``None`` where a price is not known)."""

    round: int
    kind: str
    requests: int
    input_tokens: int
    output_tokens: int
    usd: float | None


@dataclass(frozen=True)
class Plan:
    """One kind of request in one round: how many, how long on average, how many items each asks for."""

    kind: str
    requests: float
    chars: float
    items: float = 1.0


def remote(method: Method) -> OpenAICompatible:
    """Return the instructor that costs.

    Raises:
        ConfigError: where the instructor is embedded and there is nothing to estimate.
    """
    found = method.diagnose.instructor
    if not isinstance(found, OpenAICompatible):
        raise ConfigError(
            f"estimate and dry_run are for a remote instructor; {type(found).__name__} sends and costs nothing. "
            "Remedy: instructor=gpt4o or instructor=openai_compatible."
        )
    return found


def observed(path: str | None) -> dict[str, Any]:
    """Return the observed values of an earlier run's ledger.

    Raises:
        ConfigError: when the file is missing or has none.
    """
    if path is None:
        return {}
    try:
        found = json.loads(Path(path).expanduser().read_text())["observed"]
        assert isinstance(found, dict)
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as e:
        raise ConfigError(
            f"assume.ledger={path}: no ledger with observed values ({e!r}). Remedy: the ledger.json of a finished run "
            "with a remote instructor, or null."
        ) from e
    return found


def estimate(
    method: Method, data: DataSet, rounds: int, assume: Assumptions, graded: Sequence[Graded] = ()
) -> list[Line]:
    """Return what each round would ask, taking every round to be like the first.

    ``graded`` are attempts of the base on the pool that are there already; they cost nothing to look at.
    """
    instructor, seen = remote(method), observed(assume.ledger)
    plans = _plans(method, data, assume, seen, graded)
    chars_per_token, output = seen.get("chars_per_token", {}), seen.get("output_tokens", {})
    lines = []
    for number in range(1, rounds + 1):
        for p in plans:
            requests = round(p.requests)
            sent = round(p.requests * p.chars / chars_per_token.get(p.kind, assume.chars_per_token))
            written = round(p.requests * p.items * output.get(p.kind, assume.output_tokens[p.kind]))
            usd = instructor.usd(sent, written) if instructor.priced else None
            lines.append(Line(number, p.kind, requests, sent, written, usd))
    return lines


def _plans(
    method: Method, data: DataSet, assume: Assumptions, seen: dict[str, Any], graded: Sequence[Graded]
) -> list[Plan]:
    share = seen.get("bad_share", assume.bad_share)
    cases = list(bad_cases(graded))
    if cases:
        share = len(cases) / len(graded)
    bad = share * len(data.pool)
    some = first_requests(method, data, assume, cases, {**seen, "bad_share": share})
    plans = [Plan("keyphrase", bad, _mean(some["keyphrase"]))]
    types = min(max(1.0, bad), seen.get("error_types", assume.error_types))
    clusterer = method.cluster.clusterer
    if isinstance(clusterer, LLMClusterer):
        distinct = bad * seen.get("distinct_phrases", 1.0)
        plans.append(
            Plan("error types", max(1.0, distinct / clusterer.batch), _mean(some["error types"]), clusterer.batch)
        )
        plans.append(Plan("merge", float(clusterer.merge), _mean(some["merge"]), types))
    synthesizer: Any = method.synthesize
    if isinstance(synthesizer, DirectCorrection):
        wanted = bad * method.cluster.exemplar_share if synthesizer.solutions == "instructor" else 0.0
        return [*plans, Plan("correction", wanted, _mean(some["correction"]))]
    if not hasattr(synthesizer, "instructor"):
        return plans  # the target model writes its own solutions
    budget = synthesizer.budget
    one = isinstance(synthesizer, FromOne)
    each = synthesizer.each(_starts(method, bad)) if isinstance(synthesizer, FromOne) else budget.per_request
    keep = seen.get("keep", assume.keep)
    asked = budget.total / (each * keep)
    if "keep" not in seen and not one:
        asked += types / 2  # a type's last request asks for more than it needs
    plans.append(Plan("problems", asked, _mean(some["problems"]), each))
    if remote(method).agreement:
        checks = asked * each * seen.get("written", assume.written)
        plans.append(Plan("agreement", checks, _mean(some["agreement"])))
    return plans


def _starts(method: Method, bad: float) -> int:
    return round(bad * method.cluster.exemplar_share)


def _mean(requests: Sequence[Request]) -> float:
    return sum(r.chars for r in requests) / max(1, len(requests))


def first_requests(
    method: Method,
    data: DataSet,
    assume: Assumptions,
    cases: Sequence[BadCase] = (),
    seen: dict[str, Any] | None = None,
) -> dict[str, list[Request]]:
    """Return requests of every kind as the run would send them, made of pool problems.

    Without real bad cases (``cases``) a reference solution stands for the wrong attempt, drawn out to the
    assumed length.
    """
    instructor, seen = remote(method), seen or {}
    rng = random.Random(0)
    length = seen.get("attempt_length", assume.attempt_length)
    if not cases:
        drawn = rng.sample(data.pool, min(_SAMPLE, len(data.pool)))
        cases = [BadCase(problem=p, output=_stretched(p.solution or p.answer, length), extracted="") for p in drawn]
    else:
        cases = rng.sample(list(cases), min(_SAMPLE, len(cases)))
    phrase = "subtracts where the amounts should be added"  # of usual length
    out = {"keyphrase": [instructor.keyphrase_request(c) for c in cases]}
    out["correction"] = [instructor.correction_request(c) for c in cases]
    budget = getattr(method.synthesize, "budget", None)
    n, shown = (budget.per_request, budget.bad + budget.generated) if budget else (1, 1)
    problems = [c.problem for c in cases]
    starts = _starts(method, seen.get("bad_share", assume.bad_share) * len(data.pool))
    for i, case in enumerate(cases[:_SAMPLE]):
        if isinstance(method.synthesize, FromOne):
            start = Start(problem=case.problem, error_type=phrase, output=case.output)
            request = method.synthesize.request(start, (), i, method.synthesize.each(starts), 0)
        else:
            chosen = rng.sample(problems, min(shown, len(problems)))
            exemplars = tuple(Exemplar(id=p.id, question=p.question, solution=p.solution) for p in chosen)
            request = SynthesisRequest(error_type=phrase, exemplars=exemplars, n=n, index=i, seed=0)
        out.setdefault("problems", []).append(instructor.synthesis_request(request))
    out["agreement"] = [instructor.solve_request(p.question) for p in problems]
    batch = method.cluster.clusterer.batch if isinstance(method.cluster.clusterer, LLMClusterer) else 100
    names = [phrase] * round(seen.get("error_types", assume.error_types))
    phrases = [phrase] * max(1, min(batch, round(len(data.pool) * seen.get("bad_share", assume.bad_share))))
    temperature = instructor.temperature
    grouped = (group_request(phrases, (), 1.0, temperature), group_request(phrases, names, 1.0, temperature))
    out["error types"] = [instructor.configured(r) for r in grouped]
    out["merge"] = [instructor.configured(merge_request(names, temperature))]
    return out


def _stretched(text: str, length: float) -> str:
    return (text * (int(length) + 1))[: round(len(text) * length)]


def observations(method: Method, records: Sequence[RoundRecord]) -> dict[str, Any]:
    """Return what a finished run showed of the assumptions, for the estimate of a larger one.

    Empty where the instructor is embedded, or where this process did not ask all that the records needed
    (a run made of store hits).
    """
    instructor = method.diagnose.instructor
    if not isinstance(instructor, OpenAICompatible) or not records:
        return {}
    kinds: dict[str, dict[str, float]] = instructor.spent().get("kinds", {})
    asked = sum(k["requests"] for k in kinds.values())
    usages = (u for r in records for u in (r.synthesis.usage, r.error_map.usage, *(d.usage for d in r.diagnoses)))
    if not kinds or asked != sum(u.requests for u in usages):
        return {}
    graded = [g for r in records for g in r.graded]
    cases = [d.bad_case for r in records for d in r.diagnoses]
    phrases = [{d.keyphrase.phrase for d in r.diagnoses if d.keyphrase} for r in records]
    named = sum(d.keyphrase is not None for r in records for d in r.diagnoses)
    reference = sum(len(c.problem.solution or c.problem.answer) for c in cases)
    out: dict[str, Any] = {
        "bad_share": len(cases) / max(1, len(graded)),
        "attempt_length": sum(len(c.output) for c in cases) / max(1, reference),
        "error_types": sum(len(r.error_map.types) for r in records) / len(records),
        "distinct_phrases": sum(map(len, phrases)) / max(1, named),
        "chars_per_token": {n: k["chars"] / max(1, k["input_tokens"]) for n, k in kinds.items()},
        "output_tokens": {n: k["output_tokens"] / max(1, k["items"]) for n, k in kinds.items()},
    }  # fmt: skip
    problems = kinds.get("problems")
    if problems:
        out["keep"] = sum(len(r.synthesis.candidates) for r in records) / problems["items"]
        out["written"] = kinds.get("agreement", {"requests": 0})["requests"] / problems["items"]
    return out


def generations(method: Method, data: DataSet, rounds: int) -> dict[str, int]:
    """Return how many answers the target model gives over all rounds, by what they are for."""
    budget = getattr(method.synthesize, "budget", None)
    candidates = budget.total if budget else 0
    asking = [p for p in parts_in(method.refine) if isinstance(p, OneShotContext)]
    per_candidate = sum(p.bad + p.good for p in asking)
    samples = int(getattr(method.synthesize, "samples", 0))
    return {
        "attempts at the pool": rounds * len(data.pool),
        "sampled solutions of the pool": rounds * samples * len(data.pool),
        "for refinement": rounds * candidates * per_candidate,
        "for evaluation": (rounds + 1) * len(data.held_out),
    }


def as_dict(lines: Sequence[Line]) -> dict[str, Any]:
    """Return an estimate as plain values."""
    return {
        "lines": [asdict(x) for x in lines],
        "requests": sum(x.requests for x in lines),
        "input_tokens": sum(x.input_tokens for x in lines),
        "output_tokens": sum(x.output_tokens for x in lines),
        "usd": None if (usd := dollars(lines)) is None else round(usd, 4),
    }


def dollars(lines: Sequence[Line]) -> float | None:
    """Return the dollars of an estimate, ``None`` where a price is not known."""
    known = [x.usd for x in lines if x.usd is not None]
    return sum(known) if len(known) == len(lines) else None
