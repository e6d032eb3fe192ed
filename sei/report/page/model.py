"""What the target model of a run is called on its page: a name that is true of its weights, and where they are from."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import yaml

from sei.report.conf import CONF
from sei.report.page.config import hidden


def named(said: Any, config: dict[str, Any]) -> dict[str, str]:
    """Return ``name``, ``source`` and ``revision`` of the target model; empty where nothing says.

    ``said`` is what the run wrote of its built model, ``config`` the run's config, which older folders have alone. A
    name that a file of ``conf/model/`` gives to other weights is not taken: ``model.source=PATH`` leaves it as it was.
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
    """Return the source that the config file of a model of this name gives; empty where there is none."""
    for path in sorted((CONF / "model").glob("*.yaml")):
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and found.get("name") == name:
            return str(found.get("source", ""))
    return ""
