"""Decides which runs are of the same method, and names methods by what was built, never by a label or a folder.

Runs with the same target model and kind of data form a block. Two runs of a block are of the same method if all
settings that can change a result are equal, except the seed. A method's name lists the parts that replace those of
Self-Error-Instruct, then every setting that differs from the block's reference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from sei.compare.runs import Run
from sei.compare.settings import TARGET, Settings, class_of, settings
from sei.printable import printable
from sei.report.conf import CONF

FULL = "Self-Error-Instruct"
BUDGET = ("rounds", "budget.candidates", "budget_scale", "finetuner.schedule")  # only change the budget
_WORDS = {  # class of a part: name of a method with it; empty for the method's own parts
    "clusterer": {
        "Ward": "",
        "Agglomerative": "",
        "LLMClusterer": "",
        "NoClustering": "no error types",
        "Shuffled": "shuffled error types",
    },
    "synthesizer": {
        "SelfInstruct": "",
        "RandomSynthesis": "random synthesis",
        "Combine": "combining synthesis",
        "DirectCorrection": "direct correction",
        "DirectCorrection solutions=instructor": "direct correction by the instructor",
        "LLM2LLM": "LLM2LLM",
        "LearningFromError": "learning from error",
        "LearningFromError contrast=True": "learning from error by contrast",
        "RejectionSampling": "rejection sampling",
        "MetaMath": "MetaMath rewriting",
        "EvolInstruct": "Evol-Instruct",
    },
    "refiner": {
        "OneShotStep": "",
        "OneShotContext": "",
        "NoRefinement": "no refinement",
        "Perplexity": "perplexity filter",
        "RandomRefinement": "random filter",
        "OneShotLikelihood": "one-shot likelihood",
        "Gradient": "gradient filter",
        "Difficulty": "difficulty window",
        "Diversity": "diversity filter",
        "Chain": "chain of filters",
    },
}
_VARIANTS = {"LearningFromError": ("contrast", True), "DirectCorrection": ("solutions", "instructor")}
_ABSENT = "(absent)"


@dataclass(frozen=True)
class Method:
    """The runs of one method by seed. ``family``: its name without settings that only change the budget."""

    name: str
    family: str
    runs: Mapping[int, Run]
    settings: Settings

    @property
    def seeds(self) -> tuple[int, ...]:
        """Return the seeds in order."""
        return tuple(sorted(self.runs))

    @property
    def trains(self) -> bool:
        """Say whether the method trains; with ``rounds=0`` its runs only have a base."""
        return self.settings.get("rounds") != 0

    @property
    def inputs(self) -> frozenset[str]:
        """Return the digests of the files and plugins that its runs name, without those of earlier versions."""
        return frozenset(r.summary.inputs for r in self.runs.values() if r.summary.inputs)


@dataclass(frozen=True)
class Block:
    """Comparable methods: same target model and kind of data. The others are compared with ``full``."""

    model: str
    data: str
    methods: tuple[Method, ...]
    full: Method | None

    @property
    def others(self) -> tuple[Method, ...]:
        """Return all methods that train but the full one."""
        return tuple(m for m in self.methods if m is not self.full and m.trains)


def kind_of(run: Run, part: str) -> str:
    """Return the class of a run's part, such as ``Finetune`` or ``GRPO`` for ``finetuner``."""
    return class_of(_get(run.config, part, TARGET))


def method_name(run: Run, reference: Mapping[str, Any]) -> str:
    """Return the name of a run's method, relative to the reference's config (both as in ``.hydra/config.yaml``)."""
    mine, other = settings(run.config), settings(reference)
    return _name(mine, _differences(mine, other, [mine, other]))


