"""How fast the steps of a fine-tune were, for the page."""

from __future__ import annotations

import json
from statistics import median
from typing import Any

from sei.report.page.files import Files


def training(files: Files, number: int) -> dict[str, Any] | None:
    """Return a round's throughput, ``None`` without any: medians over steps, and the peak of memory.

    A run folder of an earlier version has no ``training.jsonl``.
    """
    name = f"round_{number}/training.jsonl"
    text = files.text(name, expected=False)
    try:
        rows = [json.loads(line) for line in (text or "").splitlines()]
        found = [row["throughput"] for row in rows if row.get("throughput")]
        if not found:
            return None
        used = [t["mfu"] for t in found if t.get("mfu") is not None]
        return {
            "rate": median(t["tokens_per_second"] for t in found),
            "padding": median(t["padding"] for t in found),
            "peak_gib": max(t["peak_gib"] for t in found),
            "mfu": median(used) if used else None,
        }
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        files.notes.append(f"{name} is damaged ({e})")
        return None
