"""Other information that could separate error types in free phrases.

``SEI_DATA=DATA python -m experiments.measurements.phrase_views``.

Only the ``choose`` half of the labelled keyphrases (``sei/card/labelled/keyphrases.jsonl``) is used, so the other half
remains for reporting. DATA contains ``badcases/``, the source of question, wrong step and finding.

Partitions: 8 or 16 principal components, then Ward with 8, 12, 16 or 20 types; the mean and best ARI of the eight
settings are printed. Codebook: the nearest prototype of ``packaged:school_mathematics``, never "other". A second view
(unit vectors) is joined at a share: sqrt(1 - share) and sqrt(share). Numbers are masked in the wrong step, which is the
one marked by people.

Other modes: ``--smollm2`` views by SmolLM2-135M (minutes), ``--reader URL NAME`` the types of ``clusterer=llm`` with a
model behind an OpenAI-compatible server. ``--sentences FOLDER`` uses another sentence-transformers model everywhere.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from experiments.measurements.clustering import read
from sei.clusterers.codebook import read_codebook
from sei.clusterers.number_of_types import Vectors, unit
from sei.errors import TooManyBadRecordsError
from sei.instructors.symbolic.instructor import SymbolicInstructor
from sei.models.embedder import SentenceEmbedder
from sei.records import BadCase, Keyphrase, PoolProblem
from sei.stages.cluster import two_views

PHRASES, TYPES, ROWS = read("choose")
BOOK = read_codebook("packaged:school_mathematics").types
SHARES = (0.1, 0.2, 0.3, 0.5)
KEPT = set(  # words of mathematics and grammar stay in a phrase even if the question has them
    "a an the of to in on for from with by as and or is are be not no each per instead than more less total number sum "
    "difference product percent percentage rate ratio average half double twice time unit cost price amount equation "
    "expression value quantity problem given".split()
)
PROMPTS = {
    "in one word": 'This mistake in a mathematics solution : "{}" means in one word:"',
    "the kind": 'A student made a mistake: {}. The kind of mistake, in one word, is "',
}


def ari(labels: Sequence[int]) -> float:
    """Return the ARI with the labelled types."""
    return float(adjusted_rand_score(TYPES, labels))


def partitions(vectors: Vectors) -> str:
    """Return mean and best ARI of the eight settings."""
    found = []
    for dimensions in (8, 16):
        few = PCA(dimensions, random_state=0).fit_transform(vectors)
        found += [ari(AgglomerativeClustering(k).fit_predict(few)) for k in (8, 12, 16, 20)]
    return f"{np.mean(found):.3f} ({max(found):.3f})"


def joined(first: Vectors, second: Vectors, share: float) -> Vectors:
    """Return two views joined side by side."""
    return np.hstack([np.sqrt(1 - share) * first, np.sqrt(share) * second])


def prototypes(embedder: Any) -> Vectors:
    """Return the codebook's prototypes, one row per type."""
    return unit(np.array([embedder.embed(t.phrases).mean(axis=0) for t in BOOK]))


