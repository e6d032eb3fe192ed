"""What looks like a key or a password: refused in arguments, hidden in what a run writes."""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "(hidden)"
_KEYS = re.compile(r"\b(?:sk-|hf_|wandb_v1_)[A-Za-z0-9_-]{8,}")
_ADDRESS = re.compile(r"://[^/?#\s]*@")  # a user or a password
_NAME = (  # a setting, header or variable; not max_tokens, api_key_env or eos_token
    r"(?<![A-Za-z0-9_-])(?!(?:eos|bos|pad|unk|cls|sep|mask)_token)(?:[A-Za-z0-9]+[_-])*"
    r"(?:api[_-]?key|token|password|passwd|secret|credentials?|authorization|access[_-]?key(?:[_-]id)?)"
)
_NO_VALUE = r"(?!(?:null|none|''|\"\")?\s*(?:$|[,}\]]))"
_NUMBERED = (
    r"(?![A-Za-z0-9_-]+[_-]token['\"]?\s*[=:]\s*\d+(?:\.\d+)?\s*(?:$|[,}\]]))"  # stop_token: 5 is the id of a token
)
_NAMED = re.compile(rf"({_NUMBERED}{_NAME}['\"]?\s*[=:]\s*){_NO_VALUE}\S.*", re.IGNORECASE)
_IS_NAME = re.compile(_NAME, re.IGNORECASE)


def is_secret(argument: str) -> bool:
    """Say whether an argument holds what looks like a secret, also inside a mapping: ``env={HF_TOKEN:...}``."""
    return any(pattern.search(argument) for pattern in (_KEYS, _ADDRESS, _NAMED))


def hidden(text: str) -> str:
    """Return a line of a config with apparent keys and passwords removed."""
    text = _ADDRESS.sub(f"://{HIDDEN}@", _KEYS.sub(HIDDEN, text))
    return _NAMED.sub(rf"\1{HIDDEN}", text)


def without_secrets(config: Any) -> Any:
    """Return a config in which texts that look like secrets, or have such a name, are hidden."""
    if isinstance(config, dict):
        return {k: _value(str(k), v) for k, v in config.items()}
    if isinstance(config, (list, tuple)):
        return [without_secrets(v) for v in config]
    return hidden(config) if isinstance(config, str) else config


def _value(name: str, value: Any) -> Any:
    if isinstance(value, str) and value and _IS_NAME.fullmatch(name):
        return HIDDEN
    return without_secrets(value)
