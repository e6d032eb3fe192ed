"""A completions server for tests, ``generating_server.py FOLDER PORT``: it answers with the weights of a folder.

As vLLM does by default, it takes from the folder's generation_config.json whatever a request does not say.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(1)
FOLDER = sys.argv[1]
TOKENIZER = AutoTokenizer.from_pretrained(FOLDER)
MODEL = AutoModelForCausalLM.from_pretrained(FOLDER).eval()
SAYS = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        """Be quiet."""

    def send(self, found):
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send({"data": [{"id": FOLDER}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
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
        choice = {"text": text, "finish_reason": "stop" if finished else "length", "index": 0}
        self.send({"model": FOLDER, "choices": [choice], "usage": {}})


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
