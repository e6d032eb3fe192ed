"""Collects new problems: sends requests in waves, keeps or drops drafts, and counts both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sei.errors import TooManyBadRecordsError
from sei.exchange import Draft, Reply, SynthesisRequest
from sei.ports import Instructor, Screen
from sei.progress import progress
from sei.records import (
    Rejection,
    Synthesis,
    SyntheticExample,
    Usage,
)
from sei.returned import one_each
from sei.screening.near import RougeIndex
from sei.signature import masked_signature
from sei.store import digest


class Sieve:
    """Accepts or drops drafts one by one and remembers those accepted."""

    def __init__(self, known: Sequence[str], screen: Screen, rouge_l: float) -> None:
        self.screen, self.rouge_l = screen, rouge_l
        self.near = RougeIndex(known)
        self.signatures = {masked_signature(q) for q in known}
        self.held_out: dict[str, str | None] = {}

    def look_at(self, drafts: Sequence[Draft]) -> None:
        """Ask the screen about all drafts of a reply at once, which is cheaper than one by one."""
        questions = [d.question for d in drafts]
        self.held_out = dict(zip(questions, self.screen.reasons(questions), strict=True))
        self.near.look_ahead((q for q, reason in self.held_out.items() if reason is None), self.rouge_l)

    def reason(self, draft: Draft) -> str | None:
        """Return why a draft must be dropped. ``None`` accepts it, and later drafts are compared with it."""
        if not draft.question.strip() or not draft.solution.strip() or not draft.answer.strip():
            return "empty_field"
        signature = masked_signature(draft.question)
        if signature in self.signatures:
            return "duplicate_signature"
        held_out = self.held_out[draft.question]
        if held_out is not None:
            return held_out
        if self.near.closest(draft.question, self.rouge_l) is not None:
            return "rouge_l"
        self.signatures.add(signature)
        self.near.add(draft.question)
        return None


Reason = Callable[[Draft], str | None]  # why a draft must be dropped


class NothingKeptError(TooManyBadRecordsError):
    """No new problem was kept. ``rejections`` hold the reason for each draft."""

    def __init__(self, message: str, rejections: tuple[Rejection, ...]) -> None:
        super().__init__(message)
        self.rejections = rejections


class Harvest:
    """The results of requests by owner. An owner is an error type, or a problem to write new ones from.

    ``made``: candidates kept. ``dry``: empty replies in a row. ``asked``: requests so far.
    """

    def __init__(self, owners: Sequence[str], sieve: Sieve, round: int) -> None:
        self.sieve, self.round = sieve, round
        self.made: dict[str, list[SyntheticExample]] = {o: [] for o in owners}
        self.asked: Counter[str] = Counter()
        self.dry: Counter[str] = Counter()
        self.rejections: list[Rejection] = []
        self.usage = Usage()

    @property
    def kept(self) -> int:
        """Return the number of candidates kept."""
        return sum(map(len, self.made.values()))

    def take(self, owner: str, error_type: str, reply: Reply, room: int, reason: Reason) -> int:
        """Keep at most ``room`` drafts without a ``reason`` to drop them, count the rest, return the number kept."""
        self.usage += reply.usage
        self.rejections += reply.rejections
        self.sieve.look_at(reply.drafts)
        gained = 0
        for draft in reply.drafts:
            why = "over_quota" if gained >= room else reason(draft)
            if why is None:
                self.made[owner].append(example(draft, error_type, self.round))
                gained += 1
                continue
            detail = "" if why == "over_quota" else draft.question[:300]
            self.rejections.append(Rejection(stage="synthesize", reason=why, subject=owner, detail=detail))
        self.dry[owner] = 0 if gained else self.dry[owner] + 1
        return gained

    def synthesis(self, *, wanted: bool, remedy: str) -> Synthesis:
        """Return all candidates in the order of their owners, and all rejections.

        Raises:
            NothingKeptError: if round 1 ``wanted`` candidates and kept none.
        """
        candidates = tuple(x for made in self.made.values() for x in made)
        if wanted and not candidates and self.round == 1:  # in later rounds there may be nothing left to learn
            counted = Counter(r.reason for r in self.rejections).most_common(3)
            reasons = ", ".join(f"{reason} {n}" for reason, n in counted) or "no reply held a problem"
            said = next((r.detail for r in self.rejections if r.reason == "bad_request" == counted[0][0]), "")
            reasons += f" (the server said: {said[:300]})" if said else ""
            raise NothingKeptError(
                f"synthesis kept nothing of {self.asked.total()} requests; reasons: {reasons}. Remedy: "
                f"{_remedy(self.rejections, remedy)}. The round's dropped.jsonl lists every refusal.",
                tuple(self.rejections),
            )
        return Synthesis(candidates=candidates, rejections=tuple(self.rejections), usage=self.usage)


_REMEDIES = (  # by the start of the most frequent reason
    (("bad_request",), "what the server asks for; if the window is too short, a server with a longer one, a smaller "
     "budget.per_request or a smaller instructor.max_tokens"),
    (("exemplar_", "no_numbers_fit"), "instructor=openai_compatible (the embedded rules cannot follow these worked "
     "solutions), or solutions whose steps are annotated as in GSM8K: <<48/2=24>>"),
    (("off_contract", "undecided", "length", "empty_field"), "a stronger instructor, or more instructor.max_tokens"),
    (("disagreement", "answer_mismatch", "unchecked_", "answer_changed", "without_options"), "a stronger instructor "
     "(preview=true shows its replies), or instructor.agreement=false"),
    (("test_", "dev_", "validation_"), "look at what is kept apart (decontaminate); the new problems are too close"),
)  # fmt: skip


def _remedy(rejections: Sequence[Rejection], near: str) -> str:
    """Return the remedy for the most frequent reason. ``near`` is the remedy for new problems that are too similar."""
    first = Counter(r.reason for r in rejections).most_common(1)
    reason = first[0][0] if first else "off_contract"
    return next((words for starts, words in _REMEDIES if reason.startswith(starts)), near)


def in_waves(
    instructor: Instructor,
    total: int,
    wave: Callable[[], Sequence[tuple[str, SynthesisRequest]]],
    take: Callable[[str, SynthesisRequest, Reply], int],
) -> None:
    """Send waves of requests with their owners until a wave is empty. All replies are taken before the next wave."""
    with progress("synthesis", total) as advance:
        while asked := wave():
            written = instructor.write([request for _, request in asked])
            replies = one_each(written, len(asked), Reply, instructor, "write")
            for (owner, request), reply in zip(asked, replies, strict=True):
                advance(take(owner, request, with_options(reply, request, owner)))


def with_options(reply: Reply, request: SynthesisRequest, owner: str) -> Reply:
    """Return a reply without drafts that lack options, if the request asks for multiple-choice problems."""
    lost = [d for d in reply.drafts if not d.options] if request.choices else []
    if not lost:
        return reply
    refused = tuple(
        Rejection(stage="synthesize", reason="without_options", subject=owner, detail=d.question[:300]) for d in lost
    )
    kept = tuple(d for d in reply.drafts if d.options)
    return replace(reply, drafts=kept, rejections=(*reply.rejections, *refused))


def example(draft: Draft, error_type: str, round: int) -> SyntheticExample:
    """Return the candidate made from a draft."""
    fields: dict[str, Any] = {"question": draft.question, "solution": draft.solution, "answer": draft.answer}
    return SyntheticExample(
        id=f"syn-{round}-{digest(fields)[:12]}",
        error_type=error_type,
        source_ids=draft.sources,
        round=round,
        flaw=draft.flaw,
        options=draft.options,
        **fields,
    )
