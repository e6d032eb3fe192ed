"""The compact decoder answers as ``generate`` does, in fewer steps, and leaves other caches to ``generate``."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from sei.engines.lightning import LightningEngine
from sei.errors import ConfigError
from sei.lit.answers import Reader
from sei.lit.decoder import Decoder, Row, has_plain_cache
from sei.lit.shared_prefix import SharedPrefix
from sei.lit.trainer import TrainerSettings
from sei.opened import Sampling, ends_of
from sei.parts import settings
from sei.prompts import asked
from tests.builders import TINY, pool
from tests.compose import built

COMPACT = LightningEngine(trainer=TrainerSettings(), batch_size=16, max_new_tokens=60)
GENERATE = dataclasses.replace(COMPACT, decoder="generate")
POOL = pool(24)


@pytest.fixture(scope="module")
def opened():
    with TINY.open(TINY.base()) as found:
        yield found


def answers(engine, opened, prompts, sampling=None):
    opened.predictor = None
    return [a[1:] for a in sorted(engine.answer(opened, prompts, frozenset(), "test", sampling))]


@pytest.mark.parametrize("sampling", [None, Sampling(1.0, 5)])
def test_the_compact_decoder_answers_as_generate(opened, sampling):
    prompts = opened.prompts([p.question for p in POOL])
    expected = answers(GENERATE, opened, prompts, sampling)
    assert answers(COMPACT, opened, prompts, sampling) == expected
    assert len({text for text, *_ in expected}) > 12


def test_a_draw_does_not_depend_on_its_batch(opened):
    prompts = opened.prompts([p.question for p in POOL[:7]])
    found = [
        answers(dataclasses.replace(e, batch_size=n), opened, prompts, Sampling(1.0, 5))
        for e in (GENERATE, COMPACT)
        for n in (7, 2)
    ]
    assert found[0] == found[1] == found[2] == found[3]


def rows(opened, n):
    return [
        Row(i, [], ids)
        for i, ids in enumerate(opened.tokenizer(opened.prompts([p.question for p in POOL[:n]]))["input_ids"])
    ]


def test_a_row_leaves_the_batch_once_its_answer_is_over(opened, monkeypatch):
    sizes = []
    forward = Decoder._forward

    def seen(self, ids, *args, **more):
        sizes.append(len(ids))
        return forward(self, ids, *args, **more)

    monkeypatch.setattr(Decoder, "_forward", seen)
    found = Decoder(opened.weights, ends_of(opened), 0).tokens(rows(opened, 16), 60)
    assert sizes[0] == 16
    assert sizes[-1] < 0.8 * 16
    assert len(sizes) == max(map(len, found.values()))


def test_a_text_that_ends_an_answer_ends_its_row(opened):
    reader = Reader(opened.tokenizer, frozenset(), ["####"])  # without end tokens, only the text ends a row
    steps = []
    found = Decoder(opened.weights, frozenset(), 0).tokens(
        rows(opened, 6), 90, stopped=reader.stopped, beat=steps.append
    )
    free = Decoder(opened.weights, frozenset(), 0).tokens(rows(opened, 6), 90)
    assert max(steps) < 90
    given, expected = ([reader.answer(i, tokens[i]) for i in range(6)] for tokens in (found, free))
    assert given == expected
    assert all(a.finished for a in given)


def windowed():
    """Return a random model whose layers see a window of 8 tokens, and one that sees all."""
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    made = [
        MistralForCausalLM(
            MistralConfig(vocab_size=50, num_key_value_heads=2, sliding_window=w, pad_token_id=0, **size)
        ).eval()
        for w in (8, None)
    ]
    made[1].load_state_dict(made[0].state_dict())
    return made


def test_a_model_with_a_sliding_window_is_left_to_generate():
    near, far = windowed()
    assert (has_plain_cache(near), has_plain_cache(far)) == (False, True)
    prompts = [list(range(3, 30)), list(range(20, 40)), [7, 8]]
    batch = [Row(i, p[:1], p[1:]) for i, p in enumerate(prompts)]
    together = Decoder(near, frozenset(), 0).tokens(batch, 12)
    for i, p in enumerate(prompts):
        alone = near.generate(torch.tensor([p]), max_new_tokens=12, do_sample=False, eos_token_id=None)
        assert together[i] == alone[0, len(p) :].tolist()
    assert together != Decoder(far, frozenset(), 0).tokens(batch, 12)
    solutions = [[5, 6, 7], [9], [11, 12]]
    read = [Decoder(near, frozenset(), 0).likelihoods([r], [s])[r.at] for r, s in zip(batch, solutions, strict=True)]
    assert list(Decoder(near, frozenset(), 0).likelihoods(batch, solutions).values()) == pytest.approx(read, abs=1e-5)


def test_the_decoder_is_in_the_key_if_it_is_generate():
    assert COMPACT.reads() == {}
    assert GENERATE.reads() == {"decoder": "generate"}
    assert "decoder" not in settings(GENERATE)


def other_kinds():
    """Return random models that take positions from the mask (Bloom), and from a learned table (GPT-2)."""
    from transformers import BloomConfig, BloomForCausalLM, GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    ends = {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
    yield BloomForCausalLM(BloomConfig(vocab_size=50, hidden_size=16, n_layer=2, n_head=2, **ends)).eval()
    yield GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, n_positions=64, **ends)).eval()


def test_models_of_other_kinds_answer_as_with_generate():
    prompts = [list(range(3, 30)), list(range(20, 40)), [7, 8]]
    batch = [Row(i, p[:1], p[1:]) for i, p in enumerate(prompts)]
    for model in other_kinds():
        assert has_plain_cache(model)
        ends = frozenset({int(model.generation_config.eos_token_id)})
        expected = Decoder(model, ends, 0, compact=False).tokens(batch, 12)
        assert Decoder(model, ends, 0).tokens(batch, 12) == expected
        assert len(set(map(tuple, expected.values()))) > 1


def by_place():
    """Return random models that count positions by the place in a row, or windows."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    neo = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]]}
    kinds = {"mpt": {"d_model": 32, "n_heads": 4, "n_layers": 2}, "gpt_neo": {**neo, "window_size": 16}}
    for kind, more in kinds.items():
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, vocab_size=50, pad_token_id=0, **more))
        for p in model.parameters():
            p.data += 0.1 * torch.randn_like(p)
        yield model.eval()


