"""The target model's name on the page, which must be true of its weights, and the source of the weights."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from sei.report.conf import CONF
from sei.report.page.files import parsed
from sei.secrecy import hidden


def named(said: Any, config: dict[str, Any]) -> dict[str, str]:
    """Return ``name``, ``source`` and ``revision`` of the target model; empty if unknown.

    ``said``: what the run wrote about its built model. ``config``: the run's config, the only source in older folders.
    A name from ``conf/model/`` is not used for other weights: ``model.source=PATH`` changes the weights but not the
    name.
    """
    known = said if isinstance(said, dict) else config.get("model")
    model = known if isinstance(known, dict) else {}
    name, source, revision = (str(model.get(k) or "") for k in ("name", "source", "revision"))
    if not source:
        return {}
    usual = _usual_source(name)
    if not name or usual not in ("", source):
        name = source if source.count("/") == 1 and source[0] not in "./~" else PurePath(source).name
    return {"name": hidden(name.removeprefix("packaged:")), "source": hidden(source), "revision": revision}


def _usual_source(name: str) -> str:
    """Return the source in the config file of a model with this name; empty if there is none."""
    for path in sorted((CONF / "model").glob("*.yaml")):
        found = parsed(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and found.get("name") == name:
            return str(found.get("source", ""))
    return ""
