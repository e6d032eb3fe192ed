"""Part (b): how fast a Llama-3-8B shape is trained, asked and used for refinement. The weights are random."""

from __future__ import annotations

import argparse
import contextlib
import gc
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import shape as shapes
from sei.lit.throughput import Sizes, costs_of, operations, peak_of
from sei.lit.trainer import TrainerSettings, quiet
from sei.models.trained import with_adapter
from sei.opened import OpenModel

Row = dict[str, Any]


class Bench:
    """The model, its sizes, and how much of each thing is done."""

    def __init__(self, *, toy: bool) -> None:
        self.toy = toy
        self.device = "cpu" if toy else "cuda:0"
        self.shape = shapes.TOY if toy else shapes.Shape()
        self.lengths = ((32, 4), (64, 2)) if toy else ((512, 8), (2048, 2))  # tokens a row, rows a step
        self.batches = (4, 8) if toy else (64, 256)
        self.new_tokens = 16 if toy else 128
        self.candidates = 3 if toy else 12
        self.trainer = TrainerSettings(
            accelerator="cpu" if toy else "gpu", precision="32-true" if toy else "bf16-true", threads=1
        )

    def opened(self) -> OpenModel:
        """Return a fresh model."""
        return shapes.opened(self.shape, self.device)

    def mfu(self, tokens_per_second: float, model: Any, length: int) -> float | None:
        """Return the share of the GPU's bfloat16 peak that LoRA training reaches.

        The operations of a token are those of the product's own step logs (``sei.lit.throughput``).
        """
        peak, costs = (None, None) if self.toy else (peak_of(torch.cuda.get_device_name(0)), costs_of(model))
        if peak is None or costs is None:
            return None
        each = operations(costs, Sizes(length, length, length**2, length)) / length
        return round(each * tokens_per_second / peak, 3)

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        if not self.toy:
            torch.cuda.synchronize()

    def fresh(self) -> None:
        """Free what nobody holds and start to count peak memory anew."""
        gc.collect()
        if not self.toy:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak_gib(self) -> float | None:
        """Return the most memory that tensors took since ``fresh``."""
        return None if self.toy else round(torch.cuda.max_memory_allocated() / 2**30, 1)


def lora(bench: Bench, *, checkpointing: bool, quantized: bool = False) -> list[Row]:
    """Train a rank-16 adapter on all linear layers by sei's module and trainer: tokens a second, MFU, peak memory."""
    opened = bench.opened()
    model = opened.weights
    if quantized:
        model = _four_bits(model, bench.device)
    bench.fresh()
    model = with_adapter(model, r=16, alpha=32, dropout=0.0, targets="all-linear").train()
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    rows = []
    for length, count in bench.lengths[: 1 if quantized else None]:
        bench.fresh()
        name = (
            f"{'QLoRA' if quantized else 'LoRA'} {length} tokens x {count}{', checkpointing' if checkpointing else ''}"
        )
        rate = _trained(bench, model, length, count)
        share = None if quantized else bench.mfu(rate, model, length)
        rows.append({"measured": name, "tokens/s": round(rate), "MFU": share, "peak GiB": bench.peak_gib()})
    return rows


