"""Reads model folders with the installed transformers, without sei: ``read_folders.py < JOBS``, with JSON.

A job is ``{"folder", "out", "texts", "ids"}``. The file ``out`` gets logits, token ids, texts and greedy tokens, or the
reason why the tokenizer does not load.
"""

from __future__ import annotations

import json
import sys

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer


def read(job):
    found = {"version": transformers.__version__, "error": ""}
    model = AutoModelForCausalLM.from_pretrained(job["folder"], dtype=torch.float32).eval()
    with torch.no_grad():
        found["logits"] = model(torch.tensor(job["ids"])).logits
    found["eos"] = model.generation_config.eos_token_id
    try:
        tok = AutoTokenizer.from_pretrained(job["folder"])
    except Exception as e:
        found["error"] = f"{type(e).__name__}: {e}"
    else:
        rows = tok(job["texts"])["input_ids"]
        asked = [{"role": "user", "content": job["texts"][0]}]
        found |= {
            "ids": rows,
            "bare": tok(job["texts"], add_special_tokens=False)["input_ids"],
            "decoded": [tok.decode(r, skip_special_tokens=s) for r in rows for s in (False, True)],
            "chat": tok.apply_chat_template(asked, tokenize=False, add_generation_prompt=True),
            "special": sorted(tok.all_special_ids),
            "ends": [tok.bos_token_id, tok.eos_token_id, tok.pad_token_id, tok.unk_token_id],
            "padding": tok.padding_side,
            "generated": model.generate(**tok(job["texts"][0], return_tensors="pt"), max_new_tokens=16)[0].tolist(),
        }
    torch.save(found, job["out"])


if __name__ == "__main__":
    torch.set_num_threads(1)
    for each in json.load(sys.stdin):
        read(each)
