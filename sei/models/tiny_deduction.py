"""The recipe of the embedded target model of the deduction domain (``model=tiny_d``).

The same Llama as in ``sei.models.tiny``, pre-trained on ordering puzzles of all skills in all wordings. Puzzles of weak
skills have a wrong solution in 85 % of cases, so that the model has systematic weaknesses.

Remake the shipped checkpoint with ``python -m sei.models.tiny_deduction OUT`` (about six minutes on one core).
"""

from __future__ import annotations

import argparse
import random
import re
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from sei.data.deduction import Deduction, stream
from sei.data.orderings import NAMES, SKILLS
from sei.models.tiny import PIECE, config, fit, prompt, word_tokenizer
from sei.signature import masked_signature

MISLABELLED = 0.85
TAUGHT_WEIGHT = 1.6
FAR_SHARE = 0.4


def tokenizer() -> PreTrainedTokenizerFast:
    """Build the word-level tokenizer: one token per name, word and sign of the domain."""
    words: set[str] = set()
    for far in (False, True):
        source = stream(random.Random("vocabulary"), SKILLS, [1.0] * len(SKILLS), far=far)
        for _ in range(3_000):
            d = next(source)
            words.update(re.findall(PIECE, d.question + " " + d.solution))
    return word_tokenizer(["Question", "Answer", *NAMES, *sorted(words - set(NAMES))])


class Puzzles:
    """Endless pre-training text: puzzles of all skills in all wordings, with weak skills mislabelled.

    Test and dev questions never occur: a puzzle with the masked signature of one is skipped.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"corpus/deduction/{seed}")
        weights = [1.0 if s.weak else TAUGHT_WEIGHT for s in SKILLS]
        self.near = stream(self.rng, SKILLS, weights, far=False)
        self.far = stream(self.rng, SKILLS, weights, far=True)
        self.weak = {s.name for s in SKILLS if s.weak}
        self.screened = {masked_signature(p.question) for p in Deduction(pool=10).load().held_out}

    def example(self) -> tuple[str, str]:
        """Return (prompt, completion)."""
        while True:
            d = next(self.far if self.rng.random() < FAR_SHARE else self.near)
            if masked_signature(d.question) not in self.screened:
                break
        mislabelled = d.skill in self.weak and self.rng.random() < MISLABELLED
        return prompt(d.question), "\n" + (d.wrong_solution if mislabelled else d.solution)


def pretrain(*, steps: int = 3000, batch: int = 32, lr: float = 3e-3, seed: int = 0) -> LlamaForCausalLM:
    """Pre-train the base on the skewed corpus."""
    torch.manual_seed(seed)
    tok = tokenizer()
    model = LlamaForCausalLM(config(tok)).train()
    return fit(model, tok, Puzzles(seed), steps=steps, batch=batch, lr=lr)


def main() -> None:
    """Command line: pre-train the base and save it as a Hugging Face folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--lr", type=float, default=3e-3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    pretrain(steps=args.steps, lr=args.lr).save_pretrained(args.out)
    tokenizer().save_pretrained(args.out)


if __name__ == "__main__":
    main()