def _trained(bench: Bench, model: Any, length: int, count: int, warm: int = 2, steps: int = 6) -> float:
    from pytorch_lightning import Callback

    from sei.lit.data import SupervisedData
    from sei.lit.module import LitCausalLM

    times: list[float] = []

    class Clock(Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            bench.wait()
            times.append(time.perf_counter())

    pairs = shapes.pairs(bench.shape, count, length, seed=1)
    data = SupervisedData(pairs, [list(range(count))] * (warm + steps), 0, warm + steps)
    lit = LitCausalLM(model, lr=1e-4, warmup_ratio=0.1, total_steps=warm + steps)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        bench.trainer.build(Path(folder), clip=1.0, callbacks=(Clock(),)).fit(lit, datamodule=data)
    return steps * count * length / (times[-1] - times[warm - 1])


def trl(bench: Bench, *, checkpointing: bool) -> list[Row]:
    """Train the same adapter on rows of the same lengths by TRL's trainer, batch for batch."""
    import pyarrow
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    opened = bench.opened()
    model = with_adapter(opened.weights, r=16, alpha=32, dropout=0.0, targets="all-linear").train()
    rows = []
    for length, count in bench.lengths:
        bench.fresh()
        name = f"TRL LoRA {length} tokens x {count}{', checkpointing' if checkpointing else ''}"
        pairs = shapes.pairs(bench.shape, count, length, seed=1)
        made = {"input_ids": [[*p, *c] for p, c in pairs] * 8, "labels": [[-100] * len(p) + [*c] for p, c in pairs] * 8}
        data = Dataset(pyarrow.table(made), fingerprint=name)  # a fingerprint of its own cannot always be made
        times: list[float] = []

        class Clock(TrainerCallback):
            def __init__(self, seen: list[float]) -> None:
                self.seen = seen

            def on_step_end(self, *_: Any, **__: Any) -> None:
                bench.wait()
                self.seen.append(time.perf_counter())

        with tempfile.TemporaryDirectory() as folder:
            settings = SFTConfig(
                output_dir=folder,
                per_device_train_batch_size=count,
                max_steps=8,
                max_length=length,
                dataset_kwargs={"skip_prepare_dataset": True},  # the rows are token ids
                learning_rate=1e-4,
                bf16=not bench.toy,
                use_cpu=bench.toy,
                gradient_checkpointing=checkpointing,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
            )
            SFTTrainer(
                model=model,
                args=settings,
                train_dataset=data,
                processing_class=opened.tokenizer,
                callbacks=[Clock(times)],
            ).train()
        rate = 6 * count * length / (times[-1] - times[1])
        rows.append(
            {
                "measured": name,
                "tokens/s": round(rate),
                "MFU": bench.mfu(rate, model, length),
                "peak GiB": bench.peak_gib(),
            }
        )
    return rows


def generation(bench: Bench) -> list[Row]:
    """Ask for greedy answers in two batch sizes, by ``engine=lightning`` and by the decoder of in-context scoring."""
    from sei.engines.lightning import LightningEngine
    from sei.lit.shared_prefix import SharedPrefix

    opened, rows = bench.opened(), []
    prompt, new = (16 if bench.toy else 128), bench.new_tokens

    def engine(size: int, asked: list[str]) -> int:
        made = LightningEngine(trainer=bench.trainer, batch_size=size, max_new_tokens=new)
        found = list(made.answer(opened, asked, frozenset(), "answers"))
        return sum(len(a.text.split()) for a in found)

    def decoder(size: int, asked: list[str]) -> int:
        found = SharedPrefix(opened, rows=size).answers([[a] for a in asked], new)
        return sum(len(a.text.split()) for group in found for a in group)

    for name, ask in (("engine=lightning", engine), ("decoder of in-context scoring", decoder)):
        for size in bench.batches:
            asked = shapes.texts(bench.shape, size, prompt, seed=size)
            ask(size, asked[:size]) if size == bench.batches[0] else None  # the first call warms up
            bench.fresh()
            began = time.perf_counter()
            tokens = ask(size, asked)
            bench.wait()
            took = time.perf_counter() - began
            rows.append(
                {
                    "measured": f"greedy, {name}, batch {size}, {prompt} + {new} tokens",
                    "tokens/s": round(tokens / took),
                    "peak GiB": bench.peak_gib(),
                }
            )
    return rows


def refinement(bench: Bench) -> list[Row]:
    """Score candidates of about 160 tokens on 16 validation cases by one step and by the gradient's cosine (LoRA)."""
    from sei.lit.one_step import Gradients, OneStep

    words = 8 if bench.toy else 80
    questions = shapes.texts(bench.shape, 32 + bench.candidates, words, seed=5)
    solutions = shapes.texts(bench.shape, 32 + bench.candidates, words, seed=6)
    given = list(zip(questions, solutions, strict=True))
    tests, samples = given[:16], given[32:]
    rows = []
    for name in ("one_shot_step", "gradient"):
        opened = bench.opened()
        bench.fresh()
        if name == "one_shot_step":
            step = OneStep(opened, step_size=0.1, lora=True, seed=0)
            score: Callable[[Any], Any] = lambda s, step=step: step.loss_after("", tests, s)  # noqa: E731
        else:
            found = Gradients(opened, lora=True, seed=0)
            score = lambda s, found=found: found.cosine("", tests, s)  # noqa: E731
        score(samples[0])
        bench.wait()
        began = time.perf_counter()
        for sample in samples[1:]:
            score(sample)
        bench.wait()
        took = time.perf_counter() - began
        rows.append(
            {
                "measured": f"refiner={name}, LoRA, 16 cases",
                "candidates/s": round((len(samples) - 1) / took, 2),
                "peak GiB": bench.peak_gib(),
            }
        )
        del opened, score
    return rows


def _four_bits(model: Any, device: str) -> Any:
    """Pack every linear layer but the output into four bits (NF4), as transformers does when it loads a model."""
    import bitsandbytes as bnb
    from peft import prepare_model_for_kbit_training

    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is not torch.nn.Linear or name == "lm_head":
                continue
            packed = bnb.nn.Linear4bit(
                layer.in_features, layer.out_features, bias=False, quant_type="nf4", compute_dtype=layer.weight.dtype
            )
            packed.weight = bnb.nn.Params4bit(layer.weight.data.cpu(), requires_grad=False, quant_type="nf4")
            setattr(parent, name, packed.to(device))
    model.is_loaded_in_4bit = True
    return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)


MEASURED: dict[str, Callable[[Bench], list[Row]]] = {
    "lora": lambda b: lora(b, checkpointing=False),
    "lora_checkpointing": lambda b: lora(b, checkpointing=True),
    "trl": lambda b: trl(b, checkpointing=False),
    "trl_checkpointing": lambda b: trl(b, checkpointing=True),
    "generation": generation,
    "refinement": refinement,
    "qlora": lambda b: lora(b, checkpointing=False, quantized=True),
}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Take every measurement; one that cannot be taken says why and harms no other."""
    bench, rows = Bench(toy=args.toy), []
    for name in args.only or list(MEASURED):
        bench.fresh()
        with _told(name, rows):
            rows += MEASURED[name](bench)
            print(rows[-1], flush=True)
    return {"shape": bench.shape._asdict(), "rows": rows}


@contextlib.contextmanager
def _told(name: str, rows: list[Row]) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    except Exception as e:  # a missing library, or memory
        traceback.print_exc(limit=6)
        rows.append({"measured": name, "note": f"{type(e).__name__}: {str(e).splitlines()[0][:120] if str(e) else ''}"})
    print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
