"""How well clusterers find the types of 328 labelled keyphrases: ``python -m experiments.measurements.clustering``.

``--half choose`` prints the half for choosing settings (default: report). ``--wordllama FOLDER`` adds an embedder from
PyPI (pip install --no-deps --target FOLDER wordllama). ``--scaling N...`` prints seconds and peak memory for N phrases
instead, with a separate process for each size.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, v_measure_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from sei.card.phrases import LABELLED
from sei.clusterers.agglomerative import Agglomerative
from sei.clusterers.codebook import Codebook, read_codebook
from sei.clusterers.hdbscan import HDBSCAN
from sei.clusterers.kmeans import KMeans
from sei.clusterers.none import NoClustering
from sei.clusterers.number_of_types import Vectors, unit
from sei.clusterers.shuffled import Shuffled
from sei.clusterers.ward import Ward
from sei.models.embedder import SentenceEmbedder
from sei.parts import part

ROWS = LABELLED / "keyphrases.jsonl"
SEEDS = range(5)


@part
class Words:
    """TF-IDF of words cut to their first six letters (a coarse stem), fitted on ``texts``."""

    version: ClassVar[int] = 1
    texts: tuple[str, ...]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (len(texts), words) unit vectors."""
        model = TfidfVectorizer(token_pattern=r"(?u)\b([a-z]{1,6})[a-z]*\b", sublinear_tf=True).fit(self.texts)
        return unit(model.transform(texts).toarray())


@part
class Characters:
    """Hashed n-grams of 3 to 5 characters: no vocabulary, nothing to load."""

    version: ClassVar[int] = 1

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (len(texts), 2048) unit vectors."""
        model = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=2048, alternate_sign=False)
        return unit(model.transform(texts).toarray())


@part
class Both:
    """MiniLM with a second, lexical view: 32 latent dimensions of ``Words``, with a weight of 0.3."""

    version: ClassVar[int] = 1
    texts: tuple[str, ...]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (len(texts), 416) unit vectors."""
        words = Words(texts=self.texts)
        latent = TruncatedSVD(32, random_state=0).fit(words.embed(self.texts)).transform(words.embed(texts))
        return unit(np.hstack([np.sqrt(0.7) * SentenceEmbedder().embed(texts), np.sqrt(0.3) * unit(latent)]))


