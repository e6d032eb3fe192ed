"""``estimate=true`` and ``dry_run=true``: what a run would request from a remote instructor, before the first request.

Every part estimates its own requests (``sei.outlook.Estimated``). Here all parts get the same outlook and are summed.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from sei.contracts import misfits
from sei.errors import ConfigError
from sei.exchange import DataSet
from sei.loop import Method
from sei.opened import Engine
from sei.outlook import Asks, Estimated, Outlook, Remote, Shown, costs, is_own
from sei.parts import is_part, part
from sei.ports import Clusterer, Paid
from sei.records import BadCase, Graded, RoundRecord
from sei.scorer import Scorer
from sei.stages.grade import bad_cases

_SAMPLE = 200  # their mean length stands for all prompts
_OUTPUT_TOKENS = {  # per item, by kind of request
    "keyphrase": 60.0,
    "problems": 180.0,
    "agreement": 200.0,
    "correction": 200.0,
    "error types": 8.0,
    "merge": 8.0,
}


@part
class Assumptions:
    """What an estimate assumes for values that were not observed.

    ``bad_share``: share of the pool with a readable wrong answer. ``attempt_length``: length of a wrong attempt in
    multiples of the reference solution. ``keep``: share of the requested problems that pass all checks. ``written``:
    share of the requested problems that come back. ``error_types``: number in a round. ``chars_per_token``: of
    requests, repeated ones included. ``output_tokens``: per item (a problem, a phrase), by kind of request. ``ledger``:
    the ``ledger.json`` of an earlier run with the same instructor, whose ``observed`` values replace these.
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
    """Requests of one kind in one round, with tokens and dollars (``None`` if the price is unknown)."""

    round: int
    kind: str
    requests: int
    input_tokens: int
    output_tokens: int
    usd: float | None