@pytest.mark.parametrize("compact", [True, False])
def test_models_that_count_by_place_answer_as_alone(compact):
    """Padding between a shared beginning and the rest shifted their positions, in silence."""
    start = list(range(3, 20))
    batch = [Row(i, start, rest) for i, rest in enumerate([list(range(20, 45)), [7, 8], list(range(9, 20)), [4]])]
    solutions = [[5, 6, 7], [9], [11, 12], [30, 3]]
    for model in by_place():
        decoder = Decoder(model, frozenset(), 0, compact=compact)
        alone = {r.at: decoder.tokens([r], 12)[r.at] for r in batch}
        assert decoder.tokens(batch, 12) == alone
        one_by_one = [decoder.likelihoods([r], [s])[r.at] for r, s in zip(batch, solutions, strict=True)]
        assert list(decoder.likelihoods(batch, solutions).values()) == pytest.approx(one_by_one, abs=1e-5)


def test_a_model_that_reads_padding_is_given_none():
    from transformers import RwkvConfig, RwkvForCausalLM

    torch.manual_seed(0)
    size = {"hidden_size": 16, "attention_hidden_size": 16, "num_hidden_layers": 2, "context_length": 64}
    decoder = Decoder(RwkvForCausalLM(RwkvConfig(vocab_size=50, **size)).eval(), frozenset(), 0)
    rows = [Row(0, [], [3, 4, 5]), Row(1, [], [6, 7])]
    assert len(decoder.tokens(rows[:1], 3)[0]) == 3
    for ask in (lambda: decoder.tokens(rows, 3), lambda: decoder.likelihoods(rows, [[8], [9]])):
        with pytest.raises(ConfigError, match=r"layers of rwkv read padding.*engine.batch_size=1"):
            ask()


@pytest.mark.slow
def test_all_answers_of_the_base_in_the_default_run_are_equal(opened):
    data = built()["data"].load()
    prompts = opened.prompts([asked(p.question, p.options) for p in (*data.pool, *data.held_out)])
    found = [
        answers(dataclasses.replace(e, batch_size=128, max_new_tokens=96), opened, prompts) for e in (GENERATE, COMPACT)
    ]
    assert len(prompts) == 2_900
    assert found[0] == found[1]


def test_in_context_answers_of_a_group_share_their_prefix(opened, monkeypatch):
    widths = []
    forward = Decoder._forward

    def seen(self, ids, *args, **more):
        widths.append(tuple(ids.shape))
        return forward(self, ids, *args, **more)

    monkeypatch.setattr(Decoder, "_forward", seen)
    shown = (POOL[20].question, POOL[20].solution)
    SharedPrefix(opened).answers([opened.prompts([p.question for p in POOL[:5]], shown)], 4)
    (one, longest), (five, rest), *_ = widths
    assert (one, five) == (1, 5)
    assert longest > rest