@part
class WordLlama:
    """Mean of static token vectors (256 dimensions), read from the package's files without importing it."""

    version: ClassVar[int] = 1
    folder: str

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (len(texts), 256) unit vectors."""
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        root = Path(self.folder) / "wordllama"
        tokens = Tokenizer.from_file(str(root / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        (table,) = load_file(root / "weights" / "l2_supercat_256.safetensors").values()
        return unit(np.array([table[tokens.encode(t, add_special_tokens=False).ids].mean(axis=0) for t in texts]))


def embedders(phrases: Sequence[str], wordllama: str | None) -> dict[str, Any]:
    """Return the embedders by name. Those with a vocabulary use the phrases and the codebook, but no labels."""
    known = (*phrases, *(p for t in read_codebook("packaged:school_mathematics").types for p in t.phrases))
    found = {
        "minilm": SentenceEmbedder(),
        "minilm + words": Both(texts=known),
        "tfidf words": Words(texts=known),
        "hashed characters": Characters(),
    }
    return {**found, "wordllama": WordLlama(folder=wordllama)} if wordllama else found


def clusterers(embedder: Any) -> dict[str, Any]:
    """Return the clusterers by name, with the settings of conf/clusterer."""
    return {
        "agglomerative": Agglomerative(),
        "ward": Ward(),
        "ward, 16 dimensions": Ward(dimensions=16),
        "kmeans": KMeans(),
        "hdbscan, nearest": HDBSCAN(),
        "hdbscan, drop": HDBSCAN(noise="drop"),
        "codebook": Codebook(embedder=embedder),
        "shuffled (ward)": Shuffled(inner=Ward()),
    }


def read(half: str) -> tuple[list[str], list[str], list[dict[str, str]]]:
    """Return phrases, final types and complete rows of a half."""
    rows = [r for r in map(json.loads, ROWS.read_text(encoding="utf-8").splitlines()) if r["half"] == half]
    return [r["keyphrase"] for r in rows], [r["label"] for r in rows], rows


def scores(types: Sequence[str], labels: Sequence[int]) -> tuple[float, ...]:
    """Return ARI, AMI, V-measure, share of noise and number of types; a phrase without type is its own type."""
    noise = sum(x < 0 for x in labels)
    alone = [x if x >= 0 else -1 - i for i, x in enumerate(labels)]
    found = (f(types, alone) for f in (adjusted_rand_score, adjusted_mutual_info_score, v_measure_score))
    return (*map(float, found), noise / len(labels), len({*labels} - {-1}))


def line(embedder: str, name: str, rows: Sequence[tuple[float, ...]]) -> None:
    """Print one row of the table: means, and the spread of the ARI if there are several seeds."""
    ari, ami, v, noise, k = np.mean(rows, axis=0)
    spread = float(np.std([r[0] for r in rows], ddof=1)) if len(rows) > 1 else 0.0
    shown = f" ± {spread:.3f}" if spread > 5e-4 else ""
    print(f"| {embedder} | {name} | {ari:.3f}{shown} | {ami:.3f} | {v:.3f} | {noise:.0%} | {k:.4g} |", flush=True)


def table(half: str, wordllama: str | None) -> None:
    """Print the table of one half."""
    phrases, types, rows = read(half)
    print(f"{half}: n={len(phrases)}, {len(set(types))} types; seeds {SEEDS[0]} to {SEEDS[-1]}\n")
    print("| embedder | clusterer | ARI | AMI | V-measure | no type | types |\n|---|---|---:|---:|---:|---:|---:|")
    nothing = np.zeros((len(phrases), 2), dtype=np.float32)
    line("", "one type", [scores(types, NoClustering().group(phrases, nothing, 0).labels)])
    line("", "one type per phrase", [scores(types, range(len(phrases)))])
    number = {t: i for i, t in enumerate(sorted({r["b"] for r in rows}))}
    line("", "labeller B", [scores(types, [number[r["b"]] for r in rows])])
    line("minilm", "161 labels of `choose`", [scores(types, with_labels(half))])
    for e, embedder in embedders(phrases, wordllama).items():
        vectors = embedder.embed(phrases)
        for name, clusterer in clusterers(embedder).items():
            line(e, name, [scores(types, clusterer.group(phrases, vectors, seed).labels) for seed in SEEDS])


def with_labels(half: str) -> list[int]:
    """Return the predictions of a logistic regression on MiniLM, trained on the labels of ``choose``.

    On ``choose`` itself with 3-fold cross-validation. Shows what the vectors contain, not what a clusterer can find.
    """
    model = LogisticRegression(C=10.0, max_iter=2000)
    taught, types, _ = read("choose")
    if half == "choose":
        folds = StratifiedKFold(3, shuffle=True, random_state=0)
        said = cross_val_predict(model, SentenceEmbedder().embed(taught), types, cv=folds)
    else:
        said = model.fit(SentenceEmbedder().embed(taught), types).predict(SentenceEmbedder().embed(read(half)[0]))
    return [sorted(set(types)).index(t) for t in said]


def crowd(n: int) -> tuple[Vectors, list[str]]:
    """Return n vectors around those of ``choose``, at distance 0.5, and the type of each one's phrase."""
    phrases, types, _ = read("choose")
    rng = np.random.default_rng(0)
    at = rng.integers(len(phrases), size=n)
    noise = rng.standard_normal((n, 384), dtype=np.float32)
    return unit(SentenceEmbedder().embed(phrases)[at] + 0.5 * unit(noise)), [types[i] for i in at]


def measure(name: str, n: int) -> None:
    """Print seconds, peak memory and ARI of one clusterer on n phrases; "exact" never uses micro-clusters."""
    exact = name.endswith(" exact")
    more = {"exact_up_to": 10**9} if exact else {}
    made = {"agglomerative": Agglomerative, "ward": Ward, "kmeans": KMeans, "hdbscan": HDBSCAN}
    vectors, types = crowd(n)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    labels = made[name.removesuffix(" exact")](**more).group([""] * n, vectors, 0).labels
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ari = adjusted_rand_score(types, labels)
    print(
        f"| {name} | {n:,} | {seconds:.1f} | {peak / 2**20:.2f} ({before / 2**20:.2f}) | {ari:.3f} "
        f"| {max(labels) + 1} |",
        flush=True,
    )


def main() -> None:
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("choose", "report"), default="report")
    parser.add_argument("--wordllama", metavar="FOLDER")
    parser.add_argument("--scaling", nargs="+", type=int, metavar="N")
    parser.add_argument("--measure", nargs=2, metavar=("CLUSTERER", "N"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure[0], int(args.measure[1]))
    elif args.scaling:
        print(
            "| clusterer | phrases | seconds | peak GiB (before) | ARI | types |\n|---|---:|---:|---:|---:|---:|",
            flush=True,
        )
        for n in args.scaling:
            for name in ("agglomerative exact", "agglomerative", "ward exact", "ward", "kmeans", "hdbscan"):
                if n <= 10_000 or "exact" not in name:
                    command = [sys.executable, "-m", "experiments.measurements.clustering", "--measure", name, str(n)]
                    subprocess.run(command, check=False)
    else:
        table(args.half, args.wordllama)


if __name__ == "__main__":
    main()