def method_names(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return distinct names for the methods of these configs (as in ``.hydra/config.yaml``).

    Names are made as in ``blocks``; different models and data sets count as settings.
    """
    mine = [settings(c) for c in configs]
    kinds = {_key(s): s for s in mine}
    reference = kinds[_ranked(kinds)[0]] if kinds else {}
    names = {k: _name(s, _differences(s, reference, list(kinds.values()))) for k, s in kinds.items()}
    return [names[_key(s)] for s in mine]


def blocks(runs: Sequence[Run], base_arm: str | None = None) -> tuple[list[Block], list[Run]]:
    """Group runs into blocks of methods; also returns older runs, replaced by a newer one of the same method and seed.

    ``base_arm``: the name of the method to compare others with, or a unique part of it. By default it is the method
    most like Self-Error-Instruct, then most like all others, then most like the default config. Runs whose test sets
    have other items are in separate blocks.

    Raises:
        ValueError: if ``base_arm`` matches no block, or several methods of a block.
    """
    places: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        places[_get(run.config, "model", "name"), class_of(_get(run.config, "data", TARGET))].append(run)
    out: list[Block] = []
    older: list[Run] = []
    for model, data, mine in [(m, d, rs) for (m, kind), all_ in sorted(places.items()) for d, rs in _sized(kind, all_)]:
        methods, left = _methods(mine)
        older += left
        full = methods[0] if base_arm is None else _find(methods, base_arm)
        out.append(Block(model, data, tuple(methods), full))
    if base_arm is not None and all(b.full is None for b in out):
        names = sorted({m.name for b in out for m in b.methods})
        raise ValueError(f"no method is called {base_arm!r}; the methods are: {'; '.join(names)}")
    return out, older


def _sized(data: str, runs: Sequence[Run]) -> list[tuple[str, list[Run]]]:
    """Split runs whose sets of the same name have other items; each group is named by the difference.

    Summaries of earlier versions do not tell the contents of sets; there the number of items decides.
    """
    parts: list[tuple[dict[str, _Items], list[Run]]] = []
    for run in runs:
        sets = {
            k: _Items((s.n + s.grader_errors) // s.samples, run.summary.held_out.get(k))
            for k, s in run.summary.baseline.items()
            if s.n
        }
        for known, mine in parts:
            if all(k not in known or known[k].may_be(items) for k, items in sets.items()):
                known.update({k: items for k, items in sets.items() if k not in known or known[k].content is None})
                mine.append(run)
                break
        else:
            parts.append((sets, [run]))
    names = dict.fromkeys(k for known, _ in parts for k in known)
    differ = {k: found for k in names if len(found := {known[k] for known, _ in parts if k in known}) > 1}

    def said(k: str, items: _Items) -> str:
        same_size = sum(other.n == items.n for other in differ[k]) > 1
        size = f"{k} n={items.n}" if len({other.n for other in differ[k]}) > 1 else k
        return f"{size} {(items.content or 'unknown')[:8]}" if same_size else size

    return [
        (
            printable(f"{data} ({', '.join(said(k, known[k]) for k in differ if k in known)})") if differ else data,
            mine,
        )
        for known, mine in parts
    ]


@dataclass(frozen=True)
class _Items:
    """The items of a set: their number, and the digest of their content if it is known."""

    n: int
    content: str | None

    def may_be(self, other: _Items) -> bool:
        """Tell whether both may be the same items."""
        return self.n == other.n and (self.content == other.content or None in (self.content, other.content))


def _methods(runs: Sequence[Run]) -> tuple[list[Method], list[Run]]:
    grouped: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        grouped[_key(settings(run.config))].append(run)
    kinds = {key: settings(mine[0].config) for key, mine in grouped.items()}
    order = _ranked(kinds)
    reference = kinds[order[0]]
    out, older = [], []
    for key in order:
        by_seed: dict[int, Run] = {}
        for run in sorted(grouped[key], key=lambda r: (r.folder / "summary.json").stat().st_mtime):
            if run.seed in by_seed:
                older.append(by_seed[run.seed])
            by_seed[run.seed] = run
        differs = _differences(kinds[key], reference, list(kinds.values()))
        unbought = [k for k in differs if not within(k, BUDGET)]
        out.append(Method(_name(kinds[key], differs), _name(kinds[key], unbought), by_seed, kinds[key]))
    return [out[0], *sorted(out[1:], key=lambda m: m.name)], older


def _key(mine: Settings) -> str:
    return repr(sorted(mine.items()))


def _ranked(kinds: Mapping[str, Settings]) -> list[str]:
    """Return the keys of methods, with the reference method first."""
    usual = _defaults()

    def like_the_full_method(key: str) -> tuple[bool, int, int, int, int, str]:
        mine = kinds[key]
        changed = sum(mine[k] != v for k, v in usual.items() if k in mine)
        return mine.get("rounds") == 0, _strange(mine), _distance(mine, kinds.values()), changed, -_rounds(mine), key

    return sorted(kinds, key=like_the_full_method)


def _defaults() -> Settings:
    """Return the settings of ``conf/config.yaml`` as written; it does not contain parts chosen from files."""
    found = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))
    return settings({k: v for k, v in found.items() if k not in ("defaults", "hydra")})


def _find(methods: Sequence[Method], wanted: str) -> Method | None:
    found = [m for m in methods if m.name == wanted] or [m for m in methods if wanted.lower() in m.name.lower()]
    if len(found) > 1:
        raise ValueError(f"{wanted!r} may be any of: {'; '.join(m.name for m in found)}")
    return found[0] if found else None


def _name(mine: Settings, differs: Sequence[str]) -> str:
    words = [_word(slot, kind) for slot, kind in _kinds(mine).items()]
    head = " + ".join(w for w in words if w) or FULL
    return printable(", ".join([head, *(_setting(k, mine.get(k, _ABSENT)) for k in differs)]))


def _setting(key: str, value: Any) -> str:
    part, _, last = key.rpartition(".")
    return f"{part}={class_of(value)}" if last == TARGET else f"{key}={value}"


def _differences(mine: Settings, reference: Settings, everyone: Sequence[Settings]) -> list[str]:
    """Return the settings to include in a name: those that differ from the reference.

    A part of another class has settings of its own. These are named if methods with the same class disagree. The class
    is named only if no word of the name shows it.
    """
    swapped = {k: v for k, v in _parts(mine).items() if _parts(reference).get(k) != v}
    out = []
    for key in sorted(mine.keys() | reference.keys()):
        part = _owner(key, swapped)
        if part is None:
            differs = mine.get(key, _ABSENT) != reference.get(key, _ABSENT)
        elif key == f"{part}.{TARGET}":
            differs = part not in _WORDS or not _word(part, swapped[part])
        else:
            told = key == f"{part}.{_VARIANTS.get(swapped[part], ('',))[0]}"  # shown by the word for the variant
            alike = [s for s in everyone if s.get(f"{part}.{TARGET}") == swapped[part]]
            differs = not told and key in mine and len({repr(s.get(key, _ABSENT)) for s in alike}) > 1
        if differs:
            out.append(key)
    return out


def _parts(mine: Settings) -> dict[str, str]:
    """Return the class of each top-level part: ``refiner``, not ``refiner.scorer``."""
    return {k.split(".")[0]: str(v) for k, v in mine.items() if k.count(".") == 1 and k.endswith(TARGET)}


def _word(slot: str, kind: str) -> str:
    return _WORDS[slot].get(kind, class_of(kind))


def _kinds(mine: Settings) -> dict[str, str]:
    return {slot: _variant(mine, slot, str(mine.get(f"{slot}.{TARGET}", ""))) for slot in _WORDS}


def _variant(mine: Settings, slot: str, kind: str) -> str:
    """Return a class, with the setting that turns it into another method, if it has one and it is set."""
    key, value = _VARIANTS.get(kind, ("", None))
    return f"{kind} {key}={value}" if key and mine.get(f"{slot}.{key}") == value else kind


def _strange(mine: Settings) -> int:
    return sum(bool(_word(slot, kind)) for slot, kind in _kinds(mine).items())


def _distance(mine: Settings, others: Any) -> int:
    return sum(mine.get(k, _ABSENT) != o.get(k, _ABSENT) for o in others for k in mine.keys() | o.keys())


def _rounds(mine: Settings) -> int:
    found = mine.get("rounds")
    return found if isinstance(found, int) else 0


def _owner(key: str, parts: Mapping[str, str]) -> str | None:
    head = key.split(".")[0]
    return head if head in parts and head != key else None


def within(key: str, prefixes: Sequence[str]) -> bool:
    """Tell whether a setting is one of these, or in one of these groups."""
    return any(key == p or key.startswith(f"{p}.") for p in prefixes)


def _get(config: Mapping[str, Any], part: str, key: str) -> str:
    found = config.get(part)
    return printable(str(found.get(key, "?"))) if isinstance(found, dict) else "?"
