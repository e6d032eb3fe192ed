"""Stand-ins for costly parts: an instructor, an embedder, a target model, a tokenizer."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from sei.clusterers.agglomerative import Agglomerative
from sei.exchange import EMBEDDED_TASKS, Draft, Reply, SynthesisRequest
from sei.models.target import TargetModel
from sei.parts import part
from sei.stages.cluster import Cluster
from tests.builders import WORDS

SEEN: list[SynthesisRequest] = []
"""The requests to ``Scripted`` and similar classes; a test that reads it clears it first."""


@part
class Scripted:
    """Writes distinct problems, or configured ones.

    ``text``: this question is in each of them. ``same``: the same question again and again. ``stuck``: the same, but
    only for these error types. ``empty``: this many empty replies first for each type. ``dry``: no problems at all for
    this type.
    """

    version: ClassVar[int] = 1
    TASKS: ClassVar[frozenset[str]] = EMBEDDED_TASKS | {"combine", "contrast", "error", "similar"}
    text: str = ""
    same: bool = False
    stuck: tuple[str, ...] = ()
    empty: int = 0
    dry: str = ""

    def diagnose(self, cases: Any) -> Any:
        raise AssertionError("synthesis must not diagnose")

    def correct(self, cases: Any) -> Any:
        raise AssertionError("synthesis must not correct")

    def write(self, requests: Iterable[SynthesisRequest]) -> Iterator[Reply]:
        for r in requests:
            SEEN.append(r)
            rng = random.Random(f"{r.seed}/{r.error_type}/{r.index}")
            n = 0 if r.index <= self.empty or r.error_type == self.dry else r.n
            yield Reply(drafts=tuple(self._draft(r, rng) for _ in range(n)))

    def _draft(self, r: SynthesisRequest, rng: random.Random) -> Draft:
        fresh = " ".join(rng.sample(WORDS, 9)) + f" {rng.randint(2, 999)}?"
        question = self.text or ("always this one 7?" if self.same or r.error_type in self.stuck else fresh)
        sources = tuple(e.id for e in r.exemplars[:1])
        return Draft(question=question, solution="1+1=<<1+1=2>>2\n#### 2", answer="2", sources=sources)


@part
class Letters:
    """Embeds a phrase by its first letter, with a little noise from its length."""

    version: ClassVar[int] = 1

    def embed(self, texts: Any) -> Any:
        rows = np.zeros((len(texts), 30), dtype=np.float32)
        for i, t in enumerate(texts):
            rows[i, ord(t[0]) - ord("a")] = 1.0
            rows[i, 29] = 0.05 * len(t)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def clustering(clusterer: Any = None, **more: Any) -> Cluster:
    """Make the stage that groups phrases by the vectors of ``Letters``."""
    return Cluster(clusterer=clusterer or Agglomerative(), embedder=Letters(), finding_weight=0.0, **more)


@part
class NoWeights(TargetModel):
    """A target without weights: its prompts are the questions, after the demonstration's question and a bar."""

    version: ClassVar[int] = 1

    @contextmanager
    def open(self, checkpoint: Any, *, keep_adapter: bool = False) -> Iterator[Any]:
        yield self

    def prompts(self, questions: Any, demonstration: Any = None) -> list[str]:
        return [f"{demonstration[0]}|{q}" if demonstration else q for q in questions]


class Tokenizer:
    """Writes turns unchanged."""

    def apply_chat_template(self, turns: Any, *, tokenize: bool, add_generation_prompt: bool) -> str:
        assert not tokenize
        assert add_generation_prompt
        return "".join(f"[{t['role']}] {t['content']}\n" for t in turns) + "[assistant] "
