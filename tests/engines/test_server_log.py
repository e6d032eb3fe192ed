"""The message about a server that ended: its cause, not the consequences, from log lines of vLLM 0.32."""

from __future__ import annotations

import pytest

from sei.engines.server_log import cause_of

SETTINGS = (
    "(APIServer pid=7) INFO 11-26 23:54:17 [utils.py:1] non-default args: {'gpu_memory_utilization': 0.2, "
    "'max_model_len': 1024}\n"
    "(APIServer pid=7) WARNING 11-26 23:54:17 [utils.py:2] can cause errors like `OSError: [Errno 24] Too many files`\n"
)
TOO_LONG = (
    "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
    "  Value error, User-specified max_model_len (99999) is greater than the derived max_model_len (8192)\n"
)
DEAD = (
    "(APIServer pid=7) ERROR 11-26 23:54:55 [async_llm.py:906] vllm.v1.engine.exceptions.EngineDeadError: EngineCore "
    "encountered an issue. See stack trace (above) for the root cause.\n"
    'INFO:     127.0.0.1:1 - "POST /v1/completions HTTP/1.1" 500 Internal Server Error\n'
)
MEMORY = (
    "(EngineCore pid=9) ERROR 11-26 [core.py:1] ValueError: No available memory for the cache blocks. Try another\n"
    "(APIServer pid=7) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n"
)
KV = (
    "(EngineCore pid=9) INFO 11-27 [x.py:1] config.json not found in the cache\nsomething was not found in a folder\n"
    "(Worker pid=8) ERROR 11-27 [e.py:1] ValueError: Available memory on node 0 (13.86/17.34 GiB) on kv cache "
    "allocation is less than requested memory for kv (3000.0 GiB). Decrease --kv-cache-memory-bytes\n"
)
FLAG = (
    "Triton is installed, but doesn't include CPU backend. Disabling Triton.\nusage: vllm [-h] [-v]\n"
    "vllm: error: unrecognized arguments: --no-such-flag\n"
)


@pytest.mark.parametrize(
    ("log", "first", "remedy"),
    [
        (TOO_LONG, "1 validation error for ModelConfig Value error, User-specified max_model_len", "a smaller --max-m"),
        (DEAD, "vllm.v1.engine.exceptions.EngineDeadError", "what ended the engine"),
        (MEMORY, "ValueError: No available memory for the cache blocks", "the memory share"),
        (KV, "ValueError: Available memory on node 0 (13.86/17.34 GiB)", "the memory share"),
        (FLAG, "vllm: error: unrecognized arguments: --no-such-flag", "does not know one of the options"),
        ("RuntimeError: Failed to infer device type\n", "RuntimeError: Failed to infer device type", "look at its log"),
    ],
    ids=["window", "killed", "memory", "kv", "flag", "other"],
)
def test_the_cause_comes_first_and_settings_are_no_cause(tmp_path, log, first, remedy):
    file = tmp_path / "log"
    file.write_text(SETTINGS + log)
    said, words, *more = cause_of(file).splitlines()
    assert first in said
    assert words.startswith("Remedy: ")
    assert remedy in words
    assert str(file) in words
    assert not more
