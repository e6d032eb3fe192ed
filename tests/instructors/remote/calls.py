"""A client, an instructor and requests for the loopback server, shared by several test modules."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sei.instructors.remote.answers import Answers
from sei.instructors.remote.client import Client
from sei.instructors.remote.instructor import OpenAICompatible
from sei.instructors.remote.replies import parsed
from sei.instructors.remote.terms import Limits, Request
from sei.records import BadCase
from tests.builders import case, problem
from tests.instructors.remote.fault_server import send

N = 40
PHRASE = json.dumps({"first_wrong_step": "", "keyphrase": "drops a step"})


def echo(body: dict[str, Any]) -> str:
    """Answer with the last number of the request, so that mixed-up replies are noticed."""
    return json.dumps({"value": int(body["messages"][0]["content"].split()[-1])})


def requests(n: int = N, start: int = 0) -> list[Request]:
    def check(text: str) -> Any:
        found = parsed(text)
        if set(found) != {"value"}:
            raise ValueError(f"value is missing: {found}")
        return found["value"]

    schema = {"type": "object", "properties": {"value": {"type": "integer"}}, "required": ["value"]}
    return [
        Request(messages=(("user", f"say {i}"),), schema=schema, check=check, max_tokens=20, temperature=0.0)
        for i in range(start, start + n)
    ]


def client(server: Any, tmp_path: Path, **limits: Any) -> Client:
    fine = {"concurrency": 8, "timeout": 1.0, "give_up": 20.0, "max_wait": 5.0}
    return Client(
        base_url=server.url, model="scripted", api_key="sk-not-a-real-key-1234", structured=True,
        limits=Limits(**{**fine, **limits}), cache=Answers(tmp_path / "answers.sqlite"),
    )  # fmt: skip


def values(found: Iterable[Any]) -> list[Any]:
    return [a.value for a in found]


def instructor(server: Any, tmp_path: Path, **more: Any) -> OpenAICompatible:
    settings = {
        "model": "scripted",
        "base_url": server.url,
        "cache": str(tmp_path / "a.sqlite"),
        "api_key_env": "",
        "agreement": False,
    }
    return OpenAICompatible(**{**settings, **more})


def four(question: str = "How many?", output: str = "3") -> BadCase:
    """A wrong attempt at a problem whose answer is 4."""
    return case(problem(1, question, answer="4", solution="2+2=4\n#### 4"), output)


def refuse(server: Any, setting: str, message: Any, status: int = 400, **more: Any) -> None:
    """Let the server refuse every request that contains a setting."""

    def fault(h: Any, n: int) -> bool:
        held = server.log[n].body
        held = held if setting in held else {"system": 1} if held["messages"][0]["role"] == setting else {}
        body = message if isinstance(message, (list, dict)) else {"error": {"message": message, **more}}
        return setting in held and send(h, status, json.dumps(body).encode())

    server.faults.append(fault)
