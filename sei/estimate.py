"""``estimate=true`` and ``dry_run=true``: what a run would ask of a remote instructor, before the first request.

Every part answers for itself (``sei.outlook.Estimated``); here they are given an outlook, asked in order, and added up.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

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


class NothingToEstimateError(ConfigError):
    """No part of the method sends anything that costs."""


@dataclass(frozen=True, kw_only=True)
class RoundEstimate:
    """What the parts of a method said of one round.

    ``generates``: answers of the target model, by what they are for. ``not_estimated``: parts that ask or generate and
    told nothing; their share is in no number.
    """

    asks: tuple[Asks, ...]
    generates: dict[str, float]
    not_estimated: tuple[str, ...]


def of_round(method: Method, data: DataSet, assume: Assumptions, graded: Sequence[Graded] = ()) -> RoundEstimate:
    """Ask every part of a method what it would do in a round.

    ``graded`` are attempts of the base on the pool that are there already; they cost nothing to look at.

    Raises:
        NothingToEstimateError: where no part costs anything.
    """
    if not costs(method):
        name = type(method.diagnose.instructor).__name__
        raise NothingToEstimateError(
            f"estimate and dry_run are for a remote instructor; {name} sends and costs nothing. "
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
    """Yield the parts that tell, in the order of the stages, and those that should and do not, with the reason.

    The warm-up is no part of a round. What the stage of attempts generates is known from the loop.
    """
    for f in dataclasses.fields(method):
        if f.name != "warm_up":
            for p, fault in _within(getattr(method, f.name), method):
                if p is not method.attempt or fault != _GENERATES:
                    yield p, fault


_GENERATES = "it makes the target model generate and has no method `estimate` (sei.outlook.Estimated)"

_NOBODY_KNOWS = "whether it asks anything is not known, it has no method `estimate` (sei.outlook.Estimated)"


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
    """Return what is known of a round: observed in an earlier run, seen in attempts that are there, or assumed.

    Without real bad cases a reference solution stands for the wrong attempt, drawn out to the assumed length.
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
        distinct=seen.get("distinct_phrases", 1.0),
        error_types=seen.get("error_types", assume.error_types),
        keep=seen.get("keep", assume.keep),
        keep_observed="keep" in seen,
        written=seen.get("written", assume.written),
        rng=rng,
    )


def lines(found: RoundEstimate, rounds: int, assume: Assumptions) -> list[Line]:
    """Return what each round would ask, taking every round to be like the first.

    Raises:
        ConfigError: where nothing says how long replies of a kind are.
    """
    seen = observed(assume.ledger)
    once = [_line(a, assume, seen) for a in found.asks]
    return [replace(line, round=number) for number in range(1, rounds + 1) for line in once]


def _line(a: Asks, assume: Assumptions, seen: dict[str, Any]) -> Line:
    chars_per_token = seen.get("chars_per_token", {}).get(a.kind, assume.chars_per_token)
    reply = seen.get("output_tokens", {}).get(a.kind, assume.output_tokens.get(a.kind, a.output_tokens))
    if reply is None:
        raise ConfigError(
            f"assume.output_tokens={assume.output_tokens}: no length of a reply to requests of kind {a.kind!r}. Rule: "
            f"each kind that is asked needs one. Remedy: '+assume.output_tokens={{{a.kind}: 100}}' (an item)."
        )
    sent = round(a.requests * a.chars / chars_per_token)
    written = round(a.requests * a.items * reply)
    usd = a.instructor.usd(sent, written) if a.instructor.priced else None
    return Line(1, a.name, round(a.requests), sent, written, usd)


def first_requests(found: RoundEstimate) -> dict[str, Shown]:
    """Return the first request of every kind that the run would send, and of no other, made of pool problems."""
    first: dict[str, Shown] = {}
    for a in found.asks:
        if a.requests > 0 and a.samples:
            first.setdefault(a.name, a.samples[0])
    return first


def generations(found: RoundEstimate, data: DataSet, rounds: int, samples: int = 1) -> dict[str, int]:
    """Return how many answers the target model gives over all rounds at most, by their use; ``samples`` a problem."""
    return {
        "attempts at the pool": rounds * len(data.pool) * samples,
        **{what: rounds * round(n) for what, n in found.generates.items()},
        "for evaluation": (rounds + 1) * len(data.held_out) * samples,
    }


def _stretched(text: str, length: float) -> str:
    return (text * (int(length) + 1))[: round(len(text) * length)]


def observations(method: Method, records: Sequence[RoundRecord]) -> dict[str, Any]:
    """Return what a finished run showed of the assumptions, for the estimate of a larger one.

    Empty where the instructor is embedded, or where this process did not ask all that the records needed
    (a run made of store hits).
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
    """Return an estimate as plain values; the sums lack what is not estimated."""
    return {
        "lines": [asdict(x) for x in lines],
        "requests": sum(x.requests for x in lines),
        "input_tokens": sum(x.input_tokens for x in lines),
        "output_tokens": sum(x.output_tokens for x in lines),
        "usd": None if (usd := dollars(lines)) is None else round(usd, 4),
        "not_estimated": list(not_estimated),
    }


def dollars(lines: Sequence[Line]) -> float | None:
    """Return the dollars of an estimate, ``None`` where a price is not known."""
    known = [x.usd for x in lines if x.usd is not None]
    return sum(known) if len(known) == len(lines) else None
