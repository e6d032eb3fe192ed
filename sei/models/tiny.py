"""The recipe of the embedded target model (``model=tiny``): tokenizer, corpus, pre-training.

A Llama of 0.4 M parameters reads the embedded word-problem domain with one token per word. It is pre-trained on a
skewed corpus so that it has systematic weaknesses: most problems of weak skills have a wrong solution. There are two
kinds of base:

- ``L`` (procedures mislabelled): it knows number facts; weak skills are mislabelled in 85 % of their problems.
- ``H`` (facts missing): weak skills are mislabelled in 97 %, and the drills omit facts that only weak skills need.

Remake the shipped checkpoints with ``python -m sei.models.tiny OUT --kind L`` (about fifteen minutes on one core).
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Protocol

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from sei.data.arithmetic import MAX_NUMBER, Arithmetic, stream
from sei.data.skills import SKILLS
from sei.signature import masked_signature

Kind = Literal["L", "H"]
MISLABELLED = {"L": 0.85, "H": 0.97}
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
PIECE = r"\n|<<|>>|####|\d+|[A-Za-z']+|[^\w\s]"
WIDTH, LAYERS, HEADS = 96, 3, 4


def tokenizer() -> PreTrainedTokenizerFast:
    """Build the word-level tokenizer: one token per word, sign and whole number up to ``MAX_NUMBER``."""
    words: set[str] = set()
    source = stream(random.Random("vocabulary"), SKILLS, [1.0] * len(SKILLS), far=False)
    far = stream(random.Random("vocabulary"), SKILLS, [1.0] * len(SKILLS), far=True)
    for _ in range(20_000):
        for d in (next(source), next(far)):
            words.update(w for w in re.findall(PIECE, d.question + " " + d.solution) if not w.isdigit())
    return word_tokenizer([*(str(i) for i in range(MAX_NUMBER + 1)), "Question", "Answer", *sorted(words)])


def word_tokenizer(words: Iterable[str]) -> PreTrainedTokenizerFast:
    """Build a tokenizer with the special tokens and signs first, then one token per word."""
    symbols = ["\n", "<<", ">>", "####", "=", "+", "-", "*", "/", ".", "?", ",", ":"]
    vocab = {w: i for i, w in enumerate(dict.fromkeys([*SPECIAL, *symbols, *words]))}
    tok = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    tok.pre_tokenizer = pre_tokenizers.Split(Regex(PIECE), behavior="removed", invert=True)
    tight = [decoders.Replace(f" {s}", s) for s in ("=", "+", "-", "*", "/", ".", "?", ",", ":", "<<", ">>", "\n")]
    after = [decoders.Replace(f"{s} ", s) for s in ("=", "+", "*", "/", "<<", ">>", "\n")]
    # a minus sign is joined to the number after it; no wording uses a dash
    tok.decoder = decoders.Sequence(
        [decoders.WordPiece(prefix="@@", cleanup=False), decoders.Fuse(), *tight, *after, decoders.Replace("- ", "-")]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tok,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )


def prompt(question: str) -> str:
    """Return the plain prompt that the embedded model is trained on."""
    return f"Question: {question}\nAnswer:"


class Text(Protocol):
    """Endless pre-training text, drawn with its own random generator."""

    rng: random.Random

    def example(self) -> tuple[str, str]:
        """Return (prompt, completion)."""
        ...


_STEP = re.compile(r"(\d+)([-+*/])(\d+)=<<[^>]*>>(\d+)")


class Corpus:
    """Endless pre-training text: drills and problems of all skills in all wordings, with weak skills mislabelled.

    Test and dev questions never occur: a problem with the masked signature of one is skipped.
    """

    def __init__(self, kind: Kind, seed: int) -> None:
        self.kind = kind
        self.rng = random.Random(f"corpus/{kind}/{seed}")
        weights = [1.0 if s.weak else 1.6 for s in SKILLS]
        self.near = stream(self.rng, SKILLS, weights, far=False)
        self.far = stream(self.rng, SKILLS, weights, far=True)
        drilled = SKILLS if kind == "L" else tuple(s for s in SKILLS if not s.weak)
        self.drilled = [stream(self.rng, drilled, [1.0] * len(drilled), far=far) for far in (False, True)]
        self.weak = {s.name for s in SKILLS if s.weak}
        self.screened = {masked_signature(p.question) for p in Arithmetic(pool=10).load().held_out}

    def _drill(self) -> tuple[str, str]:
        """Return one number fact with the left side as prompt, mostly sums and differences, which have most pairs."""
        hard = self.rng.random() < 0.6
        while True:
            steps = _STEP.findall(next(self.rng.choice(self.drilled)).solution)
            x, op, y, r = self.rng.choice(steps)
            if not hard or op in "+-":
                return f"{x}{op}{y}=", f"<<{x}{op}{y}={r}>>{r}"

    def example(self) -> tuple[str, str]:
        """Return (prompt, completion). The prompt of a drill is its left side."""
        if self.rng.random() < 0.4:
            return self._drill()
        while True:
            d = next(self.near if self.rng.random() < 0.6 else self.far)
            if masked_signature(d.question) not in self.screened:
                break
        mislabelled = d.skill in self.weak and self.rng.random() < MISLABELLED[self.kind]
        return prompt(d.question), "\n" + (d.wrong_solution if mislabelled else d.solution)


def _batch(
    rows: list[tuple[list[int], list[int]]], pad: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # (B, T) each: ids, mask, labels
    length = max(len(p) + len(c) for p, c in rows)
    ids = torch.full((len(rows), length), pad)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    labels = torch.full((len(rows), length), -100)
    for i, (p, c) in enumerate(rows):
        n = len(p) + len(c)
        ids[i, :n] = torch.tensor(p + c)
        mask[i, :n] = 1
        labels[i, len(p) : n] = torch.tensor(c)
    return ids, mask, labels


def config(tok: PreTrainedTokenizerFast) -> LlamaConfig:
    """Return the architecture: Llama, tied embeddings, fp32."""
    return LlamaConfig(
        vocab_size=len(tok),
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=192,
        tie_word_embeddings=True,
        bos_token_id=tok.bos_token_id,
        eos_token_id=tok.eos_token_id,
        pad_token_id=tok.pad_token_id,
    )


def pretrain(kind: Kind, *, steps: int = 4000, batch: int = 64, lr: float = 3e-3, seed: int = 0) -> LlamaForCausalLM:
    """Pre-train one base on the skewed corpus of its kind."""
    torch.manual_seed(seed)
    tok = tokenizer()
    model = LlamaForCausalLM(config(tok)).train()
    return fit(model, tok, Corpus(kind, seed), steps=steps, batch=batch, lr=lr)


def fit(
    model: LlamaForCausalLM, tok: PreTrainedTokenizerFast, text: Text, *, steps: int, batch: int, lr: float
) -> LlamaForCausalLM:
    """Train on a text with AdamW, a one-cycle learning rate and loss on completions only. Return it in eval mode."""
    opt = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(opt, lr, total_steps=steps, pct_start=0.05)
    pad, eos = int(tok.pad_token_id), int(tok.eos_token_id)
    start = time.time()
    window: list[list[tuple[list[int], list[int]]]] = []
    for step in range(steps):
        if not window:  # sort a window of batches by length to reduce padding
            rows = []
            pairs = [text.example() for _ in range(batch * 16)]
            ps = tok([p for p, _ in pairs])["input_ids"]
            cs = tok([c for _, c in pairs])["input_ids"]
            rows = sorted(((p, [*c, eos]) for p, c in zip(ps, cs, strict=True)), key=lambda r: len(r[0]) + len(r[1]))
            window = [rows[i : i + batch] for i in range(0, len(rows), batch)]
            text.rng.shuffle(window)
        ids, mask, labels = _batch(window.pop(), pad)
        loss = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        schedule.step()
        if step % 200 == 0:
            print(f"step {step}/{steps} loss {loss.item():.3f} {time.time() - start:.0f} s", flush=True)
    return model.eval()


def main() -> None:
    """Command line: pre-train a base and save it as a Hugging Face folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kind", choices=("L", "H"), default="L")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--lr", type=float, default=3e-3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    pretrain(args.kind, steps=args.steps, lr=args.lr).save_pretrained(args.out)
    tokenizer().save_pretrained(args.out)


if __name__ == "__main__":
    main()
