"""The parts of the protocol that a server accepts, learnt from its refusals and remembered by server and model.

The key of an answer depends on the configured request, not on its adaptation to the server.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sei.instructors.remote.terms import Ledger, Request
from sei.instructors.remote.verdict import Drop, Reask, Refused, Stop

log = logging.getLogger(__name__)
_REFUSED = re.compile(
    r"unsupported|not support|n't support|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed|extra inputs"
    r"|extra_forbidden|unavailable|not available|deprecated|only the default|incompatible|not compatible|no longer"
    r"|only \S+ (?:is|are) (?:allowed|supported)|instead"
    r"|cannot (?:find|be used|use)|can't be used|not implemented|not enabled"
)
_A_VALUE = re.compile(r"too large|too long|at most|exceed|maximum|greater than|less than")  # about the value
_FORMAT = re.compile(
    r"response.?format|response.?schema|json.?schema|json.?object|json.?output|json.?mode|structured.?output|guided"
    r"|x?grammar|additionalproperties|schema"
)
_SYSTEM = re.compile(  # messages of servers and templates without a system role
    r"system.{0,40}role|role.{0,40}system|(?:system|developer) (?:message|prompt|instruction)|roles must alternate"
    r"|only user and assistant roles|role must be"
)
_FIRST_ROOM = 4_096  # tokens added for thoughts the first time they use up a reply
_MOST_ROOM = 65_536
_KNOWN: dict[tuple[str, str], Dialect] = {}
_LOCK = threading.Lock()


def dialect_of(endpoint: str, model: str) -> Dialect:
    """Return the dialect of a server and model, shared by all clients of the process."""
    with _LOCK:
        return _KNOWN.setdefault((endpoint, model), Dialect(server=endpoint))


@dataclass
class Dialect:
    """How to word requests for one server and model.

    ``completion_tokens``: the limit is called ``max_completion_tokens``. ``without``: refused settings, with the
    server's words. ``joined``: there is no system role, so its text is put before the user's. ``room``: tokens added
    for thoughts.
    """

    server: str
    completion_tokens: bool = False
    without: dict[str, str] = field(default_factory=dict)
    joined: bool = False
    room: int = 0

    def worded(self, request: Request, model: str, *, structured: bool) -> dict[str, Any]:
        """Return the body of a request as this server accepts it. A plain completion is never changed."""
        body = request.body(model, structured=structured and "response_format" not in self.without)
        if request.prompt is not None:
            return body
        body["max_tokens"] += self.room
        if self.completion_tokens:
            body["max_completion_tokens"] = body.pop("max_tokens")
        if "temperature" in self.without:
            body.pop("temperature", None)
        if self.joined and body["messages"][0]["role"] == "system":
            system, first, *rest = body["messages"]
            body["messages"] = [{"role": "user", "content": f"{system['content']}\n\n{first['content']}"}, *rest]
        return body

    def learn(self, refused: Refused, body: Mapping[str, Any]) -> Reask | Drop | Stop:
        """Remember what a server refuses in a body, and return what to do with the request.

        ``Reask`` has the reason ``plain`` if the server accepts no response format, ``dialect`` for other changes.
        """
        said, drop = refused.detail, Drop(reason="bad_request", detail=refused.detail)
        if "prompt" in body:
            return drop
        name = refused_setting(refused, body)
        if name == "max_tokens":
            if not self.completion_tokens:
                log.warning("%s wants max_completion_tokens instead of max_tokens from now on (%s)", self.server, said)
            self.completion_tokens = True
        elif name == "temperature":
            if name not in self.without:
                log.warning("%s takes no temperature: its own is used, not the configured one (%s)", self.server, said)
            self.without.setdefault(name, said)
        elif name == "system":
            if not self.joined:
                log.warning("%s takes no system role: its text goes before the user's (%s)", self.server, said)
            self.joined = True
        elif name == "response_format":
            return Reask(reason="plain", detail=said)
        elif name is not None:
            setting = name if name == "reasoning_effort" else f"extra_body.{name}"
            return Stop(
                reason=f"the server refuses instructor.{setting} ({said})",
                exit_code=2,
                remedy=f"another value, or drop instructor.{setting}",
            )
        else:
            return drop
        return Reask(reason="dialect", detail=said)

    def no_format(self, said: str) -> None:
        """Remember that the server accepts no response format."""
        self.without.setdefault("response_format", said)

    def more_room(self, body: Mapping[str, Any], request: Request) -> None:
        """Add room for thoughts, after they have used up the limit of a body."""
        given = limit_of(body)
        if given >= request.max_tokens + self.room:  # not yet raised by a concurrent request
            self.room = min(_MOST_ROOM, max(_FIRST_ROOM, 4 * self.room))
            log.warning("thoughts use up all %d tokens of a reply of %s: adding %d", given, self.server, self.room)

    def changes(self, ledger: Ledger, request: Request) -> None:
        """Record in the ledger which settings are not sent as configured."""
        if request.prompt is None and request.temperature is not None and "temperature" in self.without:
            ledger.changed["temperature"] = f"{request.temperature} is not sent: {self.without['temperature']}"


def limit_of(body: Mapping[str, Any]) -> int:
    """Return the token limit that a body sets for a reply."""
    return int(body.get("max_completion_tokens") or body.get("max_tokens") or 0)


def refused_setting(refused: Refused, body: Mapping[str, Any]) -> str | None:
    """Return the name of the setting that a server refuses (``system`` is the role), or ``None`` for no setting."""
    said = f"{refused.detail} {refused.code}".casefold()
    param = refused.param.split(".")[0].split("[")[0]
    named = [n for n in body if n not in ("model", "messages") and (n == param or re.search(rf"\b{n}\b", said))]
    if "response_format" in body and (param == "response_format" or _FORMAT.search(said)):
        return "response_format"
    first = body.get("messages") or [{}]
    if first[0].get("role") == "system" and _SYSTEM.search(said) and not named:
        return "system"
    if not _REFUSED.search(said):
        return None
    if "max_tokens" in named and ("max_completion_tokens" in said or not _A_VALUE.search(said)):
        return None if _A_VALUE.search(said) else "max_tokens"
    others = [n for n in named if n not in ("max_tokens", "max_completion_tokens", "response_format", "seed", "stop")]
    return others[0] if others else None