def observed(path: str | None) -> dict[str, Any]:
    """Return the observed values of an earlier run's ledger.

    Raises:
        ConfigError: if the file is missing or has none.
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


class NothingToEstimateError(ConfigError):
    """No part of the method sends requests that cost anything."""


@dataclass(frozen=True, kw_only=True)
class RoundEstimate:
    """The estimates of a method's parts for one round.

    ``generates``: answers of the target model, by purpose. ``not_estimated``: parts that send requests or generate but
    give no estimate; they are in no number.
    """

    asks: tuple[Asks, ...]
    generates: dict[str, float]
    not_estimated: tuple[str, ...]


def of_round(method: Method, data: DataSet, assume: Assumptions, graded: Sequence[Graded] = ()) -> RoundEstimate:
    """Ask every part of a method for its estimate of a round.

    ``graded``: existing graded attempts of the base on the pool.

    Raises:
        NothingToEstimateError: if no part costs anything.
    """
    if not costs(method):
        name = type(method.diagnose.instructor).__name__
        raise NothingToEstimateError(
            f"estimate=true is for a remote instructor; {name} sends nothing and costs nothing. "
            "Remedy: instructor=gpt4o or instructor=openai_compatible."
        )
    given = outlook(method, data, assume, graded)
    asks: list[Asks] = []
    generates: Counter[str] = Counter()
    silent: dict[str, None] = {}
    for p, fault in _answering(method):
        found = None if fault else p.estimate(given)
        if found is not None:
            asks += found.asks
            generates.update(found.generates)
            given = given if found.candidates is None else replace(given, candidates=found.candidates)
            fault = found.unknown
        if fault:
            silent[f"{type(p).__name__}: {fault}"] = None
    return RoundEstimate(asks=tuple(asks), generates=dict(generates), not_estimated=tuple(silent))


def _answering(method: Method) -> Iterator[tuple[Any, str]]:
    """Yield the parts that estimate, in the order of the stages, and those that should but do not, with the reason.

    The warm-up belongs to no round. The loop tells how much the attempt stage generates.
    """
    for f in dataclasses.fields(method):
        if f.name != "warm_up":
            for p, fault in _within(getattr(method, f.name), method):
                if p is not method.attempt or fault != _GENERATES:
                    yield p, fault


_GENERATES = "it makes the target model generate and has no method `estimate` (sei.outlook.Estimated)"

_NOBODY_KNOWS = "it may ask an instructor and has no method `estimate` (sei.outlook.Estimated)"


def _within(held: Any, holder: Any) -> Iterator[tuple[Any, str]]:
    if isinstance(held, Estimated):
        yield held, misfits(type(held), Estimated) or ""
    elif isinstance(held, Paid):
        yield holder, f"it asks {type(held).__name__} and has no method `estimate` (sei.outlook.Estimated)"
    elif isinstance(held, Engine):
        yield holder, _GENERATES
    elif is_part(held):
        inner = [x for f in dataclasses.fields(held) for x in _within(getattr(held, f.name), held)]
        known = any(p is held for p, _ in inner)
        if is_own(held) and not known and (callable(held) or isinstance(held, (Clusterer, Scorer))):
            yield held, _NOBODY_KNOWS
        yield from inner
    elif isinstance(held, (dict, list, tuple)):
        for value in held.values() if isinstance(held, dict) else held:
            yield from _within(value, holder)


def outlook(method: Method, data: DataSet, assume: Assumptions, graded: Sequence[Graded] = ()) -> Outlook:
    """Return what is known of a round: observed in an earlier run, seen in existing attempts, or assumed.

    Without real bad cases a reference solution, repeated up to the assumed length, stands for the wrong attempt.
    """
    seen, rng = observed(assume.ledger), random.Random(0)
    cases = list(bad_cases(graded))
    share = len(cases) / len(graded) if cases else seen.get("bad_share", assume.bad_share)
    if cases:
        cases = rng.sample(cases, min(_SAMPLE, len(cases)))
    else:
        length = seen.get("attempt_length", assume.attempt_length)
        drawn = rng.sample(data.pool, min(_SAMPLE, len(data.pool)))
        cases = [BadCase(problem=p, output=_stretched(p.solution or p.answer, length), extracted="") for p in drawn]
    bad = share * len(data.pool)
    return Outlook(
        pool=len(data.pool),
        bad=bad,
        exemplars=bad * method.cluster.exemplar_share,
        cases=tuple(cases),
        phrase="subtracts where the amounts should be added",
        unnamed=getattr(method.cluster.clusterer, "unnamed", False),
        distinct=seen.get("distinct_phrases", 1.0),
        error_types=seen.get("error_types", assume.error_types),
        keep=seen.get("keep", assume.keep),
        keep_observed="keep" in seen,
        written=seen.get("written", assume.written),
        rng=rng,
    )


def lines(found: RoundEstimate, rounds: int, assume: Assumptions) -> list[Line]:
    """Return the requests of every round, assuming that all rounds are like the first.

    Raises:
        ConfigError: if the reply length of a kind is unknown.
    """
    seen = observed(assume.ledger)
    once = [_line(a, assume, seen) for a in found.asks]
    return [replace(line, round=number) for number in range(1, rounds + 1) for line in once]


def _line(a: Asks, assume: Assumptions, seen: dict[str, Any]) -> Line:
    chars_per_token = seen.get("chars_per_token", {}).get(a.kind, assume.chars_per_token)
    reply = seen.get("output_tokens", {}).get(a.kind, assume.output_tokens.get(a.kind, a.output_tokens))
    if reply is None:
        raise ConfigError(
            f"assume.output_tokens={assume.output_tokens}: no reply length for requests of kind {a.kind!r}. Rule: "
            f"every kind in use needs one. Remedy: '+assume.output_tokens={{{a.kind}: 100}}' (per item)."
        )
    sent = round(a.requests * a.chars / chars_per_token)
    written = round(a.requests * a.items * reply)
    usd = a.instructor.usd(sent, written) if a.instructor.priced else None
    return Line(1, a.name, round(a.requests), sent, written, usd)


def first_requests(found: RoundEstimate) -> dict[str, Shown]:
    """Return the first request of every kind that the run would send, made from pool problems."""
    first: dict[str, Shown] = {}
    for a in found.asks:
        if a.requests > 0 and a.samples:
            first.setdefault(a.name, a.samples[0])
    return first


def generations(
    found: RoundEstimate, data: DataSet, rounds: int, samples: int = 1, evaluate: Literal["all", "dev"] = "all"
) -> dict[str, int]:
    """Return how many answers the target model gives in all rounds at most, by purpose, with ``samples`` a problem."""
    return {
        "attempts at the pool": rounds * len(data.pool) * samples,
        **{what: rounds * round(n) for what, n in found.generates.items()},
        "for evaluation": (rounds + 1) * len(data.evaluated(evaluate)) * samples,
    }


def _stretched(text: str, length: float) -> str:
    return (text * (int(length) + 1))[: round(len(text) * length)]


def observations(method: Method, records: Sequence[RoundRecord]) -> dict[str, Any]:
    """Return what a finished run observed of the assumptions, to estimate a larger run.

    Empty if the instructor is embedded, or if this process did not send all requests behind the records (some came from
    the store).
    """
    instructor = method.diagnose.instructor
    if not isinstance(instructor, Remote) or not records:
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


def as_dict(lines: Sequence[Line], not_estimated: Sequence[str] = ()) -> dict[str, Any]:
    """Return an estimate as plain values. The sums leave out what is not estimated."""
    return {
        "lines": [asdict(x) for x in lines],
        "requests": sum(x.requests for x in lines),
        "input_tokens": sum(x.input_tokens for x in lines),
        "output_tokens": sum(x.output_tokens for x in lines),
        "usd": None if (usd := dollars(lines)) is None else round(usd, 4),
        "not_estimated": list(not_estimated),
    }


def dollars(lines: Sequence[Line]) -> float | None:
    """Return the dollars of an estimate, ``None`` if a price is unknown."""
    known = [x.usd for x in lines if x.usd is not None]
    return sum(known) if len(known) == len(lines) else None
