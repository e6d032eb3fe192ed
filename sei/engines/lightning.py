"""``engine=lightning``: answers questions through ``predict_step``, in batches of similar length."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sei.lit.trainer import TrainerSettings, determinism, quiet
from sei.opened import Answer, OpenModel, Sampling, Target, ends_of, require_sampling
from sei.parts import IMMATERIAL, part
from sei.progress import inside, progress
from sei.records import Checkpoint

_ELSEWHERE = "engine=openai_server, or trainer=cpu"  # generation is always deterministic here


@part
class LightningEngine:
    """Greedy generation by a Lightning ``Trainer``, or sampling if a call asks for it.

    An answer is finished at any end-of-text token of the model (``ends_of``) or at the first of the ``stop`` strings
    (for models that continue with another question). ``samples`` answers per problem are drawn at ``temperature``. With
    temperature 0, the default, the single answer is greedy.

    ``decoder``: ``compact`` drops finished rows from the batch, and reads the beginning that all prompts of a batch
    share once (``sei.lit.decoder``). ``generate`` is Hugging Face's, which keeps them: the same answers up to rounding.
    """

    identity: ClassVar[str] = "engine/lightning"
    version: ClassVar[int] = 3
    trainer: TrainerSettings
    decoder: Annotated[Literal["compact", "generate"], IMMATERIAL] = "compact"  # ``reads`` names ``generate``
    batch_size: Annotated[int, Field(ge=1)] = 128
    max_new_tokens: Annotated[int, Field(ge=1)] = 96
    stop: list[str] = Field(default_factory=list)
    samples: Annotated[int, Field(ge=1, le=1024), IMMATERIAL] = 1  # each answer has its own number in the key
    temperature: Annotated[float, Field(ge=0, le=2), IMMATERIAL] = 0.0  # ``reads`` puts it into the key if set

    def __post_init__(self) -> None:
        """Refuse several greedy answers per problem."""
        require_sampling(self.samples, self.temperature)

    def reads(self) -> dict[str, str]:
        """Return the temperature if answers are sampled, and the decoder if it is ``generate``.

        Answers of earlier versions, made by ``generate``, are found under ``compact``: they are the same up to
        rounding, and on the default run all of them are equal (experiments/measurements/decoder.md).
        """
        sampled = {"temperature": str(self.temperature)} if self.temperature else {}
        return sampled | ({"decoder": "generate"} if self.decoder == "generate" else {})

    @property
    def devices(self) -> int:
        """Return 1: answers are made on one device."""
        return 1

    def open(self, target: Target, checkpoint: Checkpoint) -> AbstractContextManager[OpenModel]:
        """Return a context that loads a checkpoint of the target model in this process."""
        return target.open(checkpoint)

    def limits(self) -> tuple[int, tuple[str, ...]]:
        """Return the cap on new tokens and the strings that end an answer, for generation without the engine."""
        return self.max_new_tokens, tuple(self.stop)

    def answer(
        self,
        opened: OpenModel,
        texts: Sequence[str],
        done: frozenset[int],
        what: str,
        sampling: Sampling | None = None,
    ) -> Iterator[Answer]:
        """Yield an answer per rendered prompt (``OpenModel.prompts``) that is not in ``done``.

        Batches are cut from all prompts, done or not, and a batch with any missing answer is run as a whole. An
        interrupted run thus continues with the same batches as an uninterrupted one. With ``sampling`` every prompt has
        its own random numbers. Repeat a prompt to get several samples.
        """
        from sei.lit.answers import Reader
        from sei.lit.data import PromptData
        from sei.lit.decoder import Decoder
        from sei.lit.module import LitCausalLM

        tok, model, ends = opened.tokenizer, opened.weights, ends_of(opened)
        prompts = tok(list(texts), add_special_tokens=opened.template == "plain")["input_ids"]
        order = sorted(range(len(prompts)), key=lambda i: (-len(prompts[i]), i))
        batches = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
        batches = [b for b in batches if not set(b) <= done]
        with quiet(), determinism(True, "generation", _ELSEWHERE), progress(what, sum(map(len, batches))) as advance:
            if opened.predictor is None:  # one predictor while the model is open
                decoder = Decoder(model, ends, int(tok.pad_token_id), compact=self.decoder == "compact")
                lit = LitCausalLM(model, decoder=decoder)
                opened.predictor = lit, self.trainer.build(Path(tempfile.gettempdir()))
            lit, trainer = opened.predictor
            reader = Reader(tok, ends, self.stop)
            lit.max_new_tokens, lit.sampling, lit.beat = self.max_new_tokens, sampling, inside(advance)
            lit.stopped = reader.stopped
            for batch in batches:  # one call per batch: its rows are on disk before the next begins
                data = PromptData(prompts, [batch], tok.pad_token_id)
                for indices, tokens in trainer.predict(lit, datamodule=data):
                    yield from (reader.answer(i, row) for i, row in zip(indices, tokens, strict=True))
                    advance(len(indices))