def bad_cases(folder: Path) -> list[dict[str, Any]]:
    """Return the source rows of the phrases, in order."""
    found = {}
    for name in ("mr-gsm8k", "mr-ben-math"):
        with gzip.open(folder / "badcases" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as f:
            found.update({r["id"]: r for r in map(json.loads, f)})
    return [found[r["id"]] for r in ROWS]


def step_of(row: dict[str, Any]) -> str:
    """Return the step marked by people, without its numbers."""
    steps = row["model_steps"]
    steps = json.loads(steps) if isinstance(steps, str) else steps
    at = row["error_step"]
    return re.sub(r"\d[\d,.]*", "#", steps[at - 1]) if steps and at and at <= len(steps) else ""


def keyphrases(rows: Sequence[dict[str, Any]]) -> list[Keyphrase]:
    """Return the phrases with the symbolic instructor's finding, if it has one."""
    cases = [
        BadCase(
            problem=PoolProblem(id=r["id"], question=r["question"], answer="", solution=r["gold_solution"] or ""),
            output=r["model_output"],
            extracted="",
        )
        for r in rows
    ]
    found = {d.bad_case.problem.id: d.keyphrase for d in SymbolicInstructor(flaw_rate=0).diagnose(cases)}
    known = [found.get(c.problem.id) for c in cases]
    return [
        Keyphrase(bad_case=c, phrase=p, finding=k.finding if k else None)
        for c, p, k in zip(cases, PHRASES, known, strict=True)
    ]


def without_question(phrase: str, question: str) -> str:
    """Return a phrase without the words of its question, except words of mathematics and grammar."""

    def stem(word: str) -> str:
        return word[:-1] if word.endswith("s") and len(word) > 3 else word

    theirs = {stem(w) for w in re.findall(r"[a-z]+", question.lower())}
    words = re.findall(r"[a-z]+|\S", phrase.lower())
    return " ".join(w for w in words if not (w.isalpha() and stem(w) in theirs and stem(w) not in KEPT))


def views(plain: Vectors, rows: Sequence[dict[str, Any]], embedder: Any) -> None:
    """Print the gain from additional views, and from phrases without their question's words."""
    phrases = keyphrases(rows)
    relations = [k.finding.relation if k.finding else "" for k in phrases]
    kinds = sorted({*relations} - {""})
    relation = np.array([[float(r == k) for k in kinds] for r in relations])
    question, step = (embedder.embed(texts) for texts in ([r["question"] for r in rows], [step_of(r) for r in rows]))
    print(f"a finding: {sum(bool(r) for r in relations)} of {len(rows)}\n")
    print(f"| beside the phrase (alone {partitions(plain)}) | " + " | ".join(f"share {s}" for s in SHARES) + " |")
    print("|---|" + "---:|" * len(SHARES))
    for name, other in {"relation of the finding": relation, "question": question, "wrong step": step}.items():
        print(f"| {name} | " + " | ".join(partitions(joined(plain, other, s)) for s in SHARES) + " |")
    whole = (partitions(two_views(plain, phrases, s)) for s in SHARES)
    print("| whole finding (`cluster.finding_weight`) | " + " | ".join(whole) + " |")
    both = joined(joined(plain, question, 0.2 / 0.7), step, 0.3)
    print(f"\nstep .3 and question .2: {partitions(both)}")
    bare = [without_question(p, r["question"]) for p, r in zip(PHRASES, rows, strict=True)]
    changed = sum(b != p.lower() for b, p in zip(bare, PHRASES, strict=True))
    print(f"without the question's words ({changed} phrases change): {partitions(embedder.embed(bare))}")


def codebook(plain: Vectors, rows: Sequence[dict[str, Any]], embedder: Any) -> None:
    """Print variants of the codebook."""
    centres = prototypes(embedder)
    alike = plain @ centres.T
    print(f"\ncodebook: {ari(alike.argmax(1)):.3f}")
    for name, texts in {"question": [r["question"] for r in rows], "wrong step": [step_of(r) for r in rows]}.items():
        other = embedder.embed(texts) @ centres.T
        found = ", ".join(f"{s}: {ari(((1 - s) * alike + s * other).argmax(1)):.3f}" for s in (*SHARES, 0.7, 1.0))
        print(f"and the {name}'s similarity, at a share of {found}")
    for weight in (0, 3, 10, 30):
        moved = centres
        for _ in range(5):
            labels = (plain @ moved.T).argmax(1)
            moved = unit(np.array([weight * c + plain[labels == i].sum(0) + 1e-9 * c for i, c in enumerate(centres)]))
        print(f"prototypes moved to their phrases, weight of the old {weight}: {ari((plain @ moved.T).argmax(1)):.3f}")
    for k in (10, 14, 18, 24):
        merged = AgglomerativeClustering(k, metric="cosine", linkage="average").fit_predict(centres)
        print(f"merged to {k} types: {ari(merged[alike.argmax(1)]):.3f}")
    sizes = np.bincount(alike.argmax(1), minlength=len(BOOK))
    for least in (2, 3, 4, 6):
        print(f"only types with {least} phrases: {ari(np.where(sizes >= least, alike, -1).argmax(1)):.3f}")


def smollm2(plain: Vectors, embedder: Any) -> None:
    """Print views by SmolLM2-135M: hidden states after a prompt, and the likelihood of a phrase given a type."""
    import torch

    from experiments.measurements.refiners import parts
    from sei.lit.shared_prefix import SharedPrefix

    target = parts("model=smollm2_135m", "model.dtype=float32", "trainer.precision=32-true")["model"]
    with target.open(target.base()) as opened, torch.inference_mode():
        for name, prompt in PROMPTS.items():
            states = []
            for p in PHRASES:
                ids = opened.tokenizer(prompt.format(p), return_tensors="pt")
                layers = opened.model(**ids, output_hidden_states=True).hidden_states
                states.append(torch.stack([layer[0, -1] for layer in layers]).numpy())
            for at in (12, 18, 24, 30):
                layer = np.array(states)[:, at]
                view = unit((layer - layer.mean(0)) / (layer.std(0) + 1e-6))
                beside = partitions(joined(plain, view, 0.3))
                print(f"{name}, layer {at}: {partitions(view)}; beside MiniLM at .3: {beside}")
        heads = [
            f'Mistakes of the kind "{t.name}" in mathematics solutions:\n'
            + "".join(f"- {p}\n" for p in t.phrases)
            + "-"
            for t in BOOK
        ]
        asks = [[(head, f" {p}") for p in PHRASES] for head in ("A mistake in a mathematics solution:", *heads)]
        bare, *given = SharedPrefix(opened).log_likelihoods(asks)
    likelier = np.array(given).T - np.array(bare)[:, None]
    likelier = (likelier - likelier.mean(0)) / likelier.std()
    alike = plain @ prototypes(embedder).T
    for share in (0.0, 0.1, 0.3, 0.5, 1.0):
        mixed = (1 - share) * alike / alike.std() + share * likelier
        print(f"codebook with how likely a type makes the phrase, at a share of {share}: {ari(mixed.argmax(1)):.3f}")


def reader(url: str, name: str) -> None:
    """Print the types found by a served model as ``clusterer=llm``."""
    from sei.clusterers.llm import LLMClusterer
    from sei.instructors.remote.instructor import OpenAICompatible

    with tempfile.TemporaryDirectory() as folder:
        asked = OpenAICompatible(
            model=name, base_url=url, api_key_env="", cache=f"{folder}/a.sqlite", temperature=0.0, timeout=600
        )
        for batch in (25, 100):
            try:
                found = LLMClusterer(instructor=asked, batch=batch).group(PHRASES, np.zeros((len(PHRASES), 2)), 0)
                print(f"clusterer=llm, batches of {batch}: {len(found.names)} types, {ari(found.labels):.3f}")
            except TooManyBadRecordsError as e:
                print(f"clusterer=llm, batches of {batch}: {e}")


def main() -> None:
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smollm2", action="store_true")
    parser.add_argument("--sentences", metavar="FOLDER")
    parser.add_argument("--reader", nargs=2, metavar=("URL", "NAME"))
    args = parser.parse_args()
    embedder = SentenceEmbedder(source=args.sentences) if args.sentences else SentenceEmbedder()
    if args.reader:
        reader(*args.reader)
        return
    plain = embedder.embed(PHRASES)
    if args.smollm2:
        smollm2(plain, embedder)
        return
    rows = bad_cases(Path(os.environ["SEI_DATA"]))
    views(plain, rows, embedder)
    codebook(plain, rows, embedder)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    said = cross_val_predict(LogisticRegression(C=10.0, max_iter=2000), plain, TYPES, cv=folds)
    print(f"\ntaught by labels, 3-fold: {adjusted_rand_score(TYPES, said):.3f}")


if __name__ == "__main__":
    main()
