"""A completions server for tests, ``generating_server.py FOLDER PORT``, that answers with the weights in a folder.

Like vLLM by default, it uses the folder's generation_config.json for anything that a request does not set.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from weight_server import serve  # in the same folder

torch.set_num_threads(1)
FOLDER = sys.argv[1]
TOKENIZER = AutoTokenizer.from_pretrained(FOLDER)
MODEL = AutoModelForCausalLM.from_pretrained(FOLDER).eval()
SAYS = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


def generated(asked: dict[str, Any]) -> dict[str, Any]:
    how = {k: asked[k] for k in SAYS if k in asked}
    how["do_sample"] = how.get("temperature", MODEL.generation_config.temperature or 1.0) > 0
    how["top_k"] = max(0, how["top_k"]) if "top_k" in how else None
    how = {k: v for k, v in how.items() if v is not None}
    if not how["do_sample"]:
        how = {k: v for k, v in how.items() if k not in ("temperature", "top_p", "top_k", "min_p")}
    ids = torch.tensor([asked["prompt"]])
    out = MODEL.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=asked["max_tokens"], **how)
    new = out[0, ids.shape[1] :].tolist()
    held = MODEL.generation_config.eos_token_id
    finished = new[-1] in (held if isinstance(held, list) else [held])
    text = TOKENIZER.decode(new, skip_special_tokens=True)
    return {"text": text, "finish_reason": "stop" if finished else "length"}


serve(FOLDER, generated)
